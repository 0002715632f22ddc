"""Decide on messages, put the decisions on record, and hold places for those that may go.

Read it top to bottom: everything of a check but the parsing of its request happens here, in the
writer's turn, for all checks of the turn at once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from api.errors import DecisionSupersededError
from api.operations import check_answers
from api.operations.check_answers import CheckAnswer, Duty, ReleaseName
from api.operations.check_refusals import refusal_of
from api.operations.make_links import Links, MakeLinks
from api.operations.propagation.watching import Watching
from api.work import Priority, Reply
from audit import decisions, reports
from audit.decision_records import Circumstances, Read
from audit.decisions import Decided
from audit.overtaken import is_overtaken
from audit.permits import PermitSigner, Permitted
from consent import holds, on_record, senders
from consent.holds import Hold
from consent.keys.key_ring import KeyRing
from consent.ledger import log
from consent.ledger.identifiers import id_of, label_of, uuid7
from consent.ledger.leaf import Log
from consent.on_record import OnRecord
from consent.registries.snapshots import Registries
from consent.senders import SenderRecord
from jurisdictions.addresses import Address
from jurisdictions.parties import message_of, recipient_of, sender_of
from jurisdictions.places import Place
from jurisdictions.releases import Release
from jurisdictions.versions import data_versions
from rules.decision import Decision
from rules.engine import ENGINE_VERSION
from rules.errors import ComplianceError
from rules.facts import Facts, Message, Sender, TemplateReference
from rules.places import Span, decide_in_order
from rules.vocabulary import Channel, Purpose, RecipientKind, Verdict

ID_PREFIX = "chk"
PERMIT_LASTS = timedelta(minutes=10)
"""How long a permit and its place last at most. Whoever asks further ahead gets a forecast."""


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One message to decide on; its address is parsed and its place found already.

    ``actor`` is the id of the key that asks, ``sender`` of the sender in whose name the message
    goes, ``sender_id`` the ``from`` as given. Without ``send_at`` it goes now.
    """

    organisation: str
    actor: str
    sender: str
    address: Address
    place: Place
    kind: RecipientKind = RecipientKind.CONSUMER
    age: int | None = None
    channel: Channel
    purpose: Purpose
    topic: str | None = None
    sender_id: str | None = None
    text: str | None = None
    template: TemplateReference | None = None
    automated: bool = True
    send_at: datetime | None = None
    discard_after: datetime | None = None
    reference: str | None = None
    preview: bool = False


