"""The vault's history is held against the logs, and each line that does not fit is named."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy import Engine

from consent.fsck.damage import Kind
from consent.fsck.vault_history import inspect_history
from consent.ledger import checkpoints
from consent.ledger.checkpoints import Checkpoint, GrownLog, Rereader, SignedCheckpoint
from consent.ledger.errors import VaultError
from consent.ledger.identifiers import new_organisation_id
from consent.ledger.leaf import Log
from consent.ledger.log import append_many, create_logs
from consent.ledger.rollback import origin_of
from consent.ledger.vault import Vault
from tests.support.ledgers import NOW, an_entry

KEY = Ed25519PrivateKey.generate()
LEDGER = "l" * 32


@dataclass
class Signed:
    """A log that grew to these sizes and was signed at each, in the vault as in the database."""

    engine: Engine
    vault: Vault
    organisation: str
    put: list[SignedCheckpoint]

    @property
    def path(self) -> Path:
        (path,) = self.vault.root.glob("history-*")
        return path

    def head(self) -> GrownLog:
        with self.engine.connect() as connection:
            heads = checkpoints.read_heads(connection, [self.organisation])
            return next(head for head in heads if head.log is Log.CONSENT)

    def add(self, checkpoint: Checkpoint, *, key: Ed25519PrivateKey = KEY, **told: object) -> None:
        """Write a line that the service would not."""
        note = checkpoints.sign(checkpoint, [key])
        said = {"organisation": self.organisation, "log": Log.CONSENT, "size": checkpoint.size}
        signed = SignedCheckpoint(**{**said, "note": note, "signed_at": NOW, **told})  # type: ignore[arg-type]
        self.vault.put_many([signed], fork=True)

    def keys(self, organisation: str, log: Log) -> list[Ed25519PublicKey]:
        known = (self.organisation, Log.CONSENT)
        return [KEY.public_key()] if (organisation, log) == known else []

    def named(self) -> list[str]:
        with self.engine.connect() as connection:
            found = inspect_history(connection, self.vault, [self.head()], log_keys=self.keys)
            damages = list(found)
        assert {one.kind for one in damages} <= {Kind.VAULT}
        return [one.detail for one in damages]


@pytest.fixture
def signed(engine: Engine, tmp_path: Path) -> Signed:
    organisation = new_organisation_id()
    made = Signed(engine, Vault.create(tmp_path / "vault", LEDGER), organisation, [])
    with engine.begin() as connection:
        create_logs(connection, organisation, origin=origin_of(LEDGER, organisation))
        for size, grown in enumerate((1, 299, 300), start=1):
            entries = [an_entry() for _ in range(grown)]
            append_many(connection, organisation, Log.CONSENT, entries, recorded_at=NOW)
            (head,) = [
                head
                for head in checkpoints.read_heads(connection, [organisation])
                if head.log is Log.CONSENT
            ]
            checkpoint = Rereader().advance(connection, head, signed=None)
            note = checkpoints.sign(checkpoint, [KEY])
            at = NOW + timedelta(seconds=size)
            one = SignedCheckpoint(organisation, Log.CONSENT, head.size, note, at)
            made.put += made.vault.put_many([one])
        # The middle one reached the vault only, as before a crash.
        checkpoints.keep_many(connection, [made.put[0], made.put[2]])
    return made


def root_of(signed: Signed, which: int) -> bytes:
    return checkpoints.read_unverified(signed.put[which].note).root


def test_a_whole_history_fits(signed: Signed) -> None:
    assert [one.size for one in signed.vault.history()] == [1, 300, 600]
    assert signed.named() == []


def test_a_line_that_a_crash_cut_is_no_damage(signed: Signed) -> None:
    lines = signed.path.read_bytes().splitlines(keepends=True)
    for kept in (1, 17, 18, 60, len(lines[1]) - 3):
        signed.path.write_bytes(lines[0] + lines[1][:kept] + b"\n" + lines[1] + lines[2])
        assert signed.named() == [], kept


@pytest.mark.parametrize("which", [0, 1, 2])
def test_every_flipped_byte_of_a_line_is_named(signed: Signed, which: int) -> None:
    lines = signed.path.read_bytes().splitlines(keepends=True)
    place = len(b"".join(lines[:which]))
    whole = bytearray(signed.path.read_bytes())
    unnoticed = []
    # Of the time, which nothing signs, one line says as much as the other.
    end = lines[which].index(b',"signed_at"') + 14
    for at in (
        *range(place, place + end, 3),
        *range(place + len(lines[which]) - 3, place + len(lines[which])),
    ):
        flipped = bytearray(whole)
        flipped[at] ^= 4
        signed.path.write_bytes(flipped)
        if not any(f":{which + 1} of the vault" in detail for detail in signed.named()):
            unnoticed.append(bytes(whole[at : at + 1]))
    assert unnoticed == []


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (lambda s: s.add(Checkpoint(s.head().origin, 300, bytes(32))), "another root at size 300"),
        (
            lambda s: s.add(Checkpoint(s.head().origin, 601, bytes(32))),
            "a checkpoint of size 601, and the log has 600 entries",
        ),
        (
            lambda s: s.add(
                Checkpoint(s.head().origin, 300, root_of(s, 1)), key=Ed25519PrivateKey.generate()
            ),
            "not signed by this ledger",
        ),
        (
            lambda s: s.add(Checkpoint(s.head().origin, 300, root_of(s, 1)), size=299),
            "says another log or size",
        ),
        (
            lambda s: s.add(Checkpoint("cleartosend/other/org_a/consent", 300, root_of(s, 1))),
            "says another log or size",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_line(
    signed: Signed, wrong: Callable[[Signed], None], why: str
) -> None:
    wrong(signed)
    (named,) = signed.named()
    assert named.startswith(f"{signed.path.name}:4 of the vault")
    assert why in named


def test_what_was_signed_before_a_fork_may_be_lost(signed: Signed) -> None:
    origin = signed.head().origin
    signed.add(Checkpoint(f"{origin}/fork-20261121T000000000000Z", 9_000, bytes(32)))
    assert signed.named() == []


def test_months_that_were_moved_away_are_not_missed(signed: Signed) -> None:
    signed.path.unlink()
    assert signed.named() == []


def test_a_history_that_is_open_to_others_is_not_read(signed: Signed) -> None:
    signed.path.chmod(0o644)
    with pytest.raises(VaultError, match="is open to other users"):
        signed.named()
