"""How long an organisation keeps what it may let go of, and the proof that it let go.

The setting stands in the ``rules`` log, for it is a rule of the organisation's own. What has
outlived it ends by the destruction of its key: the leaves stay and verify, and an entry beside
them says what was destroyed, when, and under which setting.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final

from sqlalchemy import Connection

from consent.ledger import log as ledger_log
from consent.ledger.entries import Entry, find_entries, read_entries
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Leaf, Log, Statement, decode_leaf
from consent.ledger.log import Receipt, SealedEntry, append_many

SETTING: Final = "retention"
EXPIRY: Final = "expiry"
MONTHS_MAX: Final = 1200
_ENTRIES_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionSetting:
    """For how many whole months decisions are kept; None: for good.

    ``index`` is its place in the ``rules`` log, ``since`` when it was recorded; None before any
    was set.
    """

    decision_months: int | None = None
    index: int | None = None
    since: datetime | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """That the key of a month's decisions is destroyed. ``month``: 202601.

    ``statement`` is open in the leaf: under which setting, and what the law asks at most.
    """

    month: int
    at: datetime
    statement: Statement
    actor: str | None = None

    def event_id(self, organisation: str) -> bytes:
        """The same for each month whoever asks, so that no month ends twice."""
        return expiry_id(organisation, self.month)


@dataclass(frozen=True, slots=True)
class Expired:
    """An expiry that is on record, at ``index`` of the ``decisions`` log."""

    month: int
    index: int
    at: datetime
    statement: Statement


def expiry_id(organisation: str, month: int) -> bytes:
    """The id of the entry that ends a month: a UUIDv8 (RFC 9562) of whose month it is."""
    hashed = sha256(f"cleartosend/expiry/{organisation}/{month}".encode()).digest()[:16]
    number = int.from_bytes(hashed, "big")
    number = number & ~(0xF << 76) | 8 << 76
    return (number & ~(3 << 62) | 2 << 62).to_bytes(16, "big")


def put_setting(
    connection: Connection,
    organisation: str,
    *,
    decision_months: int | None,
    actor: str,
    now: datetime,
) -> RetentionSetting:
    """Put a setting on record, unless it is the one in force; give the one in force then."""
    assert decision_months is None or 0 < decision_months <= MONTHS_MAX, "checked by the caller"
    known = setting_of(connection, organisation)
    if known.index is not None and known.decision_months == decision_months:
        return known
    entry = SealedEntry(
        event_id=uuid7(now),
        type=SETTING,
        occurred_at=now,
        actor=actor,
        statement={"decision_months": decision_months or 0},
    )
    (receipt,) = append_many(connection, organisation, Log.RULES, [entry], recorded_at=now)
    return RetentionSetting(
        decision_months=decision_months, index=receipt.index, since=now, actor=actor
    )


def setting_of(connection: Connection, organisation: str) -> RetentionSetting:
    """The setting in force: the last one on record."""
    end = ledger_log.head(connection, organisation, Log.RULES).size
    while end > 0:
        start = max(end - _ENTRIES_AT_ONCE, 0)
        for entry in reversed(read_entries(connection, organisation, Log.RULES, start, end)):
            leaf = decode_leaf(entry.leaf)
            if leaf.type == SETTING:
                return _setting_in(leaf, entry)
        end = start
    return RetentionSetting()


def expire_many(
    connection: Connection, organisation: str, expiries: Sequence[Expiry], *, recorded_at: datetime
) -> list[Receipt]:
    """Put on record that these months end, those that have not ended yet; in the writer's turn.

    The keys are destroyed after the commit: a turn may be undone, and a key may not.
    """
    months = [one.month for one in expiries]
    known = expired_months(connection, organisation, months)
    entries = [
        SealedEntry(
            event_id=one.event_id(organisation),
            type=EXPIRY,
            occurred_at=one.at.astimezone(UTC),
            actor=one.actor,
            statement=one.statement,
        )
        for one in {one.month: one for one in expiries}.values()
        if one.month not in known
    ]
    return append_many(connection, organisation, Log.DECISIONS, entries, recorded_at=recorded_at)


def expired_months(
    connection: Connection, organisation: str, months: Collection[int]
) -> dict[int, Expired]:
    """Those of these months of which the log says that they have ended."""
    if not months:
        return {}
    by_id = {expiry_id(organisation, month): month for month in months}
    found = find_entries(connection, organisation, list(by_id))
    return {by_id[id_]: _expired_in(entry, by_id[id_]) for id_, entry in found.items()}


def every_expiry(connection: Connection, organisation: str) -> list[Expired]:
    """Every month that has ended on record, oldest first."""
    size = ledger_log.head(connection, organisation, Log.DECISIONS).size
    first = read_entries(connection, organisation, Log.DECISIONS, 0, 1)
    last = read_entries(connection, organisation, Log.DECISIONS, size - 1, size) if size else []
    if not first or not last:
        return []
    month, months = _month_of(first[0].recorded_at), []
    while month <= _month_of(last[0].recorded_at):
        months.append(month)
        month = later(month, 1)
    known = expired_months(connection, organisation, months)
    return [known[month] for month in sorted(known)]


def end_of(month: int) -> datetime:
    """The first instant, in UTC, after a month such as 202612."""
    return start_of(later(month, 1))


def start_of(month: int) -> datetime:
    """The first instant of a month, in UTC."""
    year, number = divmod(month, 100)
    return datetime(year, number, 1, tzinfo=UTC)


def later(month: int, months: int) -> int:
    """The month so many months later."""
    year, number0 = divmod(month // 100 * 12 + month % 100 - 1 + months, 12)
    return year * 100 + number0 + 1


def kept_until(month: int, months: int) -> datetime:
    """Until when what was decided in a month is kept, if each of it is kept for ``months``."""
    return end_of(later(month, months))


def _month_of(at: datetime) -> int:
    return at.year * 100 + at.month


def _setting_in(leaf: Leaf, entry: Entry) -> RetentionSetting:
    said = (leaf.statement or {}).get("decision_months", 0)
    return RetentionSetting(
        decision_months=int(said) or None,
        index=entry.index,
        since=leaf.recorded_at,
        actor=leaf.actor,
    )


def _expired_in(entry: Entry, month: int) -> Expired:
    leaf = decode_leaf(entry.leaf)
    return Expired(month, entry.index, leaf.occurred_at, leaf.statement or {})
