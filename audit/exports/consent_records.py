"""A person's consents after ISO/IEC TS 27560, in JSON-LD with terms of the Data Privacy Vocabulary.

A view made from the trail: a record for each sender, channel, purpose and topic that consent was
given for or that the person opted out of, with everything that happened to it. What the form asks
for and nobody recorded is listed as missing, and never invented.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from audit.trail import Person, TrailEntry
from consent.events import STOPS, ConsentEvent, RecordedKind
from consent.senders import SenderRecord
from rules.history import STOPPED_BY_ANY_OPT_OUT, same_brand
from rules.vocabulary import Level, Purpose, Quality, Via

NAME: Final = "consent-records.jsonld"
PROFILE: Final = "https://w3id.org/dpv/schema/dpv-27560#record"
CONTEXT: Final = {
    "cts": "urn:x-cleartosend:term:",
    "dct": "http://purl.org/dc/terms/",
    "dpv": "https://w3id.org/dpv#",
    "loc": "https://w3id.org/dpv/loc#",
    "pd": "https://w3id.org/dpv/pd#",
    "skos": "http://www.w3.org/2004/02/skos/core#",
}
_CLASSES: Final = {
    Level.IMPLIED: "dpv:ImpliedConsent",
    Level.EXPRESS: "dpv:ExpressedConsent",
    Level.EXPRESS_WRITTEN: "dpv:ExplicitlyExpressedConsent",
}
_PURPOSES: Final = {
    Purpose.MARKETING: "dpv:DirectMarketing",
    Purpose.SERVICE: "dpv:CommunicationForCustomerCare",
}
_PURPOSE_ABOVE: Final = "dpv:CommunicationManagement"
_METHODS: Final = {
    Via.KEYWORD: "reply to a message",
    Via.LINK: "link in a message",
    Via.CALL: "telephone call",
    Via.EMAIL: "e-mail",
    Via.LETTER: "letter",
    Via.REGISTRY: "public register",
    Via.AGENT: "somebody acting for the person",
}
_GUARDIAN, _PERSON = "dpv:Guardian", "dpv:DataSubject"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConsentRecords:
    """The file, and in plain words what it lacks."""

    content: bytes
    gaps: tuple[str, ...]


@dataclass(slots=True)
class _Thread:
    """Everything that happened to one consent. ``opening``: the event that it began with."""

    opening: ConsentEvent
    id: bytes
    subject: str | None
    events: list[tuple[TrailEntry, ConsentEvent]] = field(default_factory=list)

    def is_named_by(self, event: ConsentEvent) -> bool:
        """Whether a later grant or confirmation is of this very consent."""
        return _scope_of(event) == _scope_of(self.opening)

    def is_covered_by(self, event: ConsentEvent) -> bool:
        """Whether an opt-out speaks of this consent; what it does not name it speaks of all of."""
        opening = self.opening
        return (
            _fits(event.channel, opening.channel)
            and _fits(event.topic, opening.topic)
            and self._is_for(event)
            and self._is_of(event)
        )

    def _is_for(self, event: ConsentEvent) -> bool:
        if event.purpose is None and event.event in STOPS:
            return self.opening.purpose is None or self.opening.purpose in STOPPED_BY_ANY_OPT_OUT
        return _fits(event.purpose, self.opening.purpose)

    def _is_of(self, event: ConsentEvent) -> bool:
        if event.brand is not None and self.opening.brand is not None:
            return same_brand(event.brand, self.opening.brand)
        return _fits(event.sender, self.opening.sender)


def records_of(
    trail: Sequence[TrailEntry],
    person: Person,
    *,
    senders: Mapping[str, SenderRecord],
    as_of: datetime,
) -> ConsentRecords:
    """Make the records. ``senders``: what the operator's register says of those who are named;
    it is no part of a log. ``as_of``: what has lapsed by then is told as expired."""
    written = [_record(one, trail, senders, as_of) for one in _threads(trail)]
    gaps = _gaps(written, person)
    graph = {"@context": CONTEXT, "@graph": written, "cts:missing": list(gaps)}
    content = msgspec.json.format(msgspec.json.encode(graph, order="sorted"), indent=1)
    return ConsentRecords(content + b"\n", gaps)


def senders_in(trail: Iterable[TrailEntry]) -> set[str]:
    """The ids of the senders that a trail names."""
    return {
        entry.told[0].sender
        for entry in trail
        if entry.told is not None and entry.told[0].sender is not None
    }


def _scope_of(event: ConsentEvent) -> tuple[object, ...]:
    return event.sender, event.brand, event.channel, event.purpose, event.topic


def _fits(asked: object, given: object) -> bool:
    return asked is None or given is None or asked == given


def _threads(trail: Sequence[TrailEntry]) -> list[_Thread]:
    threads: list[_Thread] = []
    for entry in trail:
        if entry.told is None:
            continue
        event = entry.told[0]
        if event.event is RecordedKind.GRANT:
            touched = [one for one in threads if one.is_named_by(event)]
        elif event.event is RecordedKind.CONFIRM or event.event in STOPS:
            touched = [one for one in threads if one.is_covered_by(event)]
        else:
            continue
        if not touched and event.event is not RecordedKind.CONFIRM:
            touched = [_Thread(event, entry.id, entry.leaf.subject)]
            threads += touched
        for one in touched:
            one.events.append((entry, event))
    return threads


def _record(
    thread: _Thread,
    trail: Sequence[TrailEntry],
    senders: Mapping[str, SenderRecord],
    as_of: datetime,
) -> Json:
    opening, id_ = thread.opening, str(UUID(bytes=thread.id))
    missing: list[str] = []
    record: Json = {
        "@id": f"urn:uuid:{id_}",
        "@type": "dpv:ConsentRecord",
        "dct:conformsTo": {"@id": PROFILE},
        "dct:identifier": id_,
        "dpv:hasConsentStatus": list(_statuses(thread, as_of)),
        "dpv:hasProcess": [_process(opening, thread)],
    }
    if thread.subject is not None:
        record["dpv:hasDataSubject"] = {"@id": f"urn:x-recipient:{thread.subject}"}
    record["dpv:hasDataController"] = _controller(opening, senders, missing)
    notice = _notice(thread, missing)
    if notice is not None:
        record["dpv:hasNotice"] = notice
    places = _jurisdictions(opening, trail)
    if places:
        record["dpv:hasJurisdiction"] = places
    else:
        missing.append("jurisdiction")
    used = dict.fromkeys(
        _METHODS[event.via]
        for _, event in thread.events
        if event.via is not None and event.event in STOPS
    )
    if used:
        ways = [{"@type": "dpv:WithdrawConsent", "dpv:isExercisedAt": way} for way in used]
        record["dpv:hasConsentControl"] = ways
    else:
        missing.append("method of withdrawal")
    if opening.purpose is None:
        missing.append("purpose")
    missing += ["recipients (third parties)", "place and time of storage"]
    record["cts:missing"] = sorted(missing)
    return record


def _process(opening: ConsentEvent, thread: _Thread) -> Json:
    process: Json = {"@type": "dpv:Process"}
    address = next((entry.told[1] for entry, _ in thread.events if entry.told), None)
    if address is not None:
        kind = "pd:EmailAddress" if "@" in address else "pd:TelephoneNumber"
        process["dpv:hasPersonalData"] = {"@id": kind}
    if opening.purpose is not None:
        process["dpv:hasPurpose"] = _purpose(opening.purpose, opening.topic)
    if opening.channel is not None:
        process["cts:channel"] = opening.channel.value
    return process


def _purpose(purpose: Purpose, topic: str | None) -> Json:
    """A term of the vocabulary where there is one, else our own below the nearest."""
    term = _PURPOSES.get(purpose)
    if term is not None and topic is None:
        return {"@id": term}
    above = term or _PURPOSE_ABOVE
    said: Json = {"@id": f"cts:purpose-{purpose.value}", "skos:broader": {"@id": above}}
    return said if topic is None else {**said, "@id": "cts:topic", "skos:prefLabel": topic}


def _controller(
    opening: ConsentEvent, senders: Mapping[str, SenderRecord], missing: list[str]
) -> Json:
    said: Json = {}
    if opening.sender is not None:
        said["@id"] = f"urn:x-sender:{opening.sender}"
    known = None if opening.sender is None else senders.get(opening.sender)
    fields = {
        "dpv:hasName": opening.brand or (known and known.name),
        "dpv:hasAddress": known and known.postal_address,
        "dpv:hasContact": known and known.contact,
    }
    for term, value in fields.items():
        if value:
            said[term] = value
        else:
            missing.append(f"{term.removeprefix('dpv:has').lower()} of the controller")
    if known is not None:
        said["dct:source"] = "the operator's register of senders when this was exported; in no log"
    return said


def _notice(thread: _Thread, missing: list[str]) -> Json | None:
    """What the person was shown, of the last grant that says it."""
    for entry, event in reversed(thread.events):
        evidence = event.evidence
        shown = None if evidence is None else evidence.disclosure
        if evidence is None or shown is None or (shown.text is None and shown.version is None):
            continue
        said: Json = {"@type": "dpv:ConsentNotice", "dct:date": _written(event.at)}
        said["cts:place"] = _place(entry)
        if shown.text is not None:
            said["dct:description"] = shown.text
        if shown.version is not None:
            said["dct:hasVersion"] = shown.version
        if evidence.source_url is not None:
            said["dct:source"] = evidence.source_url
        if evidence.language is not None:
            said["dct:language"] = evidence.language
        else:
            missing.append("language of the notice")
        return said
    missing += ["notice (the text shown)", "language of the notice"]
    return None


def _jurisdictions(opening: ConsentEvent, trail: Sequence[TrailEntry]) -> list[Json]:
    """Where the person was held to be when a message of this consent was first decided on."""
    for entry in trail:
        opened = entry.decision
        if (
            opened is None
            or opened.facts.recipient.country is None
            or not _fits(opening.sender, opened.circumstances.sender)
            or not _fits(opening.channel, opened.facts.message.channel)
            or not _fits(opening.purpose, opened.facts.message.purpose)
        ):
            continue
        recipient = opened.facts.recipient
        return [{"@id": f"loc:{recipient.region or recipient.country}"}]
    return []


def _statuses(thread: _Thread, as_of: datetime) -> Iterator[Json]:
    was_given = False
    expires: tuple[datetime, TrailEntry] | None = None
    for entry, event in thread.events:
        if expires is not None and expires[0] <= event.at:
            yield _expired(*expires)
            expires = None
        kind, valid = _status(event, was_given=was_given)
        said: Json = {
            "@type": kind,
            "cts:place": _place(entry),
            "dpv:isIndicatedAtTime": _written(event.at),
            "dpv:isIndicatedBy": {"@id": _who(event)},
        }
        method = _method(event)
        if method is not None:
            said["dpv:hasIndicationMethod"] = method
        if event.channel is not None:
            said["cts:channel"] = event.channel.value
        if valid:
            until = event.expires_at
            said["dct:valid"] = "until withdrawn" if until is None else f"until {_written(until)}"
        yield said
        if event.event in STOPS:
            expires = None
        elif event.event is RecordedKind.GRANT:
            expires = None if event.expires_at is None else (event.expires_at, entry)
        was_given = was_given or valid
    if expires is not None and expires[0] <= as_of:
        yield _expired(*expires)


def _status(event: ConsentEvent, *, was_given: bool) -> tuple[list[str], bool]:
    """The types of a status, and whether it permits processing."""
    if event.event in STOPS:
        return ["dpv:ConsentWithdrawn"], False
    classes = [] if event.level is None else [_CLASSES[event.level]]
    shown = event.evidence.disclosure if event.evidence is not None else None
    if shown is not None and shown.text is not None:
        classes.append("dpv:InformedConsent")
    if event.event is RecordedKind.GRANT and Quality.DOUBLE_OPT_IN in event.qualities:
        return ["dpv:ConsentRequested", *classes], False
    given = "dpv:RenewedConsentGiven" if was_given else "dpv:ConsentGiven"
    return [given, *classes], True


def _expired(at: datetime, entry: TrailEntry) -> Json:
    return {
        "@type": ["dpv:ConsentExpired"],
        "cts:place": _place(entry),
        "dpv:isIndicatedAtTime": _written(at),
    }


def _who(event: ConsentEvent) -> str:
    return _GUARDIAN if Quality.GUARDIAN in event.qualities else _PERSON


def _method(event: ConsentEvent) -> str | None:
    if event.via is not None:
        return _METHODS[event.via]
    method = None if event.evidence is None else event.evidence.method
    return None if method is None else method.replace("_", " ")


def _place(entry: TrailEntry) -> str:
    return f"{entry.log} log, entry {entry.index}"


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _gaps(written: Sequence[Json], person: Person) -> tuple[str, ...]:
    """What is missing, each said once, with how many records lack it."""
    counts: dict[str, int] = {}
    for record in written:
        for what in record["cts:missing"]:
            counts[what] = counts.get(what, 0) + 1
    said = [f"{what}: in {count} of {len(written)} records" for what, count in counts.items()]
    if person.erased:
        said.append("every consent of a person who was erased: what they said was destroyed")
    return tuple(sorted(said))
