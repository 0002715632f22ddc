"""Stops that reach an address by a link: it was said at another, and this is the same person's.

The entry of the link names them, so what is told of it can be told again as long as the entry can
be read, whatever became of the address at which it was said.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from consent.events import STOPS, CarriedStop, ConsentEvent, RecordedKind
from consent.ledger.log import Receipt
from consent.subjects import Whom


@dataclass(frozen=True, slots=True)
class Reached:
    """A stop that reached the person ``subject`` by a link, whose entry the receipt is of."""

    whom: Whom
    stop: CarriedStop
    subject: bytes
    receipt: Receipt

    @property
    def event_id(self) -> bytes:
        """The id of the event that is told of it."""
        return _id_of(self.receipt.event_id, self.stop)


def stops_reached(event: ConsentEvent) -> Iterator[CarriedStop]:
    """Those that a link, of whose entry this is the event, brought from another address."""
    if event.event is RecordedKind.LINK:
        yield from (stop for stop in event.carried if stop.elsewhere and stop.event in STOPS)


def ids_told(event_id: bytes, event: ConsentEvent) -> list[bytes]:
    """The ids under which the stops are told that the link ``event_id`` brought."""
    return [_id_of(event_id, stop) for stop in stops_reached(event)]


def _id_of(link: bytes, stop: CarriedStop) -> bytes:
    """One for each link, person and stop, and the same whenever it is told."""
    return sha256(b"reached by a link" + link + stop.index.to_bytes(8, "big")).digest()[:16]
