"""Checkpoints are signed for what was read back from the rows, and for nothing else."""

import base64

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Connection, Engine

from consent.ledger import checkpoints, tables
from consent.ledger.checkpoints import Checkpoint, GrownLog, Rereader, SignedCheckpoint
from consent.ledger.errors import DamagedLogError, NoteError
from consent.ledger.leaf import Log
from consent.ledger.log import append_many
from tests.support.ledgers import NOW, an_entry, an_organisation
from tests.support.tampering import take_guards_away

KEY = Ed25519PrivateKey.generate()
ROOT = base64.b64decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=")
# The text of the example of c2sp.org/tlog-checkpoint.
EXAMPLE = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"


def test_the_published_checkpoint_is_written_and_read() -> None:
    checkpoint = Checkpoint("example.com/behind-the-sofa", 20852163, ROOT)
    assert checkpoint.text == EXAMPLE
    note = checkpoints.sign(checkpoint, [KEY])
    assert checkpoints.read_unverified(note) == checkpoint
    assert checkpoints.verify(note, checkpoint.origin, [KEY.public_key()]) == checkpoint


def test_a_checkpoint_of_another_origin_or_key_is_refused() -> None:
    note = checkpoints.sign(Checkpoint("example.com/a", 1, ROOT), [KEY])
    for origin, key in (("example.com/b", KEY), ("example.com/a", Ed25519PrivateKey.generate())):
        with pytest.raises(NoteError):
            checkpoints.verify(note, origin, [key.public_key()])


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n",
        "a\n01\nAAAA\n",
        "a\n-1\nAAAA\n",
        "\n1\nAAAA\n",
        EXAMPLE[:-5] + "\n",
        "a\nx\nAAAA\n",
    ],
)
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    with pytest.raises(NoteError):
        checkpoints.read_unverified(f"{text}\n— a AAAAAAA=\n")


def grow(connection: Connection, organisation: str, count: int) -> GrownLog:
    entries = [an_entry() for _ in range(count)]
    append_many(connection, organisation, Log.CONSENT, entries, recorded_at=NOW)
    (head,) = [
        head
        for head in checkpoints.read_heads(connection, [organisation])
        if head.log is Log.CONSENT
    ]
    return head


def test_each_reading_begins_where_the_last_one_ended(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        lasting, signed = Rereader(), None
        for count in (1, 255, 300, 5000):
            head = grow(connection, organisation, count)
            once_more = lasting.advance(connection, head, signed=signed)
            # From the start, and from the tiles at the last checkpoint, it is the same.
            assert Rereader().advance(connection, head, signed=None) == once_more
            assert Rereader().advance(connection, head, signed=signed) == once_more
            signed = once_more
        assert signed is not None
        assert (signed.origin, signed.size) == (head.origin, 5556)


@pytest.mark.parametrize(
    ("table", "change", "why"),
    [
        ("log_entry", {"leaf": b"{}"}, "entry 0 .* is not what was hashed"),
        ("log_entry", {"leaf": b"{}", "leaf_hash": bytes(32)}, "entry 0 .* not what was hashed"),
        ("log_tile", {"hashes": bytes(8192)}, "tile 0 of level 0"),
        ("log_head", {"edge": bytes(45 * 32)}, "head of the log"),
        ("log_entry", None, "are missing"),
    ],
)
def test_what_does_not_fit_is_never_signed(
    engine: Engine, table: str, change: dict[str, object] | None, why: str
) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        grow(connection, organisation, 300)
        take_guards_away(connection)
        rows = tables.METADATA.tables[table]
        act = sa.delete(rows) if change is None else sa.update(rows).values(**change)
        where = rows.c.idx == 0 if table == "log_entry" else rows.c.log == Log.CONSENT.value
        connection.execute(act.where(where))
        (head,) = [h for h in checkpoints.read_heads(connection) if h.log is Log.CONSENT]
        with pytest.raises(DamagedLogError, match=why):
            Rereader().advance(connection, head, signed=None)


def test_a_tree_that_is_not_the_signed_one_is_not_grown(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        head = grow(connection, organisation, 10)
        for size, why in ((5, "another root"), (11, "shorter")):
            signed = Checkpoint(head.origin, size, bytes(32))
            with pytest.raises(DamagedLogError, match=why):
                Rereader().advance(connection, head, signed=signed)


def test_checkpoints_are_found_by_size(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        signed = [
            SignedCheckpoint(organisation, Log.CONSENT, size, f"note {size}", NOW)
            for size in (1, 5, 9)
        ]
        checkpoints.keep_many(connection, signed)
        found = checkpoints.newest(connection, organisation, Log.CONSENT, size_max=8)
        assert found == signed[1]
        assert checkpoints.of_size(connection, organisation, Log.CONSENT, 9) == signed[2]
        assert checkpoints.of_size(connection, organisation, Log.CONSENT, 8) is None
        between = checkpoints.read_range(connection, organisation, Log.CONSENT, above=1, until=9)
        assert between == signed[1:]
        assert checkpoints.newest(connection, organisation, Log.RULES, size_max=99) is None
