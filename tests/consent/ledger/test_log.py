"""Appending, on both databases."""

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine

from consent.ledger import entries, log, tables, tiles, tree
from consent.ledger.errors import HeadMovedError, LeafTooLargeError, UnknownLogError
from consent.ledger.leaf import Log, decode_leaf
from tests.support import databases
from tests.support.ledgers import NOW, a_payload, a_subject, an_entry, an_organisation


def append(
    connection: Connection, organisation: str, batch: Sequence[log.SealedEntry]
) -> list[log.Receipt]:
    return log.append_many(connection, organisation, Log.CONSENT, batch, recorded_at=NOW)


def root_in(connection: Connection, organisation: str, of: Log = Log.CONSENT) -> bytes:
    """The root by the head's edge."""
    row = connection.execute(
        sa.select(tables.log_head.c.size, tables.log_head.c.edge).where(
            tables.log_head.c.organisation == organisation, tables.log_head.c.log == of.value
        )
    ).one()
    return tiles.Edge.of(row.size, row.edge).root()


def recomputed_root(stored: Sequence[entries.Entry]) -> bytes:
    """The root by hashing again the leaves that were read back."""
    edge, _ = tiles.extend(tiles.EMPTY_EDGE, [tree.leaf_hash(entry.leaf) for entry in stored])
    return edge.root()