def versions() -> dict[str, str]:
    """The versions of everything but the law that a decision depends on."""
    return {"engine": ENGINE_VERSION, **data_versions()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """What deciding needs, opened once at the start. Without ``links`` no answer holds any."""

    release: Release
    keys: KeyRing
    registries: Registries
    permits: PermitSigner
    links: MakeLinks | None = None
    versions: Mapping[str, str] = field(default_factory=versions)


class CheckMessages:
    """The work; its requests are checks of any organisation."""

    name = "check_messages"
    priority = Priority.CHECK

    def __init__(self, gate: Gate) -> None:
        self._gate = gate
        self.with_sheet = gate.release.with_sheet

    def run_many(
        self, connection: Connection, requests: Sequence[Check], *, now: datetime
    ) -> list[CheckAnswer | ComplianceError]:
        """Decide on all checks of a turn, one organisation after the other."""
        self._gate.registries.refresh(connection)
        answers: dict[int, CheckAnswer | ComplianceError] = {}
        for organisation, places in _by_organisation(requests).items():
            checks = [requests[place] for place in places]
            made = check_messages(connection, organisation, checks, gate=self._gate, now=now)
            answers.update(zip(places, made, strict=True))
        return [answers[place] for place in range(len(requests))]

    def superseded(
        self, connection: Connection, organisation: str, reply: Reply, *, now: datetime
    ) -> ComplianceError | None:
        """Refuse to give an allow again that has expired, was used or overtaken by an opt-out."""
        answered = msgspec.json.decode(reply.body, type=_AnsweredBefore)
        if answered.verdict is not Verdict.ALLOW:
            return None
        if answered.id is None:
            return _superseded_preview(connection, organisation, answered, now)
        if answered.valid_until is not None and answered.valid_until <= now:
            return DecisionSupersededError("the permit has expired; ask with a new key")
        id_ = id_of(ID_PREFIX, answered.id)
        found = decisions.find_many(connection, organisation, [id_], keys=self._gate.keys)[id_]
        if isinstance(found, ComplianceError):  # Others share this turn: nothing may be raised.
            return DecisionSupersededError("the decision does not open; ask with a new key")
        if reports.find_many(connection, organisation, [id_]):
            return DecisionSupersededError("the message was reported on since; ask with a new key")
        if is_overtaken(connection, organisation, found, keys=self._gate.keys):
            return DecisionSupersededError("the person has opted out since; ask with a new key")
        return None


class _AnsweredBefore(msgspec.Struct, frozen=True):
    id: str | None
    verdict: Verdict
    valid_until: datetime | None
    decided_at: datetime
    freshness: dict[str, str | int]


def _superseded_preview(
    connection: Connection, organisation: str, answered: _AnsweredBefore, now: datetime
) -> ComplianceError | None:
    """A preview is not on record, nor whom it was about: anything said since may concern it."""
    size = log.head(connection, organisation, Log.CONSENT).size
    if size == answered.freshness["consent"] and now < answered.decided_at + PERMIT_LASTS:
        return None
    return DecisionSupersededError("this preview may hold no more; ask with a new key")


def check_messages(
    connection: Connection,
    organisation: str,
    checks: Sequence[Check],
    *,
    gate: Gate,
    now: datetime,
) -> list[CheckAnswer | ComplianceError]:
    """Decide on messages of one organisation, in order, and put the decisions on record.

    Answers mean something only once the turn has committed. The number of statements does not
    grow with the checks. An error stands in the place of a check that cannot be made.
    """
    known = senders.load_many(connection, organisation, {check.sender for check in checks})
    answers: dict[int, CheckAnswer | ComplianceError] = {
        place: refusal
        for place, check in enumerate(checks)
        if (
            refusal := refusal_of(
                check.sender, check.send_at, check.discard_after, known=known, now=now
            )
        )
        is not None
    }
    places = [place for place in range(len(checks)) if place not in answers]
    people = on_record.load_many(
        connection,
        organisation,
        [checks[place].address for place in places],
        keys=gate.keys,
        now=now,
        brands={id_: sender.name for id_, sender in known.items()},
    )
    turn = _Turn(connection, organisation, gate, now)
    asked: list[_Asked] = []
    for place, person in zip(places, people, strict=True):
        if isinstance(person, ComplianceError):
            answers[place] = person
        else:
            asked.append(turn.gather(place, checks[place], known, person))
    pairs = decide_in_order(
        [one.facts for one in asked], [one.span for one in asked], gate.release.decide_many
    )
    made = [turn.made(one, *pair) for one, pair in zip(asked, pairs, strict=True)]
    indexes = turn.record([one for one in made if not one.asked.check.preview])
    for one in made:
        answers[one.asked.place] = turn.answer(one, indexes.get(one.id))
    return [answers[place] for place in range(len(checks))]


class _Asked(msgspec.Struct, frozen=True):
    """A check with its facts. ``place`` is where its answer goes."""

    place: int
    check: Check
    sender: str
    person: OnRecord
    facts: Facts
    span: Span | None
    read: Read


class _Made(msgspec.Struct, frozen=True):
    """A decision, made on these facts."""

    asked: _Asked
    id: bytes
    facts: Facts
    decision: Decision
    valid_until: datetime | None


class _Turn:
    """The checks of one organisation in one turn of the writer, and what they share."""

    def __init__(
        self, connection: Connection, organisation: str, gate: Gate, now: datetime
    ) -> None:
        self._connection = connection
        self._organisation = organisation
        self._gate = gate
        self._now = now
        self._consent_size = log.head(connection, organisation, Log.CONSENT).size
        self._snapshots = gate.registries.in_use(organisation)
        self._watching = Watching(connection, organisation, keys=gate.keys, now=now)
        self._senders: dict[str, Sender] = {}
        self._reads: dict[tuple[str, ...], Read] = {}
        self._messages: dict[tuple[object, ...], Message] = {}
        self._duties: dict[int, tuple[object, tuple[Duty, ...], bool]] = {}
        self._release = ReleaseName(gate.release.id, gate.release.digest)

    def gather(
        self, place: int, check: Check, known: Mapping[str, SenderRecord], person: OnRecord
    ) -> _Asked:
        """Put together everything that the law may look at."""
        record = known[check.sender]
        sender = self._sender(record)
        at = self._send_at(check, person)
        recipient = recipient_of(
            check.address,
            check.place,
            channel=check.channel,
            kind=check.kind,
            age=check.age,
            key=person.key,
        )
        mailbox = recipient.local_part
        if mailbox is not None and mailbox.casefold() not in self._gate.release.mailboxes:
            # It may be a person's name. No rule asks for it, so it is no fact, nor on record.
            recipient = replace(recipient, local_part=None)
        binding = frozenset((*recipient.jurisdictions, *sender.jurisdictions))
        facts = Facts(
            sender=sender,
            recipient=recipient,
            message=self._message(check, record, at),
            history=person.history(record.id, record.former_names),
            registries=self._gate.registries.look_up(
                self._organisation,
                check.address,
                sender=record.id,
                channel=check.channel,
                only=self._gate.release.registries_asked(binding, check.channel, check.purpose),
            ),
            overdue_since=self._watching.overdue_since(record.id, check.channel),
        )
        binds_now = not check.preview and not self._is_forecast(at)
        span = Span(self._now, self._now + PERMIT_LASTS) if binds_now else None
        return _Asked(place, check, record.id, person, facts, span, self._read(facts))

    def made(self, asked: _Asked, facts: Facts, decision: Decision) -> _Made:
        """Name the decision, and say until when its permit holds if it is one to act on."""
        valid_until = None
        if asked.span is not None and decision.verdict is Verdict.ALLOW:
            end = asked.span.until
            valid_until = min(end, decision.permitted_until or end)
        return _Made(asked, uuid7(self._now), facts, decision, valid_until)

    def record(self, made: Sequence[_Made]) -> dict[bytes, int]:
        """Put decisions on record and hold their places; give their indexes by id."""
        decided = [self._decided(one) for one in made]
        receipts = decisions.record_many(
            self._connection,
            self._organisation,
            decided,
            keys=self._gate.keys,
            versions=self._gate.versions,
            recorded_at=self._now,
        )
        holds.hold_many(
            self._connection,
            self._organisation,
            [self._hold(one, one.valid_until) for one in made if one.valid_until is not None],
        )
        self._watching.tell_denied(decided, receipts)
        return {receipt.event_id: receipt.index for receipt in receipts}

    def answer(self, one: _Made, index: int | None) -> CheckAnswer:
        """Say it to the caller. ``index``: of the record, None for a preview."""
        facts, decision = one.facts, one.decision
        clock = check_answers.clock_of(facts)
        label = label_of(ID_PREFIX, one.id)
        permit = None
        if one.valid_until is not None:
            permit = self._gate.permits.sign(self._permitted(one, label, one.valid_until))
        freshness: dict[str, str | int] = {
            name: entry.as_of.isoformat() for name, entry in facts.registries.items()
        }
        freshness["consent"] = self._consent_size
        duties, owes_links = self._duties_of(decision)
        return CheckAnswer(
            id=None if index is None else label,
            verdict=decision.verdict,
            not_before=check_answers.not_before_of(decision, clock),
            valid_until=one.valid_until,
            permit=permit,
            forecast=self._is_forecast(facts.message.send_at),
            jurisdictions=check_answers.jurisdictions_of(facts),
            reasons=check_answers.reasons_of(decision, clock),
            obligations=duties,
            links=self._links_for(one.asked) if owes_links else None,
            evidence=check_answers.evidence_of(decision),
            freshness=freshness,
            release=self._release,
            decided_at=self._now,
            reference=one.asked.check.reference,
            log=None if index is None else Log.DECISIONS.value,
            index=index,
        )

    def _send_at(self, check: Check, person: OnRecord) -> datetime:
        """When the message would go: never before now, nor before the last word on record.

        An opt-out counts from when it happened. A caller who is some minutes late, or a process
        whose clock is behind that of another, must not decide as of before it.
        """
        at = self._now if check.send_at is None else max(check.send_at, self._now)
        return max(at, person.events[-1].at) if person.events else at

    def _is_forecast(self, send_at: datetime) -> bool:
        return send_at > self._now + PERMIT_LASTS

    def _message(self, check: Check, record: SenderRecord, at: datetime) -> Message:
        """The message; a campaign's is one object for all whom it goes to."""
        until = check.discard_after
        said = (
            check.channel,
            check.purpose,
            # Equal instants on different clocks are not told alike.
            at,
            at.tzinfo,
            until,
            None if until is None else until.tzinfo,
            check.sender_id,
            record.country,
            check.text,
            check.topic,
            check.template,
            check.automated,
        )
        message = self._messages.get(said)
        if message is None:
            message = self._messages[said] = message_of(
                check.channel,
                check.purpose,
                at,
                sender_id=check.sender_id,
                sender_country=record.country,
                text=check.text,
                topic=check.topic,
                template=check.template,
                automated=check.automated,
                discard_after=check.discard_after,
            )
        return message

    def _duties_of(self, decision: Decision) -> tuple[tuple[Duty, ...], bool]:
        """The obligations in words, once for all who owe the very same, and if links are owed."""
        owed = decision.obligations
        known = self._duties.get(id(owed))
        if known is None:  # They are kept beside their words, so their id stays their own.
            known = (owed, check_answers.duties_of(decision), check_answers.owes_links(decision))
            self._duties[id(owed)] = known
        return known[1:]

    def _links_for(self, asked: _Asked) -> Links | None:
        make, to = self._gate.links, asked.check.address
        return (
            make.for_message(self._organisation, asked.sender, to, now=self._now) if make else None
        )

    def _sender(self, record: SenderRecord) -> Sender:
        sender = self._senders.get(record.id)
        if sender is None:
            sender = sender_of(
                record.name,
                record.country,
                tuple(held.to_facts() for held in record.registrations),
                with_sheet=self._gate.release.with_sheet,
            )
            self._senders[record.id] = sender
        return sender

    def _read(self, facts: Facts) -> Read:
        """What was read, one object for all checks that read the same."""
        names = tuple(facts.registries)
        read = self._reads.get(names)
        if read is None:
            digests = {name: self._snapshots[name].digest for name in names}
            read = self._reads[names] = Read(self._consent_size, digests)
        return read

    def _decided(self, one: _Made) -> Decided:
        asked = one.asked
        return Decided(
            id=one.id,
            facts=one.facts,
            decision=one.decision,
            subject=asked.person.subject,
            blind_index=asked.person.blind_index,
            actor=asked.check.actor,
            release=self._gate.release.digest,
            read=asked.read,
            around=Circumstances(
                decided_at=self._now,
                forecast=self._is_forecast(one.facts.message.send_at),
                reference=asked.check.reference,
                release_id=self._gate.release.id,
                sender=asked.sender,
                valid_until=one.valid_until,
            ),
        )

    def _hold(self, one: _Made, held_until: datetime) -> Hold:
        message, person = one.facts.message, one.asked.person
        return Hold(
            decision=one.id,
            subject=person.subject,
            blind_index=person.blind_index,
            sender=one.asked.sender,
            channel=message.channel,
            purpose=message.purpose,
            topic=message.topic,
            # The place counts from now on: see ``rules.places.Span``.
            send_at=self._now,
            held_until=held_until,
        )

    def _permitted(self, one: _Made, label: str, valid_until: datetime) -> Permitted:
        check = one.asked.check
        return Permitted(
            organisation=self._organisation,
            sender=one.asked.sender,
            recipient=check.address.normalised,
            channel=check.channel.value,
            purpose=check.purpose.value,
            sender_id=check.sender_id,
            text=check.text,
            decision=label,
            valid_from=one.facts.message.send_at,
            valid_until=valid_until,
        )


def _by_organisation(checks: Sequence[Check]) -> dict[str, list[int]]:
    grouped: dict[str, list[int]] = {}
    for place, check in enumerate(checks):
        grouped.setdefault(check.organisation, []).append(place)
    return grouped
