"""The sample auditor believes what is proved, and nothing else."""

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType

import httpx
import pytest

from consent.ledger import tree
from tests.support.commands import command, serving
from tests.support.logs import naive_root
from tests.support.project import PROJECT


def the_example() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "sample_auditor", PROJECT / "examples/auditor/auditor.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["sample_auditor"] = module
    spec.loader.exec_module(module)
    return module


EXAMPLE = the_example()
LEAVES = [tree.leaf_hash(bytes([n])) for n in range(40)]


def of_size(size: int) -> object:
    return EXAMPLE.Checkpoint("example.com/log", size, naive_root(LEAVES[:size]))


def flipped(proof: list[bytes], at: int) -> list[bytes]:
    return [*proof[:at], sha256(proof[at]).digest(), *proof[at + 1 :]]


def subtrees(height: int, number: int) -> bytes:
    return naive_root(LEAVES[number << height : (number + 1) << height])


def test_what_was_proved_is_believed_and_nothing_else() -> None:
    for new in range(1, len(LEAVES) + 1):
        for old in range(1, new + 1):
            proof = tree.consistency_proof(old, new, subtrees)
            assert EXAMPLE.begins_with(proof, of_size(old), of_size(new)), (old, new)
            for at in range(len(proof)):
                wrong = flipped(proof, at)
                assert not EXAMPLE.begins_with(wrong, of_size(old), of_size(new)), (old, new, at)
            assert not EXAMPLE.begins_with(proof[:-1], of_size(old), of_size(new)) or not proof
        for index in range(new):
            proof = tree.inclusion_proof(index, new, subtrees)
            assert EXAMPLE.leads_to(proof, index, LEAVES[index], of_size(new)), (index, new)
            other = LEAVES[(index + 1) % len(LEAVES)]
            assert not EXAMPLE.leads_to(proof, index, other, of_size(new))
            for at in range(len(proof)):
                assert not EXAMPLE.leads_to(
                    flipped(proof, at), index, LEAVES[index], of_size(new)
                ), (index, new, at)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = EXAMPLE.main(arguments)
    told = capsys.readouterr()
    return code, told.out + told.err


@dataclass
class Gate:
    """A service, each start of which has a key of its own."""

    folder: Path
    variables: pytest.MonkeyPatch

    @contextmanager
    def open(self) -> Iterator[str]:
        with serving(self.folder) as service:
            self.variables.setenv("KEY", service.announced["key"])
            yield service.announced["address"]
            assert service.stop() == 0  # What has grown is signed by then.


FOLLOWING = ("consent", "--keys", "keys.txt", "--kept", "notes")


@pytest.mark.slow
def test_it_follows_a_log_and_sees_that_it_was_put_back(
    asked: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = Gate(asked / "data", monkeypatch)
    with gate.open() as address:
        opt_out(address, "+12125550101")
        code, keys = run(capsys, "keys", address)
        assert code == 0
        (asked / "keys.txt").write_text(keys)
    shutil.copyfile(gate.folder / "cleartosend.sqlite3", asked / "old")
    with gate.open() as address:
        code, told = run(capsys, "follow", address, *FOLLOWING)
        assert (code, told.partition(";")[0]) == (0, "consent: 1 entries, the first that you keep")
        receipt = opt_out(address, "+12125550102")
    with gate.open() as address:
        code, told = run(capsys, "follow", address, *FOLLOWING)
        assert (code, "its first 1 are those that you knew" in told) == (0, True), told
        assert run(capsys, "follow", address, *FOLLOWING)[1].startswith("consent: nothing new")
        verify_a_receipt(address, receipt, capsys)
    shutil.copyfile(asked / "old", gate.folder / "cleartosend.sqlite3")
    assert command("ledger", "fork", "--reason", "restored", "--data", gate.folder).code == 0
    with gate.open() as address:
        code, told = run(capsys, "follow", address, *FOLLOWING)
        assert code == 1, "an origin that the keys do not name"
        assert "no key that you hold signed this" in told
        (asked / "keys.txt").write_text(run(capsys, "keys", address)[1] + keys)
        code, told = run(capsys, "follow", address, *FOLLOWING)
        assert (code, "it was forked" in told) == (1, True), told
        monkeypatch.setenv("KEY", "cts_none")
        assert run(capsys, "follow", address, *FOLLOWING)[0] == 3


def verify_a_receipt(
    address: str, receipt: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    path = f"/v1/logs/consent/proofs/inclusion?index={receipt['index']}"
    proof = json.loads(EXAMPLE.asking(address, os.environ["KEY"])(path))
    Path("receipt.txt").write_text(proof["receipt"])
    of_entry = ("receipt", "receipt.txt", "--keys", "keys.txt", "--leaf-hash")
    assert run(capsys, *of_entry, receipt["leaf_hash"])[0] == 0
    assert run(capsys, *of_entry, "00" * 32)[0] == 1
    Path("receipt.txt").write_text("no receipt")
    assert run(capsys, *of_entry, receipt["leaf_hash"])[0] == 3


def opt_out(address: str, person: str) -> dict[str, str]:
    answer = httpx.post(
        f"{address}/v1/opt-outs",
        json={"address": person, "via": "link"},
        headers={"Authorization": f"Bearer {os.environ['KEY']}"},
    )
    assert answer.status_code == 201, answer.text
    receipt: dict[str, str] = answer.json()
    return receipt
