"""What of the suppression follows from the log, held against what stands there."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import suppression
from consent.among import ByMany
from consent.erasure import ErasureRecord, suppressed_by
from consent.fsck.damage import Damage, Kind
from consent.keys.key_ring import KeyRing
from consent.ledger.errors import DamagedLogError
from consent.ledger.leaf import Leaf, Log, decode_leaf
from consent.ledger.tables import log_entry
from consent.standing import KeptEvent
from consent.suppression import SUPPRESSING
from consent.tables import suppression as table
from jurisdictions.addresses import spellings_of_normalised

ROWS_AT_ONCE = 256


class _Expected(NamedTuple):
    """A row that has to be there under one of these tokens; each with its key's version."""

    row: Mapping[str, Any]
    tokens: Mapping[bytes, int]


class Suppressions:
    """Gathers the rows that have to be there, and looks for them some at a time.

    A row that is there and follows from nothing makes no message go out; it is found where its
    entry is no opt-out and no erasure.
    """

    def __init__(self, connection: Connection, organisation: str, keys: KeyRing) -> None:
        self._connection = connection
        self._organisation = organisation
        self._keys = keys
        self._expected: list[_Expected] = []
        self.missing: list[Mapping[str, Any]] = []
        """Rows that ``flush`` did not find as they have to be; whoever rebuilds takes them."""

    def follow_stop(self, kept: KeptEvent, address: str) -> None:
        """Expect a row for every spelling of the address that opted out."""
        newest = self._keys.token_version(self._organisation)
        versions = self._keys.token_versions(self._organisation)
        for spelling in set(spellings_of_normalised(address)):
            tokens = {
                self._keys.suppression_token(self._organisation, spelling, version=version): version
                for version in versions
            }
            token = next(token for token, version in tokens.items() if version == newest)
            row = suppression.row_of(self._organisation, token, newest, kept)
            self._expected.append(_Expected(row, tokens))

    def follow_erasure(self, index: int, leaf: Leaf, payload: bytes) -> None:
        """Expect what an ``erase`` entry says: its own rows, and those that stood already."""
        record = msgspec.json.decode(payload, type=ErasureRecord)
        for one in suppressed_by(record, index=index, at=leaf.occurred_at):
            row = msgspec.structs.asdict(one) | {"organisation": self._organisation}
            row["occurred_at"] = row.pop("at")
            self._expected.append(_Expected(row, {one.token: one.token_version}))

    def flush(self, *, at_least: int = ROWS_AT_ONCE) -> Iterator[Damage]:
        """Look for what is expected, once that is ``at_least`` so much; name what is not there."""
        if len(self._expected) < at_least:
            return
        expected, self._expected = self._expected, []
        self.missing = []
        for start in range(0, len(expected), ROWS_AT_ONCE):
            yield from self._look_for(expected[start : start + ROWS_AT_ONCE])

    def unexplained(self) -> Iterator[Damage]:
        """Rows whose entry is not there, or is no opt-out and no erasure."""
        rows = self._connection.execute(
            _WITH_ENTRIES, {"organisation": self._organisation}
        ).yield_per(ROWS_AT_ONCE)
        for index, leaf in rows:
            try:
                is_stop = leaf is not None and decode_leaf(leaf).type in SUPPRESSING
            except DamagedLogError:
                continue  # ``entries.py`` names it.
            if not is_stop:
                yield self._damage(index, "a row follows from an entry that suppresses nothing")

    def _look_for(self, expected: Sequence[_Expected]) -> Iterator[Damage]:
        tokens = [token for one in expected for token in one.tokens]
        wanted = {"organisation": self._organisation, "tokens": tokens}
        found = {
            (token, kind, index): (version, *said)
            for token, kind, index, version, *said in _ROWS.fetch(self._connection, wanted)
        }
        for one in expected:
            kind, index = one.row["kind"], one.row["idx"]
            # A token is not renewed with its key: older rows stand under the key of their time.
            said = _said(one.row)
            stored = [
                found[place] == (version, *said)
                for token, version in one.tokens.items()
                if (place := (token, kind, index)) in found
            ]
            if any(stored):
                continue
            self.missing.append(one.row)
            what = "says something else than its entry" if stored else "is not there"
            yield self._damage(index, f"a row of the suppression {what}")

    def _damage(self, index: int, detail: str) -> Damage:
        return Damage(self._organisation, Log.CONSENT, index, Kind.SUPPRESSION, detail)


def _said(row: Mapping[str, Any]) -> tuple[object, ...]:
    """What a row says beside its identity."""
    return tuple(row[name] for name in _SAID)


_SAID = ("occurred_at", "sender", "channel", "purpose", "brand", "via")
_ROWS = ByMany(
    lambda among: sa.select(
        table.c.token,
        table.c.kind,
        table.c.idx,
        table.c.token_version,
        *(table.c[name] for name in _SAID),
    ).where(table.c.organisation == bindparam("organisation"), among(table.c.token, "tokens"))
)
_WITH_ENTRIES = (
    sa.select(table.c.idx, log_entry.c.leaf)
    .select_from(
        table.outerjoin(
            log_entry,
            sa.and_(
                log_entry.c.organisation == table.c.organisation,
                log_entry.c.log == Log.CONSENT.value,
                log_entry.c.idx == table.c.idx,
            ),
        )
    )
    .where(table.c.organisation == bindparam("organisation"))
)
