"""The body of a delivery: a CloudEvents 1.0 document, the same bytes at every attempt."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

import msgspec

from consent.ledger.identifiers import label_of
from consent.propagation.words import WebhookEvent

EVENT_PREFIX: Final = "evt"
CONTENT_TYPE: Final = "application/cloudevents+json"

_ENCODER: Final = msgspec.json.Encoder()


class CloudEvent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One event as receivers read it.

    ``source`` and ``id`` together name it once and for all. ``subject`` is the person's opaque
    id; ``sequence`` the entry's index in its log, named in ``logname``. ``timestamp`` repeats
    ``time`` under the name that Standard Webhooks gives it.
    """

    specversion: str
    id: str
    source: str
    type: str
    time: datetime
    timestamp: datetime
    datacontenttype: str = "application/json"
    subject: str | None = None
    logname: str | None = None
    sequence: str | None = None
    data: Mapping[str, Any]


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Something to be told: it happened at ``at``. ``log`` and ``index``: where it is on record.

    ``line``: in whose order it is told, where that is not the subject's alone: persons that are
    linked are one (``lines.py``).
    """

    event: WebhookEvent
    event_id: bytes
    at: datetime
    data: Mapping[str, Any]
    id_prefix: str = EVENT_PREFIX
    subject: bytes | None = None
    line: bytes | None = None
    log: str | None = None
    index: int | None = None

    @property
    def whose(self) -> bytes | None:
        """Whose line it stands in: the person's, or the one named where there is no person."""
        return self.line if self.subject is None else self.subject

    @property
    def place(self) -> bytes | None:
        """The line that it stands in, if nothing older waits elsewhere."""
        return self.subject if self.line is None else self.line


def source_of(ledger_id: str, organisation: str) -> str:
    """The ``source`` of an organisation's events: its ledger, whatever host serves it."""
    return f"urn:cleartosend:{ledger_id}:{organisation}"


def body_of(told: Told, source: str) -> bytes:
    """Write the body that is sealed, signed and sent."""
    return _ENCODER.encode(
        CloudEvent(
            specversion="1.0",
            id=label_of(told.id_prefix, told.event_id),
            source=source,
            type=told.event.value,
            time=told.at,
            timestamp=told.at,
            datacontenttype="application/json",
            subject=None if told.subject is None else told.subject.hex(),
            logname=told.log,
            sequence=None if told.index is None else str(told.index),
            data=told.data,
        )
    )


def data_in(body: bytes) -> dict[str, Any]:
    """Read the data of a body that we wrote."""
    found: dict[str, Any] = msgspec.json.decode(body, type=_Read).data
    return found


def without_addresses(body: bytes, erased: Collection[str]) -> bytes:
    """The same body without these addresses; ``withheld`` says why they are not there."""
    event: dict[str, Any] = msgspec.json.decode(body)
    data: dict[str, Any] = event["data"]
    gone = {"address": None} if data.get("address") in erased else {}
    rest = [address for address in data["addresses"] if address not in erased]
    event["data"] = {**data, **gone, "addresses": rest, "withheld": "erased"}
    return _ENCODER.encode(event)


class Heading(msgspec.Struct, frozen=True):
    """What of a body others sort it by."""

    id: str
    source: str
    subject: str | None = None


def heading_of(body: bytes) -> Heading:
    """Read the heading of a body that we wrote."""
    return msgspec.json.decode(body, type=Heading)


class _Read(msgspec.Struct, frozen=True):
    data: dict[str, Any]
