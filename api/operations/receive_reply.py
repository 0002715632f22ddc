"""Receive what a person replied: a stop is recorded, a doubt is held, the rest is let be.

The text is read before the writer's turn. A message is known by the provider's id: however often
it is delivered, it is recorded once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple

from sqlalchemy import Connection, bindparam, insert, select, tuple_

from api.errors import UnverifiedError
from api.inbound.endpoints import Endpoint, StopReach
from api.inbound.message import InboundMessage, Mark
from api.operations.record_events import EventBatch, RecordEvents, Said
from api.tables import inbound_message
from api.work import Priority
from consent.errors import EventRefusedError
from consent.events import UNREFUSED, ConsentEvent, Disclosure, Evidence, RecordedKind
from consent.keys.sealing import framed
from consent.recording import Recorded
from jurisdictions.addresses import Address, parse_address
from jurisdictions.replies import NO_SCOPE, Reading, Scope, read_reply
from rules.errors import ComplianceError
from rules.vocabulary import Via

WHY_HELD = "a reply that may mean stop"
WHY_BEHIND = "what the sender put behind the button may mean stop"
WHY_WORDLESS = "a message in which no words were found"
WHY_IN_DOUBT = "a part of a longer message, or letters that had to be guessed"

_FIND = select(
    inbound_message.c.endpoint, inbound_message.c.token, inbound_message.c.content_hash
).where(
    tuple_(inbound_message.c.endpoint, inbound_message.c.token).in_(
        bindparam("places", expanding=True)
    )
)
_KEEP = insert(inbound_message)


@dataclass(frozen=True, slots=True)
class ReceivedReply:
    """One reply as it was read. ``event`` is None where nothing is to be recorded of it.

    ``content_hash`` is of the request, for a nonce that is good for no other.
    """

    endpoint: Endpoint
    message: InboundMessage
    address: Address
    reading: Reading
    event: ConsentEvent | None
    content_hash: bytes

    @property
    def changes_anything(self) -> bool:
        """Whether the writer has to see it."""
        return self.event is not None or self.message.nonce is not None


@dataclass(frozen=True, slots=True)
class Received:
    """What came of it. ``recorded`` is None where nothing was: nothing meant, or known already."""

    recorded: Recorded | None = None
    is_known: bool = False


def read_message(
    endpoint: Endpoint, message: InboundMessage, *, content_hash: bytes, now: datetime
) -> ReceivedReply:
    """Understand a message, in the request's task. In doubt a stop goes before everything else."""
    address = parse_address(message.address)
    read = _read(message, address)
    event = _event_of(endpoint, message, read, now=now)
    if event is not None and event.event is RecordedKind.GRANT and address.problem is not None:
        event = None  # A stop or a doubt is kept and flagged; nobody grants anything from nowhere.
    return ReceivedReply(endpoint, message, address, read.reading, event, content_hash)


class _Read(NamedTuple):
    """What a message was taken for; ``why`` it is held, if it is."""

    reading: Reading
    scope: Scope = NO_SCOPE
    why: str = WHY_HELD


def _read(message: InboundMessage, address: Address) -> _Read:
    if message.mark is Mark.BLOCKED:
        return _Read(Reading.STOP)
    reply = read_reply(message.text, country=address.country)
    if message.mark is Mark.STOP:
        return _Read(Reading.STOP, reply.scope if reply.reading is Reading.STOP else NO_SCOPE)
    if reply.reading in (Reading.STOP, Reading.UNCERTAIN):
        return _Read(reply.reading, reply.scope)
    why = _doubt_of(message, address)
    if why is not None:
        return _Read(Reading.UNCERTAIN, why=why)
    if message.mark is not None and reply.reading is Reading.OTHER:
        # Its own word for START or HELP, which our lists do not know.
        return _Read(Reading(message.mark.value))
    return _Read(reply.reading, reply.scope)


def _doubt_of(message: InboundMessage, address: Address) -> str | None:
    """Why a message in which no stop was read is held all the same."""
    if message.in_doubt:
        return WHY_IN_DOUBT
    if message.payload:
        behind = read_reply(message.payload, country=address.country).reading
        return WHY_BEHIND if behind in (Reading.STOP, Reading.UNCERTAIN) else None
    is_silent = not message.text.strip() and message.mark is None and not message.is_wordless
    return WHY_WORDLESS if is_silent else None


def _event_of(
    endpoint: Endpoint, message: InboundMessage, read: _Read, *, now: datetime
) -> ConsentEvent | None:
    at = message.received_at
    words = [message.text, message.payload if read.why is WHY_BEHIND else ""]
    shared: dict[str, Any] = {
        "at": now if at is None or at > now else at,
        "text": "\n".join(filter(None, words)) or None,
        "evidence": _evidence_of(endpoint, message),
    }
    stopped = endpoint.sender if endpoint.stop_reach is StopReach.SENDER else None
    if read.reading is Reading.STOP:
        return ConsentEvent(
            event=RecordedKind.REVOKE,
            sender=stopped,
            channel=read.scope.channel,
            purpose=read.scope.purpose,
            via=Via.KEYWORD,
            **shared,
        )
    if read.reading is Reading.UNCERTAIN:
        return ConsentEvent(
            event=RecordedKind.HOLD, sender=stopped, via=Via.KEYWORD, why=read.why, **shared
        )
    # Without an id a START cannot be told from an older one that comes again.
    if read.reading is Reading.START and endpoint.start is not None and message.id is not None:
        shown = endpoint.start.disclosure
        return ConsentEvent(
            event=RecordedKind.GRANT,
            sender=endpoint.sender,
            channel=message.channel,
            purpose=endpoint.start.purpose,
            level=endpoint.start.level,
            **shared | {"evidence": _evidence_of(endpoint, message, shown=shown)},
        )
    return None


