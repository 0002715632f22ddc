"""Say what consent records would be worth as proof under each law that binds; record nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import product

import msgspec
from sqlalchemy import Connection

from api.operations.check_answers import Reason, ReleaseName, reasons_of
from audit.assess import EvidenceLack, evidence_lacks, evidence_sentence, lack_sentence
from consent import senders
from consent.events import ConsentEvent, RecordedKind
from consent.ledger.identifiers import uuid7
from consent.on_record import OnRecord
from consent.opt_outs import is_storable
from consent.recording import EventInput, as_recorded
from consent.senders import SenderRecord
from consent.standing import KeptEvent
from jurisdictions.addresses import Address
from jurisdictions.parties import BY_NUMBER, message_of, recipient_of, sender_of
from jurisdictions.places import Place
from jurisdictions.releases import Release
from rules.decision import Decision, Finding, Provision
from rules.errors import ComplianceError
from rules.facts import Facts, Sender
from rules.history import Event, History
from rules.vocabulary import Certainty, Channel, Force, Purpose, RecipientKind, Verdict
from rules.worth import UnderLaw, Worth, assess

NOBODY = Sender(name="", country="", jurisdictions=())
"""The sender of an opt-out that names none: it speaks to all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One record to assess. ``is_dated``: it says itself when it happened."""

    address: Address
    place: Place
    event: ConsentEvent
    is_dated: bool
    kind: RecipientKind = RecipientKind.CONSUMER
    age: int | None = None


class LackTold(msgspec.Struct, frozen=True, kw_only=True):
    """What the record lacks under one law, in words too."""

    code: str
    needed: str | None
    has: str | None
    detail: str


class LawTold(msgspec.Struct, frozen=True, kw_only=True):
    """What the record is worth under one rule, for messages of these channels and purposes.

    ``worth`` is `permits`, `falls_short`, `nothing`, `not_needed` or `stops`. ``needed``: the level
    of a grant that would do. ``registries``: what has to be asked of registers before each message.
    """

    channels: tuple[Channel, ...]
    purposes: tuple[Purpose, ...]
    jurisdiction: str
    regulation: str
    rule: str
    cite: str
    url: str | None
    force: Force
    certainty: Certainty
    worth: Worth
    lacks: tuple[LackTold, ...]
    needed: str | None
    registries: tuple[str, ...]
    lapses_at: datetime | None


class KeepTold(msgspec.Struct, frozen=True, kw_only=True):
    """A law that asks for the record itself, and for how many months; null: it names no number."""

    jurisdiction: str
    regulation: str
    rule: str
    cite: str
    months: int | None


class EvidenceTold(msgspec.Struct, frozen=True, kw_only=True):
    """What the record lacks as evidence. ``asked_by``: the provisions that ask for a record."""

    code: EvidenceLack
    detail: str
    asked_by: tuple[str, ...]


class AssessmentAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What one record would be worth by itself, as the law stands at ``assessed_at``.

    ``enough``: no law that binds asks for more of the consent, for any of the channels and purposes
    it speaks of. ``provable``: the record holds what would prove it, too; ``evidence`` says what
    is missing else. Without it a court hears a claim.
    ``lapses_at``: the first instant from which some law that it satisfies asks for more.
    """

    enough: bool
    provable: bool
    lapses_at: datetime | None
    jurisdictions: tuple[str, ...]
    laws: tuple[LawTold, ...]
    findings: tuple[Reason, ...]
    evidence: tuple[EvidenceTold, ...]
    keep: tuple[KeepTold, ...]
    release: ReleaseName
    assessed_at: datetime


def assess_events(
    connection: Connection,
    organisation: str,
    given: Sequence[Given],
    *,
    release: Release,
    now: datetime,
) -> list[AssessmentAnswer | ComplianceError]:
    """Assess each record by itself, in order; an error stands where recording would be refused.

    A ``confirm`` of the same address among them answers the grants that asked for it.
    """
    named = {one.event.sender for one in given if one.event.sender is not None}
    known = senders.load_many(connection, organisation, set(filter(is_storable, named)))
    desk = _Desk(release, known, now)
    return [desk.assess(one, given) for one in given]


