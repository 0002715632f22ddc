"""A service as an operator meets it: its doors, its lock, its end."""

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.support.served import SERVE, served


@pytest.mark.slow
def test_the_socket_is_for_its_owner_and_gone_at_the_end(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        assert service.folder.socket.stat().st_mode & 0o777 == 0o600
        with service.operator() as operator:
            assert operator.post("/v1/organisations", json={"name": "Acme"}).status_code == 201
        with httpx.Client(base_url=service.address) as client:
            assert client.get("/health/ready").json()["writer"] is True
            answer = client.post("/v1/organisations", json={"name": "Acme"})
            assert answer.status_code == 401
        assert service.stop() == 0
        assert not service.folder.socket.exists()
    assert '"event":"stopped"' in service.printed


@pytest.mark.slow
def test_a_second_service_on_the_same_folder_does_not_start(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        second = subprocess.run(
            [sys.executable, "-c", SERVE, str(tmp_path)],
            capture_output=True,
            text=True,
            cwd=Path(__file__).parents[2],
            check=False,
            timeout=60,
        )
        assert second.returncode != 0
        assert f"held by a running service (process {service.process.pid})" in second.stderr
        with service.operator() as operator:
            assert operator.get("/health/live").status_code == 200


@pytest.mark.slow
@pytest.mark.parametrize("lost", ["root.key", "keys.json"])
def test_a_service_without_its_keys_does_not_start(tmp_path: Path, lost: str) -> None:
    with served(tmp_path) as service:
        assert service.stop() == 0
    (tmp_path / lost).unlink()
    refused = subprocess.run(
        [sys.executable, "-c", SERVE, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert refused.returncode != 0
    assert lost in refused.stderr


@pytest.mark.slow
def test_a_service_that_drops_its_asserts_does_not_start(tmp_path: Path) -> None:
    refused = subprocess.run(
        [sys.executable, "-O", "-c", SERVE, str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=60,
    )
    assert refused.returncode != 0
    assert "python -O" in refused.stderr