def _evidence_of(
    endpoint: Endpoint, message: InboundMessage, *, shown: str | None = None
) -> Evidence:
    """Whose word it is, by which id the provider can find it, and what the person was shown."""
    told = "block" if message.mark is Mark.BLOCKED else "message"
    return Evidence(
        method=f"{endpoint.provider.value}_{told}",
        source_url=None if message.id is None else f"{endpoint.provider.value}:{message.id}",
        disclosure=None if shown is None else Disclosure(text=shown),
    )


class ReceiveReplies:
    """The work. It goes first in every turn, and a stop in it is never refused."""

    name = "receive_reply"
    priority = Priority.OPT_OUT

    def __init__(self, events: RecordEvents) -> None:
        self._events = events

    def run_many(
        self, connection: Connection, requests: Sequence[ReceivedReply], *, now: datetime
    ) -> list[Received | ComplianceError]:
        """Record what is new; the next check sees it."""
        known = _find(connection, requests)
        answers: dict[int, Received | ComplianceError] = {}
        kept: list[dict[str, Any]] = []
        for place, request in enumerate(requests):
            answer = _answer_to_known(request, known)
            if answer is not None:
                answers[place] = answer
                continue
            for token, content_hash in _tokens_of(request):
                if (request.endpoint.id, token) not in known:
                    known[request.endpoint.id, token] = content_hash
                    kept.append(_row_of(request, token, content_hash, now))
        if kept:
            connection.execute(_KEEP, kept)
        fresh = [place for place in range(len(requests)) if place not in answers]
        recorded = self._record(connection, [requests[place] for place in fresh], now=now)
        answers.update(zip(fresh, recorded, strict=True))
        return [answers[place] for place in range(len(requests))]

    def _record(
        self, connection: Connection, requests: Sequence[ReceivedReply], *, now: datetime
    ) -> list[Received]:
        """Record the event of each. An error of ours undoes everything, ids that were kept too."""
        batches = [_batch_of(request) for request in requests]
        done: list[Received] = []
        for answer in self._events.run_many(connection, batches, now=now):
            outcome = next(iter(answer), None)
            if isinstance(outcome, EventRefusedError):
                outcome = None  # A grant that cannot stand grants nothing. No stop is refused.
            if isinstance(outcome, ComplianceError):
                raise outcome
            done.append(Received(outcome))
        return done


def _batch_of(request: ReceivedReply) -> EventBatch:
    event = request.event
    is_fresh = event is not None and event.event in UNREFUSED
    said = [] if event is None else [Said(request.address, event, is_fresh=is_fresh)]
    return EventBatch(request.endpoint.organisation, request.endpoint.id, said)


def _find(
    connection: Connection, requests: Sequence[ReceivedReply]
) -> dict[tuple[str, bytes], bytes | None]:
    places = [
        (request.endpoint.id, token) for request in requests for token, _ in _tokens_of(request)
    ]
    rows = connection.execute(_FIND, {"places": places}) if places else ()
    return {(row.endpoint, row.token): row.content_hash for row in rows}


def _answer_to_known(
    request: ReceivedReply, known: dict[tuple[str, bytes], bytes | None]
) -> Received | UnverifiedError | None:
    """What to answer to a message that was here before; None where it was not."""
    was_here = False
    for token, content_hash in _tokens_of(request):
        place = (request.endpoint.id, token)
        if place not in known:
            continue
        if content_hash is not None and known[place] != content_hash:
            return UnverifiedError("this nonce came with another message before")
        was_here = was_here or content_hash is None
    return Received(is_known=True) if was_here else None


def _tokens_of(request: ReceivedReply) -> Iterator[tuple[bytes, bytes | None]]:
    """By what the message is known: its id, and the nonce of its signature with what it signed."""
    message = request.message
    if message.nonce is not None:
        yield sha256(framed(b"nonce", message.nonce.encode())).digest(), request.content_hash
    if message.id is not None and request.event is not None:
        kind = b"block" if message.mark is Mark.BLOCKED else b"message"
        text = message.id.encode("utf-8", "surrogatepass")
        yield sha256(framed(kind, text)).digest(), None


def _row_of(
    request: ReceivedReply, token: bytes, content_hash: bytes | None, now: datetime
) -> dict[str, Any]:
    return {
        "endpoint": request.endpoint.id,
        "token": token,
        "content_hash": content_hash,
        "recorded_at": now,
    }
