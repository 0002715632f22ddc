"""Who must not be messaged: what outlives the person's key, and the loss of their standing.

For every opt-out and every erasure one keyed token a spelling of the address, with when it
happened and what it covered as it was given. A later grant deletes nothing: the law finds the
latest word. Merging only ever adds to what a standing says, so it never loosens.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

import msgspec
from sqlalchemy import Connection, bindparam, select

from consent.among import ByMany
from consent.events import STOPS, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.standing import KeptEvent
from consent.tables import suppression
from jurisdictions.addresses import Address
from rules.vocabulary import Channel, Purpose, Via

SUPPRESSING: Final = STOPS | {RecordedKind.ERASE, RecordedKind.HOLD}
"""The events that leave a token: a hold only once the person is erased."""

_BY_TOKEN = ByMany(
    lambda among: select(
        suppression.c.token,
        suppression.c.token_version,
        suppression.c.kind,
        suppression.c.idx,
        suppression.c.occurred_at,
        suppression.c.sender,
        suppression.c.channel,
        suppression.c.purpose,
        suppression.c.brand,
        suppression.c.via,
    ).where(
        suppression.c.organisation == bindparam("organisation"),
        among(suppression.c.token, "tokens"),
    )
)


class Token(msgspec.Struct, frozen=True, array_like=True):
    """What stands for one spelling of an address, and which key made it."""

    version: int
    token: bytes


class Suppressed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of the table: what one token was suppressed by, at ``idx`` of the consent log."""

    token: bytes
    token_version: int
    kind: str
    idx: int
    at: datetime
    sender: str | None = None
    channel: str | None = None
    purpose: str | None = None
    brand: str | None = None
    via: str | None = None


def tokens_of(
    organisation: str, addresses: Iterable[Address], *, keys: KeyRing
) -> tuple[Token, ...]:
    """The tokens of every spelling of these addresses, under the newest key."""
    version = keys.token_version(organisation)
    spellings = {spelling for address in addresses for spelling in address.spellings}
    tokens = (keys.suppression_token(organisation, spelling) for spelling in sorted(spellings))
    return tuple(Token(version, token) for token in tokens)


def tokens_of_spelling(organisation: str, spelling: str, *, keys: KeyRing) -> list[bytes]:
    """The tokens of one spelling, under every key that there is."""
    return [
        keys.suppression_token(organisation, spelling, version=version)
        for version in keys.token_versions(organisation)
    ]


def every_token_of(
    organisation: str, addresses: Iterable[Address], *, keys: KeyRing
) -> list[bytes]:
    """The tokens of every spelling of these addresses, under every key that there is."""
    return [
        token
        for address in addresses
        for spelling in address.spellings
        for token in tokens_of_spelling(organisation, spelling, keys=keys)
    ]


def load_rows(
    connection: Connection, organisation: str, tokens: Collection[bytes]
) -> tuple[Suppressed, ...]:
    """The rows of these tokens, as they stand, in one statement."""
    rows = _BY_TOKEN.execute(
        connection, {"organisation": organisation, "tokens": list(set(tokens))}
    )
    found = [
        Suppressed(
            token=row.token,
            token_version=row.token_version,
            kind=row.kind,
            idx=row.idx,
            at=row.occurred_at,
            sender=row.sender,
            channel=row.channel,
            purpose=row.purpose,
            brand=row.brand,
            via=row.via,
        )
        for row in rows
    ]
    return tuple(sorted(found, key=lambda row: (row.idx, row.token)))


def restore(connection: Connection, organisation: str, rows: Iterable[Suppressed]) -> int:
    """Add those rows that are not there, and say how many; what stands is never touched."""
    wanted = {(row.token, row.kind, row.idx): row for row in rows}
    standing = load_rows(connection, organisation, [token for token, _, _ in wanted])
    for row in standing:
        wanted.pop((row.token, row.kind, row.idx), None)
    missing = [
        {
            "organisation": organisation,
            "token": row.token,
            "kind": row.kind,
            "idx": row.idx,
            "token_version": row.token_version,
            "occurred_at": row.at,
            "sender": row.sender,
            "channel": row.channel,
            "purpose": row.purpose,
            "brand": row.brand,
            "via": row.via,
        }
        for row in wanted.values()
    ]
    if missing:
        connection.execute(suppression.insert(), missing)
    return len(missing)


def suppress_many(
    connection: Connection,
    organisation: str,
    stops: Iterable[tuple[Address, KeptEvent]],
    *,
    keys: KeyRing,
) -> None:
    """Leave a token for every equal spelling of each address, in one statement."""
    version = keys.token_version(organisation)
    rows = [
        row_of(organisation, keys.suppression_token(organisation, spelling), version, event)
        for address, event in stops
        for spelling in set(address.spellings)
    ]
    if rows:
        connection.execute(suppression.insert(), rows)


def load_many(
    connection: Connection, organisation: str, addresses: Sequence[Address], *, keys: KeyRing
) -> list[tuple[KeptEvent, ...]]:
    """What each address was suppressed by, as revokes and erasures, in one statement."""
    if not addresses:
        return []
    versions = keys.token_versions(organisation)
    by_address = [
        [
            keys.suppression_token(organisation, spelling, version=version)
            for spelling in address.spellings
            for version in versions
        ]
        for address in addresses
    ]
    rows = _BY_TOKEN.fetch(
        connection,
        {
            "organisation": organisation,
            "tokens": [token for tokens in by_address for token in tokens],
        },
    )
    found: dict[bytes, dict[int, KeptEvent]] = {}
    for token, _, kind, index, at, sender, channel, purpose, brand, via in rows:
        found.setdefault(token, {})[index] = KeptEvent(
            index=index,
            event=RecordedKind(kind),
            at=at,
            sender=sender,
            channel=Channel(channel) if channel else None,
            purpose=Purpose(purpose) if purpose else None,
            brand=brand,
            via=Via(via) if via else None,
        )
    if not found:
        return [()] * len(addresses)
    return [_of_tokens(tokens, found) for tokens in by_address]


def unite(events: Sequence[KeptEvent], suppressed: Sequence[KeptEvent]) -> Sequence[KeptEvent]:
    """Add those suppressions that the standing lacks, each once, oldest first."""
    if not suppressed:
        return events
    known = {event.index for event in events}
    lacking = [event for event in suppressed if event.index not in known]
    if not lacking:
        return events
    return sorted((*events, *lacking), key=lambda event: (event.at, event.index))


def _of_tokens(
    tokens: Sequence[bytes], found: dict[bytes, dict[int, KeptEvent]]
) -> tuple[KeptEvent, ...]:
    merged: dict[int, KeptEvent] = {}
    for token in tokens:
        merged.update(found.get(token, {}))
    return tuple(merged.values())


def row_of(organisation: str, token: bytes, version: int, event: KeptEvent) -> dict[str, object]:
    """The row that an opt-out or an erasure leaves for one token of its address."""
    assert event.event in SUPPRESSING, "only an opt-out or an erasure suppresses"
    kind, purpose = event.event, event.purpose
    if kind is RecordedKind.COMPLAINT:
        # A complaint counts as a revoke of marketing on its channel.
        kind, purpose = RecordedKind.REVOKE, Purpose.MARKETING
    return {
        "organisation": organisation,
        "token": token,
        "kind": kind.value,
        "idx": event.index,
        "token_version": version,
        "occurred_at": event.at,
        "sender": event.sender,
        "channel": event.channel,
        "purpose": purpose,
        "brand": event.brand,
        "via": event.via,
    }