@dataclass(frozen=True, slots=True)
class _Desk:
    release: Release
    known: Mapping[str, SenderRecord]
    now: datetime

    def assess(self, one: Given, others: Sequence[Given]) -> AssessmentAnswer | ComplianceError:
        names = {id_: record.name for id_, record in self.known.items()}
        read = as_recorded(EventInput(one.address, one.event, uuid7(self.now)), names, self.now)
        if isinstance(read, ComplianceError):
            return read
        confirming = [
            other.event
            for other in others
            if other is not one
            and other.event.event is RecordedKind.CONFIRM
            and other.address.normalised == one.address.normalised
        ]
        sender = self._sender(read)
        events = _as_law_sees(read, confirming, names)
        laws: dict[tuple[UnderLaw, Channel], list[Purpose]] = {}
        findings: dict[Finding, None] = {}
        keep: dict[tuple[Provision, int | None], None] = {}
        jurisdictions: tuple[str, ...] = ()
        for facts in self._facts(one, read, sender, events):
            found = assess(events[0], facts, self.release.rules)
            for law in found.laws:
                laws.setdefault((law, facts.message.channel), []).append(facts.message.purpose)
            findings.update(dict.fromkeys(found.findings))
            keep.update(dict.fromkeys(found.keep))
            jurisdictions = facts.recipient.jurisdictions
        told = tuple(_laws_told(laws))
        missing = evidence_lacks(read, is_dated=one.is_dated)
        return AssessmentAnswer(
            provable=not missing,
            enough=not findings
            and bool(told)
            and all(law.worth in (Worth.PERMITS, Worth.NOT_NEEDED) for law in told),
            lapses_at=min((law.lapses_at for law in told if law.lapses_at), default=None),
            jurisdictions=(*jurisdictions, *_more(sender.jurisdictions, jurisdictions)),
            laws=told,
            findings=reasons_of(_bare(tuple(findings)), None),
            evidence=tuple(
                EvidenceTold(
                    code=lack,
                    detail=evidence_sentence(lack),
                    asked_by=tuple(provision.citation for provision, _ in keep),
                )
                for lack in missing
            ),
            keep=tuple(_keep_told(provision, months) for provision, months in keep),
            release=ReleaseName(self.release.id, self.release.digest),
            assessed_at=self.now,
        )

    def _sender(self, event: ConsentEvent) -> Sender:
        record = None if event.sender is None else self.known.get(event.sender)
        if record is None:
            return NOBODY
        held = tuple(one.to_facts() for one in record.registrations)
        return sender_of(record.name, record.country, held, with_sheet=self.release.with_sheet)

    def _facts(
        self, one: Given, event: ConsentEvent, sender: Sender, events: tuple[Event, ...]
    ) -> Iterator[Facts]:
        """A message now of each channel and purpose that the record speaks of."""
        channels = [event.channel] if event.channel else _channels_of(one.address)
        purposes = [event.purpose] if event.purpose else list(Purpose)
        for channel, purpose in product(channels, purposes):
            message = message_of(
                channel,
                purpose,
                self.now,
                sender_id=None,
                sender_country=sender.country,
                text=None,
                topic=event.topic,
            )
            recipient = recipient_of(
                one.address, one.place, channel=channel, kind=one.kind, age=one.age
            )
            history = History(tuple(sorted(events, key=lambda each: each.at)))
            yield Facts(sender=sender, recipient=recipient, message=message, history=history)


def _as_law_sees(
    event: ConsentEvent, confirming: Sequence[ConsentEvent], names: Mapping[str, str]
) -> tuple[Event, ...]:
    """The event first, then what answers it; as a check would see them of a message of its
    sender."""
    kept = [KeptEvent.of(one, place) for place, one in enumerate((event, *confirming))]
    return OnRecord(None, b"", kept, (), names).history(event.sender or "").events


def _channels_of(address: Address) -> list[Channel]:
    if address.channel_family == "number":
        return [*(one for one in Channel if one in BY_NUMBER), Channel.PUSH]
    return [Channel.EMAIL, Channel.PUSH]


def _more(these: Sequence[str], than: Sequence[str]) -> Iterator[str]:
    return (one for one in these if one not in than)


def _bare(findings: tuple[Finding, ...]) -> Decision:
    return Decision(Verdict.DENY, findings, (), None, None, ())


def _laws_told(laws: Mapping[tuple[UnderLaw, Channel], Sequence[Purpose]]) -> Iterator[LawTold]:
    """Channels for which a law says the same of the same purposes are told together."""
    merged: dict[tuple[UnderLaw, tuple[Purpose, ...]], list[Channel]] = {}
    for (law, channel), purposes in laws.items():
        merged.setdefault((law, tuple(purposes)), []).append(channel)
    for (law, purposes), channels in merged.items():
        provision = law.provision
        yield LawTold(
            channels=tuple(channels),
            purposes=purposes,
            jurisdiction=provision.jurisdiction,
            regulation=provision.regulation,
            rule=provision.rule,
            cite=provision.citation,
            url=provision.url,
            force=provision.force,
            certainty=provision.certainty,
            worth=law.worth,
            lacks=tuple(
                LackTold(
                    code=lack.code.value,
                    needed=lack.needed,
                    has=lack.has,
                    detail=lack_sentence(lack),
                )
                for lack in law.lacks
            ),
            needed=law.needed,
            registries=law.registries,
            lapses_at=law.lapses_at,
        )


def _keep_told(provision: Provision, months: int | None) -> KeepTold:
    return KeepTold(
        jurisdiction=provision.jurisdiction,
        regulation=provision.regulation,
        rule=provision.rule,
        cite=provision.citation,
        months=months,
    )
