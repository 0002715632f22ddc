"""Proofs from the stored tree, for every size it has had; receipts of C2SP."""

from collections.abc import Sequence

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from consent.ledger import checkpoints, tables, tiles, tree
from consent.ledger.checkpoints import Checkpoint
from consent.ledger.entries import read_entries
from consent.ledger.errors import DamagedLogError, NoteError
from consent.ledger.leaf import Log
from consent.ledger.log import append_many
from consent.ledger.proofs import LogTree, Receipt, read_receipt, write_receipt
from tests.support.ledgers import NOW, an_entry, an_organisation
from tests.support.tampering import take_guards_away

SIZES = (1, 2, 255, 256, 257, 511, 512, 600)


def naive_root(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, as its section 2.1 writes it."""
    if len(hashes) <= 1:
        return hashes[0] if hashes else tree.EMPTY_ROOT
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return tree.node_hash(naive_root(hashes[:middle]), naive_root(hashes[middle:]))


def test_every_size_is_proved_from_stored_tiles(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        for count in (100, 156, 344):
            entries = [an_entry() for _ in range(count)]
            append_many(connection, organisation, Log.CONSENT, entries, recorded_at=NOW)
        hashes = [e.leaf_hash for e in read_entries(connection, organisation, Log.CONSENT, 0, 999)]
        stored = LogTree(connection, organisation, Log.CONSENT)
        assert stored.size == len(hashes) == 600
        for size in SIZES:
            root = naive_root(hashes[:size])
            assert stored.root_at(size) == root
            assert stored.edge_at(size).root() == root
            for index in {0, size // 2, size - 1}:
                assert stored.leaf_hash(index) == hashes[index]
                proof = stored.inclusion_proof(index, size)
                assert tree.verify_inclusion(hashes[index], index, size, proof, root)
            for old in SIZES:
                if old <= size:
                    proof = stored.consistency_proof(old, size)
                    old_root = naive_root(hashes[:old])
                    assert tree.verify_consistency(old, size, proof, old_root, root)
        grown, _ = tiles.extend(stored.edge_at(257), hashes[257:])
        assert grown == stored.edge_at(600)


def test_a_missing_or_cut_tile_proves_nothing(engine: Engine) -> None:
    for change in ({"hashes": b"short"}, None):
        with engine.begin() as connection:
            organisation = an_organisation(connection)
            entries = [an_entry() for _ in range(300)]
            append_many(connection, organisation, Log.CONSENT, entries, recorded_at=NOW)
            take_guards_away(connection)
            connection.execute(
                sa.delete(tables.log_tile) if change is None else sa.update(tables.log_tile), change
            )
            with pytest.raises(DamagedLogError, match="tile 0 of level 0"):
                LogTree(connection, organisation, Log.CONSENT).inclusion_proof(3, 257)


def test_a_receipt_is_written_as_the_specification_shows_it() -> None:
    note = checkpoints.sign(
        Checkpoint("example.com/log", 3, bytes(32)), [Ed25519PrivateKey.generate()]
    )
    receipt = Receipt(2, (b"\x01" * 32, b"\x02" * 32), note, b"extra")
    text = write_receipt(receipt)
    lines = text.split("\n")
    assert lines[:3] == ["c2sp.org/tlog-proof@v1", "extra ZXh0cmE=", "index 2"]
    assert lines[5:7] == ["", "example.com/log"]
    assert text.endswith(note)
    assert read_receipt(text) == receipt
    alone = Receipt(0, (), note)
    assert read_receipt(write_receipt(alone)) == alone


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("tlog-proof@v1", "tlog-proof@v2"),
        ("index 2", "index 02"),
        ("index 2", "index -2"),
        ("index 2\n", ""),
        ("\n\n", "\n"),
        ("AQEB", "AQ!B"),
        ("AQEBAQEB", ""),
    ],
)
def test_what_is_no_receipt_is_refused(old: str, new: str) -> None:
    text = write_receipt(Receipt(2, (b"\x01" * 32,), "note\n\n— a AAAAAAA=\n"))
    assert old in text
    with pytest.raises(NoteError):
        read_receipt(text.replace(old, new) if old != "\n\n" else text.replace("\n\n", "\n"))
