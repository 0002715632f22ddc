"""Builders for bundles: a ledger of two persons signed on three days, and what is cut from it."""

import io
import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit import verify
from audit.exports.bundle import write_bundle
from audit.exports.container import Container
from audit.exports.parts import LogRange, Part, Trail, WholeLog
from consent.events import RecordedKind
from consent.keys.key_ring import KeyRing
from consent.ledger import checkpoints, subject_index
from consent.ledger.checkpoints import Checkpoint, SignedCheckpoint
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier, sign_note
from consent.ledger.proofs import LogTree
from tests.support import databases
from tests.support.consents import ANN, BOB, DAY, NOW, Recorder, a_key_ring, an_event, recorder

Members = dict[str, bytes]


@dataclass(frozen=True)
class Ledger:
    """An organisation whose consent log holds entries of Ann, Bob and strangers to them."""

    recorder: Recorder
    ann: bytes
    bob: bytes

    def bundle(
        self,
        *parts: Part,
        extras: Sequence[tuple[str, list[bytes]]] = (),
        asked: Mapping[str, object] | None = None,
    ) -> bytes:
        """Write a bundle of these parts; ``asked``: what its manifest says was asked for."""
        sink = io.BytesIO()
        one = self.recorder
        write_bundle(
            one.connection,
            one.organisation,
            parts,
            sink,
            keys=one.keys,
            asked=asked,
            extras=extras,
        )
        return sink.getvalue()

    def trail(self, *subjects: bytes) -> Trail:
        """State the index, sign it, and give the trail that it proves."""
        one = self.recorder
        index = subject_index.compute(one.connection, one.organisation, wanted=subjects)
        receipt = subject_index.append(one.connection, one.organisation, index, recorded_at=one.now)
        sign(one, Log.CONSENT, at=one.now)
        return Trail(Log.CONSENT, subjects, index, receipt.index)

    def keys(self, log: Log = Log.CONSENT) -> str:
        """The public key of a log, as an operator publishes it."""
        one = self.recorder
        tree = LogTree(one.connection, one.organisation, log)
        key = one.keys.log_key(one.organisation, log).public_key()
        return str(Verifier(tree.origin, key))


@contextmanager
def a_ledger(engine: sa.Engine, keys: KeyRing, *, events: int = 8) -> Iterator[Ledger]:
    """A consent log of ``events`` entries of Ann and as many of Bob, signed at three sizes."""
    with recorder(engine, keys) as one:
        people: list[bytes] = []
        for day in (3, 2, 1):
            early = one.at(NOW - day * DAY)
            for number in range(events // 3 if day > 1 else events - 2 * (events // 3)):
                kind = RecordedKind.REVOKE if number % 3 == 2 else RecordedKind.GRANT
                given = {"at": early.now - DAY, "text": f"event {number} of day {day}"}
                people = [
                    early.record_one(whom, an_event(kind, **given)).subject for whom in (ANN, BOB)
                ]
            sign(early, Log.CONSENT, at=early.now)
        yield Ledger(one, *people)


def sign(one: Recorder, log: Log, *, at: datetime) -> None:
    """Sign a log as it now stands."""
    tree = LogTree(one.connection, one.organisation, log)
    checkpoint = Checkpoint(tree.origin, tree.size, tree.root_at(tree.size))
    note = checkpoints.sign(checkpoint, [one.keys.log_key(one.organisation, log)])
    signed = SignedCheckpoint(one.organisation, log, tree.size, note, at)
    checkpoints.keep_many(one.connection, [signed])


def members_of(bundle: bytes) -> Members:
    """Unpack a bundle."""
    with zipfile.ZipFile(io.BytesIO(bundle)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(members: Members) -> bytes:
    """Pack a bundle again, as somebody would who knows how it is made: its digest fits."""
    sink = io.BytesIO()
    with Container(sink) as container:
        for name, content in members.items():
            container.add(name, [content], is_random="/tile/" in name)
    return sink.getvalue()


def altered(bundle: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """The same bundle with one file changed."""
    members = members_of(bundle)
    changed = change(members[name])
    assert changed != members[name], "a change that changes nothing proves nothing"
    return packed({**members, name: changed})


def verified(bundle: bytes, folder: Path, *keys: str) -> dict[str, Any]:
    """What the stand-alone file says of a bundle."""
    path = folder / "bundle.zip"
    path.write_bytes(bundle)
    given = [verify.PublicKey.parse(key) for key in keys]
    summary = verify.summary_of(path, verify.verify(path, given))
    assert json.loads(json.dumps(summary)) == summary, "it is a record for programs"
    return summary


def damage(bundle: bytes, folder: Path, *keys: str) -> list[tuple[str, str | None, int | None]]:
    """Each damage that is named: its kind, log and index."""
    summary = verified(bundle, folder, *keys)
    return [(one["kind"], one.get("log"), one.get("index")) for one in summary["damage"]]


@dataclass(frozen=True)
class Bundles:
    """Genuine ones of the same ledger, and what their keys are."""

    whole: bytes
    part: bytes
    trail: bytes
    large: bytes
    public: str
    secret: Ed25519PrivateKey


@contextmanager
def bundles_of(migrated: Path, folder: Path, *, events: int) -> Iterator[Bundles]:
    """Bundles of a ledger on SQLite: what verifies them knows of no database."""
    shutil.copyfile(migrated, folder / "ledger.sqlite")
    engine = databases.open_engine(f"sqlite:///{folder / 'ledger.sqlite'}")
    keys = a_key_ring(folder / "keys")
    with a_ledger(engine, keys, events=300) as ledger:
        large = ledger.bundle(WholeLog(Log.CONSENT))
    with a_ledger(engine, keys, events=events) as ledger:
        trail = ledger.trail(ledger.ann)
        one = ledger.recorder
        yield Bundles(
            whole=ledger.bundle(WholeLog(Log.CONSENT)),
            part=ledger.bundle(LogRange(Log.CONSENT, 3, min(11, 2 * events))),
            trail=ledger.bundle(trail),
            large=large,
            public=ledger.keys(),
            secret=one.keys.log_key(one.organisation, Log.CONSENT),
        )
    engine.dispose()


def signed_anew(bundle: bytes, secret: Ed25519PrivateKey, public: str) -> bytes:
    """Sign the manifest again, for the files as they now are."""
    members = members_of(bundle)
    text = members["manifest"].decode().split("\n\n")[0]
    format_, said = text.split("\n")
    manifest = json.loads(said)
    for name in manifest["files"]:
        manifest["files"][name] = sha256(members[name]).hexdigest()
    said = json.dumps(manifest, separators=(",", ":"), sort_keys=True)
    note = sign_note(f"{format_}\n{said}\n", public.split("+", maxsplit=1)[0], [secret])
    return packed({**members, "manifest": note.encode()})
