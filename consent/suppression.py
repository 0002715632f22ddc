"""Who must not be messaged: what outlives the person's key, and the loss of their standing.

For every opt-out and every erasure one keyed token a spelling of the address, with when it
happened and what it covered as it was given. A later grant deletes nothing: the law finds the
latest word. Merging only ever adds to what a standing says, so it never loosens.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, select

from consent.among import ByMany
from consent.events import STOPS, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.standing import KeptEvent
from consent.tables import suppression
from jurisdictions.addresses import Address
from rules.vocabulary import Channel, Purpose, Via

SUPPRESSING: Final = STOPS | {RecordedKind.ERASE}
"""The events that leave a token."""

_BY_TOKEN = ByMany(
    lambda among: select(
        suppression.c.token,
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
    rows = _BY_TOKEN.execute(
        connection,
        {
            "organisation": organisation,
            "tokens": list({token for tokens in by_address for token in tokens}),
        },
    )
    found: dict[bytes, dict[int, KeptEvent]] = {}
    for row in rows:
        found.setdefault(row.token, {})[row.idx] = KeptEvent(
            index=row.idx,
            event=RecordedKind(row.kind),
            at=row.occurred_at,
            sender=row.sender,
            channel=Channel(row.channel) if row.channel else None,
            purpose=Purpose(row.purpose) if row.purpose else None,
            brand=row.brand,
            via=Via(row.via) if row.via else None,
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