def test_entries_are_read_back_as_their_receipts_say(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        given = [an_entry(payload=a_payload()) for _ in range(3)]
        receipts = append(connection, organisation, given)
    with engine.connect() as connection:
        stored = entries.read_entries(connection, organisation, Log.CONSENT, 0, 10)
        payloads = entries.read_payloads(
            connection, organisation, [entry.event_id for entry in given]
        )
    assert [entry.receipt for entry in stored] == receipts
    assert [entry.index for entry in stored] == [0, 1, 2]
    for entry, sealed in zip(stored, given, strict=True):
        leaf = decode_leaf(entry.leaf)
        assert entry.leaf_hash == hashlib.sha256(b"\x00" + entry.leaf).digest()
        assert (leaf.type, leaf.channel, leaf.purpose) == ("grant", "sms", "marketing")
        assert (leaf.occurred_at, leaf.recorded_at) == (NOW, NOW)
        assert (leaf.organisation, leaf.log) == (organisation, "consent")
        assert leaf.event_id == sealed.event_id.hex()
        assert sealed.payload is not None
        assert leaf.commit == sealed.payload.commit.hex()
        assert payloads[sealed.event_id].ciphertext == sealed.payload.ciphertext


@settings(
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.lists(st.integers(0, 300), min_size=1, max_size=5))
def test_indexes_are_contiguous_and_the_edge_is_the_tree(engine: Engine, sizes: list[int]) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        receipts = [
            receipt
            for size in sizes
            for receipt in append(connection, organisation, [an_entry() for _ in range(size)])
        ]
        stored = entries.read_entries(connection, organisation, Log.CONSENT, 0, 10_000)
        assert [receipt.index for receipt in receipts] == list(range(sum(sizes)))
        assert [entry.receipt for entry in stored] == receipts
        assert log.head(connection, organisation, Log.CONSENT).size == sum(sizes)
        assert root_in(connection, organisation) == recomputed_root(stored)


def test_one_batch_gives_the_tree_that_single_appends_give(engine: Engine) -> None:
    with engine.begin() as connection:
        subjects: list[bytes | None] = [None]
        organisation = an_organisation(connection)
        subjects += [a_subject(connection, organisation) for _ in range(2)]
        batch = [an_entry(subject=subjects[i % 3], payload=a_payload()) for i in range(300)]
        with connection.begin_nested() as single:
            for entry in batch:
                append(connection, organisation, [entry])
            one_by_one = entries.read_entries(connection, organisation, Log.CONSENT, 0, 300)
            root = root_in(connection, organisation)
            single.rollback()
        append(connection, organisation, batch)
        assert entries.read_entries(connection, organisation, Log.CONSENT, 0, 300) == one_by_one
        assert root_in(connection, organisation) == root


def test_full_tiles_are_stored_once_and_hold_the_leaf_hashes(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        for size in (200, 55, 1, 300):
            append(connection, organisation, [an_entry() for _ in range(size)])
        stored = entries.read_entries(connection, organisation, Log.CONSENT, 0, 1000)
        rows = connection.execute(
            sa.select(tables.log_tile.c.level, tables.log_tile.c.n, tables.log_tile.c.hashes)
            .where(tables.log_tile.c.organisation == organisation)
            .order_by(tables.log_tile.c.n)
        ).all()
    hashes = [entry.leaf_hash for entry in stored]
    assert [tuple(row) for row in rows] == [
        (0, 0, b"".join(hashes[:256])),
        (0, 1, b"".join(hashes[256:512])),
    ]


def test_a_subjects_entries_are_a_chain(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        ana, ben = a_subject(connection, organisation), a_subject(connection, organisation)
        for batch in ([ana, ben, ana], [None, ana], [ben]):
            append(connection, organisation, [an_entry(subject=subject) for subject in batch])
        for subject, indexes in ((ana, [0, 2, 4]), (ben, [1, 5])):
            trail = entries.read_subject(connection, organisation, Log.CONSENT, subject)
            leaves = [decode_leaf(entry.leaf) for entry in trail]
            hashes = [entry.leaf_hash.hex() for entry in trail]
            assert [entry.index for entry in trail] == indexes
            assert [leaf.subject_seq for leaf in leaves] == list(range(1, len(trail) + 1))
            assert [leaf.prev for leaf in leaves] == [None, *hashes[:-1]]
            row = connection.execute(
                sa.select(tables.subject.c.head_seq, tables.subject.c.head_leaf_hash).where(
                    tables.subject.c.id == subject
                )
            ).one()
            assert (row.head_seq, row.head_leaf_hash.hex()) == (len(trail), hashes[-1])


def test_each_log_has_a_chain_of_its_own(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        subject = a_subject(connection, organisation)
        append(connection, organisation, [an_entry(subject=subject)])
        for _ in range(2):
            batch = [an_entry(subject=subject), an_entry(subject=subject)]
            log.append_many(connection, organisation, Log.DECISIONS, batch, recorded_at=NOW)
        trail = entries.read_subject(connection, organisation, Log.DECISIONS, subject)
        assert [entry.subject_seq for entry in trail] == [1, 2, 3, 4]
        leaves = [decode_leaf(entry.leaf) for entry in trail]
        hashes = [entry.leaf_hash.hex() for entry in trail]
        assert [leaf.prev for leaf in leaves] == [None, *hashes[:-1]]
        consent = entries.read_subject(connection, organisation, Log.CONSENT, subject)
        assert [entry.subject_seq for entry in consent] == [1]


def test_organisations_do_not_meet(engine: Engine) -> None:
    with engine.begin() as connection:
        ours, theirs = an_organisation(connection), an_organisation(connection)
        (receipt,) = append(connection, theirs, [an_entry(payload=a_payload())])
        assert entries.read_entries(connection, ours, Log.CONSENT, 0, 10) == []
        assert entries.find_entries(connection, ours, [receipt.event_id]) == {}
        assert entries.read_payloads(connection, ours, [receipt.event_id]) == {}
        assert log.head(connection, ours, Log.CONSENT).size == 0
        assert receipt.event_id in entries.find_entries(connection, theirs, [receipt.event_id])


def test_an_id_that_is_on_record_is_refused_and_changes_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        (receipt,) = append(connection, organisation, [an_entry()])
        with pytest.raises(sa.exc.IntegrityError), connection.begin_nested():
            append(connection, organisation, [an_entry(), an_entry(event_id=receipt.event_id)])
        (after,) = append(connection, organisation, [an_entry()])
        assert after.index == 1


def test_what_a_savepoint_takes_back_leaves_no_trace(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        subject = a_subject(connection, organisation)
        append(connection, organisation, [an_entry(subject=subject)])
        root = root_in(connection, organisation)
        with connection.begin_nested() as attempt:
            append(connection, organisation, [an_entry(subject=subject) for _ in range(300)])
            attempt.rollback()
        assert root_in(connection, organisation) == root
        assert log.head(connection, organisation, Log.CONSENT).size == 1
        (receipt,) = append(connection, organisation, [an_entry(subject=subject)])
        assert receipt.index == 1
        trail = entries.read_subject(connection, organisation, Log.CONSENT, subject)
        assert [entry.subject_seq for entry in trail] == [1, 2]


def test_an_empty_batch_is_nothing(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        assert append(connection, organisation, []) == []


def test_a_log_that_was_never_opened_is_named(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        heads = log.lock_heads(connection, [organisation], [Log.CONSENT])
        assert heads[organisation, Log.CONSENT].size == 0
        with pytest.raises(UnknownLogError):
            log.lock_heads(connection, [organisation, "org_of_nobody"], [Log.CONSENT])
        with pytest.raises(UnknownLogError):
            append(connection, "org_of_nobody", [an_entry()])
        with pytest.raises(UnknownLogError):
            log.head(connection, "org_of_nobody", Log.CONSENT)


def test_each_log_says_its_origin(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        heads = log.lock_heads(connection, [organisation], list(Log))
    origin = f"ledger.example/{organisation}"
    assert {head.origin for head in heads.values()} == {f"{origin}/{of}" for of in Log}


def test_heads_are_locked_in_the_fixed_order(engine: Engine) -> None:
    with engine.begin() as connection:
        organisations = sorted(an_organisation(connection) for _ in range(2))
        heads = log.lock_heads(connection, organisations[::-1], log.LOCK_ORDER[::-1])
    assert list(heads) == [(one, of) for of in log.LOCK_ORDER for one in organisations]


def test_a_subject_without_a_row_is_our_mistake(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        with pytest.raises(AssertionError):
            append(connection, organisation, [an_entry(subject=b"\x00" * 16)])


def test_text_that_is_too_long_for_a_leaf_is_refused(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        with pytest.raises(LeafTooLargeError):
            append(connection, organisation, [an_entry(statement={"note": "x" * 1024})])
        append(connection, organisation, [an_entry(statement={"root": "ab" * 32, "count": 7})])
        (entry,) = entries.read_entries(connection, organisation, Log.CONSENT, 0, 9)
        assert decode_leaf(entry.leaf).statement == {"root": "ab" * 32, "count": 7}


def test_only_what_lies_under_a_persons_key_is_filed_under_that_person(engine: Engine) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        subject = a_subject(connection, organisation)
        own = an_entry(subject=subject, payload=a_payload())
        ours = an_entry(subject=subject, payload=a_payload(key_kind="suppression_payload"))
        append(connection, organisation, [own, ours])
        found = entries.read_payloads(connection, organisation, [own.event_id, ours.event_id])
        assert found[own.event_id].subject == subject
        assert found[ours.event_id].subject is None


def test_an_occurrence_long_ago_in_another_zone_is_kept_in_utc(engine: Engine) -> None:
    occurred_at = (NOW - timedelta(days=2000)).astimezone()
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        append(connection, organisation, [an_entry(occurred_at=occurred_at)])
        (entry,) = entries.read_entries(connection, organisation, Log.CONSENT, 0, 1)
    leaf = decode_leaf(entry.leaf)
    assert leaf.occurred_at == occurred_at
    assert b"+00:00" not in entry.leaf


@pytest.mark.parametrize("size", [1, 256])
def test_a_batch_takes_a_constant_number_of_statements(engine: Engine, size: int) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)
        subjects = [a_subject(connection, organisation) for _ in range(size)]
        batch = [an_entry(subject=subject, payload=a_payload()) for subject in subjects]
        executed: list[str] = []
        sa.event.listen(
            connection, "before_cursor_execute", lambda *args: executed.append(str(args[2]))
        )
        append(connection, organisation, batch)
    tile = 1 if size == 256 else 0
    assert len(executed) == 6 + tile, executed


@pytest.mark.parametrize("moved", [{"epoch": 7}, {"size": 7}], ids=["epoch", "size"])
def test_a_head_that_moved_under_our_lock_takes_nothing(
    engine: Engine, moved: dict[str, int]
) -> None:
    with engine.begin() as connection:
        organisation = an_organisation(connection)

        @sa.event.listens_for(connection, "before_cursor_execute")
        def _move_first(_connection: object, cursor: Any, statement: str, *_rest: object) -> None:
            if statement.startswith("UPDATE log_head"):
                ((column, value),) = moved.items()
                cursor.execute(f"UPDATE log_head SET {column} = {value}")

        with pytest.raises(HeadMovedError), connection.begin_nested():
            append(connection, organisation, [an_entry()])
        assert entries.read_entries(connection, organisation, Log.CONSENT, 0, 9) == []


def test_batches_of_two_processes_queue_at_the_head(engine: Engine) -> None:
    """PostgreSQL waits at the row, SQLite at BEGIN IMMEDIATE; here neither waits for long."""
    with engine.begin() as connection:
        organisation = an_organisation(connection)
    url = engine.url.render_as_string(hide_password=False)
    impatient = databases.open_engine(url, patient=False)
    with engine.begin() as first:
        append(first, organisation, [an_entry()])
        for wait in (
            lambda second: append(second, organisation, [an_entry()]),
            lambda second: log.lock_heads(second, [organisation], [Log.CONSENT]),
        ):
            with pytest.raises(sa.exc.OperationalError) as refused, impatient.begin() as second:
                wait(second)
            # Without the row lock the two would only meet later, at the unique index.
            assert engine.dialect.name == "sqlite" or "FOR UPDATE" in str(refused.value.statement)
    with impatient.begin() as second:
        (receipt,) = append(second, organisation, [an_entry()])
    impatient.dispose()
    assert receipt.index == 1
