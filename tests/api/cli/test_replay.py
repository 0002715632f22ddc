"""``replay``, with a service running and without."""

import asyncio
import io
import shutil
from pathlib import Path

import httpx
import pytest

from api.app import create_app, open_components
from api.cli.service import OperatorService, ask
from api.settings import Settings
from jurisdictions.loader import DATA
from jurisdictions.releases import Release, bundled_release
from tests.support.commands import command

MAIL = ("--sender", "acme", "--to", "ada@example.com", "--region", "US-NY", "--channel", "email")


@pytest.fixture(scope="module", autouse=True)
def decisions(folder: Path) -> None:
    async def put(service: OperatorService) -> None:
        one = await service.of_one()
        await one.put("/v1/senders/acme", {"name": "Acme", "country": "US"})

    ask(Settings(data=folder), put)
    for purpose in ("marketing", "marketing", "service"):
        assert command("check", *MAIL, "--purpose", purpose, "--data", folder).code in (0, 1)


@pytest.fixture(scope="module")
def other_law(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled law with a byte more in it, which says nothing else."""
    made = tmp_path_factory.mktemp("law") / "data"
    shutil.copytree(DATA, made)
    with (made / "unions.yaml").open("a") as file:
        file.write("\n")
    return made


def test_decisions_come_to_the_same(folder: Path) -> None:
    ran = command("replay", "--since", "2026-01-01", "--data", folder)
    assert ran.code == 0, ran.err
    counts = {"replayed": 3, "same": 3, "differed": 0, "verdicts_changed": 0, "gone": 0}
    assert ran.record == counts
    shown = command("replay", "--since", "2026-01-01", "--data", folder, on_terminal=True)
    assert shown.code == 0
    assert "replayed" in shown.out


def test_another_law_that_is_at_hand_changes_nothing(folder: Path, other_law: Path) -> None:
    ran = command("replay", "--since", "2026-01-01", "--law", other_law, "--data", folder)
    assert ran.record["same"] == 3


def test_a_decision_under_a_law_that_is_not_at_hand_differs_and_is_1(
    tmp_path: Path, other_law: Path
) -> None:
    made = tmp_path / "data"
    assert command("init", "--data", made).code == 0
    asyncio.run(_check_under(bundled_release(other_law), made))
    ran = command("replay", "--since", "2026-01-01", "--data", made)
    assert ran.code == 1
    differing, counts = ran.records
    assert [one["what"] for one in differing["differed"]] == ["release"]
    assert differing["differed"][0]["then"] == bundled_release(other_law).digest
    assert not any(differing["changed"].values())
    assert (counts["differed"], counts["verdicts_changed"]) == (1, 0)
    shown = command("replay", "--since", "2026-01-01", "--data", made, on_terminal=True)
    assert "release" in shown.out
    ran = command("replay", "--since", "2026-01-01", "--law", other_law, "--data", made)
    assert (ran.code, ran.record["same"]) == (0, 1)


async def _check_under(release: Release, folder: Path) -> None:
    quiet = io.StringIO()
    with open_components(Settings(data=folder), release=release, log_stream=quiet) as components:
        doors = create_app(components)
        transport = httpx.ASGITransport(app=doors.operator)  # type: ignore[arg-type]
        async with (
            doors.litestar.lifespan(),
            httpx.AsyncClient(transport=transport, base_url="http://service.example") as client,
        ):
            body = {"name": "Acme", "country": "US"}
            assert (await client.put("/v1/senders/acme", json=body)).status_code == 200
            check = {
                "sender": "acme",
                "recipient": {"address": "+12125550123"},
                "message": {"channel": "sms", "purpose": "marketing"},
            }
            assert (await client.post("/v1/checks", json=check)).status_code == 200


def test_the_law_of_a_folder_is_tried_on_what_was_decided(
    folder: Path, other_law: Path, tmp_path: Path
) -> None:
    ran = command("rules", "simulate", other_law, "--since", "2026-01-01", "--data", folder)
    assert (ran.code, ran.record["total"], ran.record["same"]) == (0, 3, 3)
    stricter = tmp_path / "law"
    shutil.copytree(other_law, stricter)
    (stricter / "us" / "can-spam.yaml").unlink()
    ran = command("rules", "simulate", stricter, "--since", "2026-01-01", "--data", folder)
    *turned, counts = ran.records
    assert len(turned) == counts["stricter"] + counts["otherwise"]
    assert {one["after"] for one in turned} == {"deny"}
    assert all(one["id"].startswith("chk_") for one in turned)
    options = ("--since", "2026-01-01", "--data", folder)
    shown = command("rules", "simulate", stricter, *options, on_terminal=True)
    assert "stricter" in shown.out
    assert command("rules", "simulate", tmp_path / "none", *options).code == 2


@pytest.mark.parametrize(
    ("since", "until", "replayed"),
    [
        ("2026-01-01", None, 3),
        ("2026-01-01T00:00:00+02:00", None, 3),
        ("2090-01-01", None, 0),
        ("2020-01-01", "2021-01-01", 0),
        ("2020-01-01", "2090-01-01", 3),
    ],
)
def test_only_what_was_decided_in_that_time(
    folder: Path, since: str, until: str | None, replayed: int
) -> None:
    more = () if until is None else ("--until", until)
    ran = command("replay", "--since", since, *more, "--data", folder)
    assert ran.record["replayed"] == replayed


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--since", "yesterday"),
        ("--since", "2026-01-01T00:00:00"),
        ("--since", "2026-01-01", "--law", "nowhere"),
    ],
)
def test_wrong_use_is_2(folder: Path, options: tuple[str, ...]) -> None:
    assert command("replay", *options, "--data", folder).code == 2


def test_what_is_not_there_is_3(folder: Path, tmp_path: Path) -> None:
    assert command("replay", "--since", "2026-01-01", "--data", tmp_path / "none").code == 3
    options = ("--since", "2026-01-01", "--organisation", "org_none")
    assert command("replay", *options, "--data", folder).code == 3
