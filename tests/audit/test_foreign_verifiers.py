"""The same bundle and checkpoints, verified by code that is not ours."""

import base64
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from subprocess import CompletedProcess, run

import pymerkle
import pytest
from pymerkle.core import _inclusion_path_layout

from audit import verify
from audit.exports.parts import Trail, WholeLog
from consent.ledger.leaf import Log
from consent.ledger.proofs import LogTree
from tests.support import databases
from tests.support.bundles import Ledger, a_ledger, members_of
from tests.support.consents import a_key_ring

GO_SOURCES = Path("/usr/share/gocode")
PROGRAM = Path(__file__).parent / "go" / "verify.go"

needs_go = pytest.mark.skipif(
    shutil.which("go") is None or not (GO_SOURCES / "src/golang.org/x/mod/sumdb").is_dir(),
    reason="Go and its sumdb packages: apt-get install golang-go golang-golang-x-mod-dev",
)


@pytest.fixture(scope="module")
def ledger(
    migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ledger]:
    """A log of 800 entries, so that it has tiles above the lowest."""
    folder = tmp_path_factory.mktemp("ledger")
    shutil.copyfile(migrated_sqlite_file, folder / "ledger.sqlite")
    engine = databases.open_engine(f"sqlite:///{folder / 'ledger.sqlite'}")
    with a_ledger(engine, a_key_ring(folder / "keys"), events=400) as made:
        yield made
    engine.dispose()


@pytest.fixture(scope="module")
def unpacked(ledger: Ledger, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The log's folder of its bundle."""
    folder = tmp_path_factory.mktemp("unpacked")
    bundle = folder / "bundle.zip"
    bundle.write_bytes(ledger.bundle(WholeLog(Log.CONSENT)))
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    return folder / "logs" / "consent"


def with_go(folder: Path, public: str, work: Path) -> CompletedProcess[str]:
    """Run the Go program, offline, with the packages that the system installed."""
    environment = {
        "PATH": os.environ["PATH"],
        "GO111MODULE": "off",
        "GOPATH": str(GO_SOURCES),
        "GOCACHE": str(work / "cache"),
        "GOTMPDIR": str(work),
        "HOME": str(work),
    }
    command = ["go", "run", str(PROGRAM), str(folder), public]
    return run(command, env=environment, capture_output=True, text=True, check=False, timeout=300)


@pytest.mark.slow
@needs_go
def test_go_verifies_notes_tiles_every_entry_and_every_older_checkpoint(
    ledger: Ledger, unpacked: Path, tmp_path: Path
) -> None:
    done = with_go(unpacked, ledger.keys(), tmp_path)
    assert (done.stdout.split(), done.stderr) == (["800", "2"], "")
    tile = unpacked / "tile" / "0" / "001"
    genuine = tile.read_bytes()
    tile.write_bytes(bytes([genuine[0] ^ 1]) + genuine[1:])
    try:
        damaged = with_go(unpacked, ledger.keys(), tmp_path)
    finally:
        tile.write_bytes(genuine)
    assert damaged.returncode == 1
    assert damaged.stdout == ""


def leaves_in(folder: Path) -> list[bytes]:
    found = []
    for path in sorted((folder / "tile" / "entries").rglob("*")):
        raw = path.read_bytes() if path.is_file() else b""
        while raw:
            end = 2 + int.from_bytes(raw[:2], "big")
            found.append(raw[2:end])
            raw = raw[end:]
    return found


def signed_roots(folder: Path) -> dict[int, bytes]:
    notes = [folder / "checkpoint", *(folder / "checkpoints").iterdir()]
    lines = [path.read_text(encoding="utf-8").split("\n") for path in notes]
    return {int(size): base64.b64decode(root) for _, size, root, *_ in lines}


def test_pymerkle_finds_the_signed_roots_and_their_consistency(unpacked: Path) -> None:
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for leaf in leaves_in(unpacked):
        tree.append_entry(leaf)
    roots = signed_roots(unpacked)
    assert sorted(roots) == [266, 532, 800]
    for size, root in roots.items():
        assert tree.get_root(size) == root
        proof = tree.prove_consistency(size, 800)
        pymerkle.verify_consistency(root, roots[800], proof)


def test_pymerkle_accepts_our_inclusion_proofs(ledger: Ledger, unpacked: Path) -> None:
    one = ledger.recorder
    stored = LogTree(one.connection, one.organisation, Log.CONSENT)
    root = signed_roots(unpacked)[800]
    for index in (0, 1, 255, 256, 511, 532, 798, 799):
        leaf = stored.leaf_hash(index)
        rule, _ = _inclusion_path_layout(index + 1, 800)
        path = [leaf, *stored.inclusion_proof(index, 800)]
        proof = pymerkle.InclusionProof("sha256", True, 800, index + 1, rule, path)
        pymerkle.verify_inclusion(leaf, root, proof)
        with pytest.raises(pymerkle.InvalidProof):
            pymerkle.verify_inclusion(leaf, sha256(root).digest(), proof)
        assert verify.root_by(path[1:], leaf, index, 800) == root


def test_pymerkle_accepts_the_proof_of_a_trails_end(ledger: Ledger) -> None:
    trail = ledger.trail(ledger.ann)
    assert isinstance(trail, Trail)
    assert trail.index is not None
    one = ledger.recorder
    stored = LogTree(one.connection, one.organisation, Log.CONSENT)
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for subject in sorted([ledger.ann, ledger.bob]):
        last = stored.leaf_hash(798 if subject == ledger.ann else 799).hex()
        said = f'{{"head_leaf_hash":"{last}","head_seq":400,"subject":"{subject.hex()}"}}'
        tree.append_entry(said.encode())
    assert tree.get_root() == trail.index.root
    position = sorted([ledger.ann, ledger.bob]).index(ledger.ann)
    (row,) = members_of(ledger.bundle(trail))["logs/consent/heads.jsonl"].splitlines()
    path = [tree.get_leaf(position + 1), *map(bytes.fromhex, json.loads(row)["proof"])]
    rule, _ = _inclusion_path_layout(position + 1, 2)
    proof = pymerkle.InclusionProof("sha256", True, 2, position + 1, rule, path)
    pymerkle.verify_inclusion(path[0], trail.index.root, proof)


CT_LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"]
CT_LEAVES.append("606162636465666768696a6b6c6d6e6f")
CT_ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", CT_ROOTS)
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    hashes = [sha256(b"\0" + bytes.fromhex(leaf)).digest() for leaf in CT_LEAVES[:size]]
    root, count = verify.root_of(hashes)
    assert (root.hex(), count) == (CT_ROOTS[size], size)


SIGNED_NOTE = """\
If you think cryptography is the answer to your problem,
then you don't know what your problem is.

\u2014 PeterNeumann \
x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=
"""
SIGNER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"


def test_a_note_of_the_formats_own_authors_opens() -> None:
    found = verify.Findings()
    key = verify.PublicKey.parse(SIGNER)
    opened = verify.open_note(SIGNED_NOTE.encode(), [key], found, file="note")
    assert opened is not None
    assert opened[1] == {"PeterNeumann"}
    changed = SIGNED_NOTE.replace("answer", "Answer").encode()
    assert verify.open_note(changed, [key], found, file="note") is None
    assert [one.kind for one in found.named] == ["wrong_signature"]
