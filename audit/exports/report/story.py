"""One person's trail as a report: typed, in order, each line with its place in a log.

What is said of an entry is in the entry; only the words are ours. It is written twice, for the
screen and on paper, and both say the same.
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, NamedTuple

from audit.decision_records import FindingRecord, ObligationRecord, OpenedDecision, ProvisionRecord
from audit.explain import sentence
from audit.exports.report import linked, words
from audit.exports.report.checked import Checked
from audit.exports.report.shown import visible
from audit.exports.report.strangers import may_name_others
from audit.opened import Opened
from audit.trail import Person, TrailEntry
from consent.events import STOPS, ConsentEvent, Evidence, RecordedKind
from consent.ledger.leaf import Leaf, Log
from jurisdictions.addresses import parse_address
from rules.facts import Facts
from rules.rule import ANYWHERE
from rules.vocabulary import Channel, Purpose, Verdict

LOG_NAMES: Final = {Log.CONSENT: "consent log", Log.DECISIONS: "decisions log"}
_ZONES_NAMED_MAX = 6
_WHERE: Final = "Where"


class Mark(StrEnum):
    """What an entry is, as the picture shows it."""

    GRANT = "grant"
    CONFIRM = "confirm"
    OPT_OUT = "opt_out"
    DEALING = "dealing"
    SENT = "sent"
    ERASURE = "erasure"
    OTHER = "other"
    ALLOW = "allow"
    DEFER = "defer"
    DENY = "deny"
    UNKNOWN = "unknown"


_MARKS: Final = {
    "grant": Mark.GRANT,
    "confirm": Mark.CONFIRM,
    "sent": Mark.SENT,
    "erase": Mark.ERASURE,
    "check": Mark.UNKNOWN,
    **dict.fromkeys(STOPS, Mark.OPT_OUT),
    **dict.fromkeys(("hold", "release", "link", "unlink"), Mark.OTHER),
}


class Said(NamedTuple):
    """One thing that an entry says. ``is_quoted``: in the words of others, as they wrote it."""

    label: str
    text: str
    is_quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of the trail. ``foot``: what only somebody looks for who verifies it."""

    number: int
    mark: Mark
    channel: Channel | None
    at: datetime
    title: str
    short: str
    place: str
    said: tuple[Said, ...]
    foot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The whole of it. ``as_of``: when the trail was closed, by the operator's clock. ``named``:
    what the organisation is called by the operator."""

    organisation: str
    named: str | None
    whose: str
    as_of: datetime
    scope: tuple[Said, ...]
    checked: Checked
    lines: tuple[Line, ...]
    gaps: tuple[str, ...]

    @property
    def kept_by(self) -> str:
        """The organisation by its name and id."""
        of_id = f"organisation {self.organisation}"
        return of_id if not self.named else f"{visible(self.named)} ({of_id})"


def report_of(
    trail: Sequence[TrailEntry],
    person: Person,
    *,
    organisation: str,
    named: str | None,
    whose: str,
    as_of: datetime,
    checked: Checked,
    gaps: Sequence[str] = (),
) -> Report:
    """Make the report. ``gaps``: what the consent records beside it lack."""
    around = _Around(_names_of(trail), frozenset(one.hex() for one in person.subjects))
    lines = tuple(_line(number, entry, around) for number, entry in enumerate(trail, 1))
    return Report(
        organisation=organisation,
        named=named,
        whose=whose,
        as_of=as_of,
        scope=(*_doubts(whose), *_scope(trail, person, lines)),
        checked=checked,
        lines=lines,
        gaps=tuple(gaps),
    )


def _doubts(whose: str) -> Iterator[Said]:
    """What a reader should know of an address that can be none, before they believe the rest."""
    problem = parse_address(whose).problem
    if problem is not None:
        yield Said("Mind the address", f"It can be no address: {problem}. {words.MISWRITTEN}")


def _scope(trail: Sequence[TrailEntry], person: Person, lines: Sequence[Line]) -> Iterator[Said]:
    if not lines:
        yield Said("What is on record", "Nothing is on record under this address.")
    else:
        yield Said("What is on record", _counted(trail))
        first, last = min(line.at for line in lines), max(line.at for line in lines)
        yield Said("Happened", f"from {words.moment(first)} to {words.moment(last)}")
    countries = {
        entry.decision.facts.recipient.country for entry in trail if entry.decision is not None
    }
    named = sorted(words.place(code) for code in countries if code is not None)
    if named:
        yield Said("Countries of the decisions", words.spread(named))
    for id_ in person.subjects:
        said = f"person {id_.hex()}"
        erased_at = person.erased.get(id_)
        if erased_at is not None:
            said += (
                f": erased on {words.moment(erased_at)}. That there were entries, and when, stands"
                " below; what they said was destroyed and cannot be told by anybody."
            )
        yield Said("Known in the logs as", said)
    if not person.subjects:
        yield Said("Known in the logs as", "nobody: no person is on record under this address")
    own = {entry.told[1] for entry in trail if entry.told is not None and entry.told[1]}
    naming = [str(line.number) for line in lines if _names_others(line, own)]
    if naming:
        some = f"entries {words.spread(naming)}" if len(naming) > 1 else f"entry {naming[0]}"
        yield Said("Others", f"In {some} of this report {words.OTHERS_NAMED}")
    withheld = Counter(entry.withheld for entry in trail if entry.withheld is not None)
    for why, count in sorted(withheld.items()):
        yield Said("Not told here", f"{_many(count, 'entry', 'entries')}. {words.WITHHELD[why]}")


def _names_others(line: Line, own: Collection[str]) -> bool:
    quoted = (said.text for said in line.said if said.is_quoted or said.label == _WHERE)
    return any(may_name_others(text, own) for text in quoted)


def _counted(trail: Sequence[TrailEntry]) -> str:
    events = [entry for entry in trail if entry.log is not Log.DECISIONS]
    decisions = [entry for entry in trail if entry.log is Log.DECISIONS]
    said = (
        f"{_many(len(events), 'event', 'events')} in the consent log and"
        f" {_many(len(decisions), 'decision', 'decisions')} in the decisions log"
    )
    verdicts = Counter(entry.decision.decision.verdict for entry in decisions if entry.decision)
    of_each = [
        f"{verdicts[verdict]} {words.VERDICTS[verdict].lower()}"
        for verdict in Verdict
        if verdicts[verdict]
    ]
    return f"{said} ({', '.join(of_each)})." if of_each else f"{said}."


class _Around(NamedTuple):
    """What the whole trail says: what each sender was called, and who ``are_here``, in hex."""

    names: Mapping[str, str]
    are_here: frozenset[str]


def _names_of(trail: Sequence[TrailEntry]) -> Mapping[str, str]:
    """What each sender was called; later decisions win."""
    return {
        entry.decision.circumstances.sender: entry.decision.facts.sender.name
        for entry in trail
        if entry.decision is not None
    }


def _line(number: int, entry: TrailEntry, around: _Around) -> Line:
    leaf = entry.leaf
    mark, title = _mark_of(entry), words.EVENTS.get(leaf.type, f"Entry of the kind {leaf.type}")
    if entry.decision is not None:
        said = list(_decision(entry.decision, around.names))
        title = f"Decision: {words.VERDICTS[entry.decision.decision.verdict].lower()}"
    else:
        said = list(_event(entry, around))
    if entry.withheld is not None:
        said.append(Said("Not told here", words.WITHHELD[entry.withheld]))
    place = f"{LOG_NAMES.get(entry.log, entry.log)}, entry {entry.index}"
    short = title.partition(":")[0] if entry.decision is None else title
    return Line(
        number=number,
        mark=mark,
        channel=None if leaf.channel is None else Channel(leaf.channel),
        at=leaf.occurred_at,
        title=title,
        short=short,
        place=place,
        said=tuple(Said(label, visible(text), quoted) for label, text, quoted in said),
        foot=visible(_foot(entry)),
    )


def _foot(entry: TrailEntry) -> str:
    leaf = entry.leaf
    by = "" if leaf.actor is None else f" by {leaf.actor}"
    whose = "" if leaf.subject is None else f" Of person {leaf.subject}."
    return (
        f"Recorded on {words.moment(leaf.recorded_at)}{by}.{whose} Id {entry.id.hex()}."
        f" Fingerprint of the entry (SHA-256) {entry.leaf_hash.hex()}."
    )


def _mark_of(entry: TrailEntry) -> Mark:
    if entry.decision is not None:
        return Mark(entry.decision.decision.verdict.value)
    return _MARKS.get(entry.leaf.type, Mark.DEALING)


def _event(entry: TrailEntry, around: _Around) -> Iterator[Said]:
    yield from _concerning(entry.leaf)
    if entry.told is None:
        if isinstance(entry.opened, Opened):
            # Nothing that was recorded is lost, even where there are no words for it here.
            text = entry.opened.canonical.decode("utf-8", "backslashreplace")
            yield Said("What was recorded", text, is_quoted=True)
        return
    event, address = entry.told
    yield from _particulars(event, around.names)
    if address is not None:
        yield Said("Address", address)
    for label, text in linked.sentences_of(event, entry.leaf.subject, around.are_here):
        yield Said(label, text)
    if event.text is not None:
        yield Said("Words of the person", event.text, is_quoted=True)
    if event.evidence is not None:
        yield from _evidence(event.evidence)


def _concerning(leaf: Leaf) -> Iterator[Said]:
    about = []
    if leaf.channel is not None:
        about.append(f"by {words.CHANNELS[Channel(leaf.channel)]}")
    if leaf.purpose is not None:
        about.append(f"for {words.PURPOSES[Purpose(leaf.purpose)]}")
    if about:
        yield Said("Concerning", " ".join(about))
    elif leaf.type in STOPS:
        yield Said("Concerning", "every way of contact: none was named")


def _particulars(event: ConsentEvent, names: Mapping[str, str]) -> Iterator[Said]:
    if event.sender is not None:
        yield Said("Sender", _sender(event.sender, names))
    elif event.event in STOPS and event.brand is None:
        yield Said("Sender", "every sender of the organisation: none was named")
    if event.brand is not None:
        yield Said("Brand", event.brand)
    if event.event is RecordedKind.COMPLAINT:
        yield Said("Counts as", words.COMPLAINT_COUNTS)
    if event.topic is not None:
        yield Said("Subject", event.topic)
    if event.level is not None:
        yield Said("How firmly", words.LEVELS[event.level])
    if event.qualities:
        yield Said("Further", "; ".join(words.QUALITIES[one] for one in sorted(event.qualities)))
    if event.via is not None:
        yield Said("Reached us by", words.VIAS[event.via])
    for label, at in (("Given until", event.expires_at), ("Ends", event.ends_at)):
        if at is not None:
            yield Said(label, words.moment(at))
    yield from _remarks(event)


def _remarks(event: ConsentEvent) -> Iterator[Said]:
    if event.why is not None:
        yield Said("Reason given", event.why, is_quoted=True)
    if event.flags:
        names_of_flags = ", ".join(flag.replace("_", " ") for flag in event.flags)
        yield Said("Note", f"{words.FLAGS_MEAN} ({names_of_flags})")
    if event.unread is not None:
        yield Said("As it came", event.unread, is_quoted=True)


def _evidence(evidence: Evidence) -> Iterator[Said]:
    for label, text in (
        ("How it was obtained", evidence.method and evidence.method.replace("_", " ")),
        (_WHERE, evidence.source_url),
        ("Internet address", evidence.ip),
        ("Program used", evidence.user_agent),
        ("Language", evidence.language),
    ):
        if text:
            yield Said(label, text)
    shown = evidence.disclosure
    if shown is not None and shown.version is not None:
        yield Said("Version of the text shown", shown.version)
    if shown is not None and shown.text is not None:
        yield Said("Text shown to the person", shown.text, is_quoted=True)


def _decision(opened: OpenedDecision, names: Mapping[str, str]) -> Iterator[Said]:
    facts, decision, around = opened.facts, opened.decision, opened.circumstances
    message = facts.message
    yield Said(
        "Question",
        f"May {_sender(around.sender, names)} send this person a message by"
        f" {words.CHANNELS[message.channel]} for {words.PURPOSES[message.purpose]},"
        f" at {_local(message.send_at, facts)}?",
    )
    answer = f"{words.VERDICTS[decision.verdict]}."
    if decision.not_before is not None:
        answer += f" It could go from {_local(decision.not_before, facts)}."
    if around.valid_until is not None:
        answer += f" The answer held until {words.moment(around.valid_until)}."
    yield Said("Answer", answer)
    if around.forecast:
        yield Said("Note", "Asked for a later time; it had to be asked again before sending.")
    for finding in decision.findings:
        yield Said(f"Reason ({words.VERDICTS[finding.effect].lower()})", _because(finding, facts))
    if not decision.findings:
        yield Said("Reason (allowed)", words.NOTHING_AGAINST)
    if decision.rests_on:
        places = words.spread([f"entry {index}" for index in decision.rests_on])
        yield Said("Permitted by", f"{places} of the consent log")
    for owed in decision.obligations:
        yield Said("Must be kept to", _because(owed, facts))
    yield from _circumstances(opened)
    if message.text is not None:
        yield Said("Text of the message", message.text, is_quoted=True)


def _circumstances(opened: OpenedDecision) -> Iterator[Said]:
    facts, decision = opened.facts, opened.decision
    where = [words.place(code) for code in facts.recipient.jurisdictions]
    if where:
        yield Said("Where the person was held to be", "; ".join(where))
    yield Said("Country of the sender", words.place(facts.sender.country))
    zones = [str(zone).replace("_", " ") for zone in facts.recipient.time_zones]
    if len(zones) > 1:
        more = len(zones) - _ZONES_NAMED_MAX
        some = ", ".join(zones[:_ZONES_NAMED_MAX]) + (f" and {more} more" if more > 0 else "")
        yield Said("Clocks", f"it was decided for each of the time zones it may be in: {some}")
    for name, entry in sorted(facts.registries.items()):
        listed = "is in it" if entry.listed else "is not in it"
        yield Said("Register", f"{name}, copy of {entry.as_of.isoformat()}: the address {listed}")
    yield Said(
        "Rested on",
        f"the consent log as it stood with {_many(decision.read.consent, 'entry', 'entries')}",
    )
    release = opened.circumstances.release_id
    yield Said("Rules", f"the release {release}, with the fingerprint\n{decision.release}")


def _because(one: FindingRecord | ObligationRecord, facts: Facts) -> str:
    zones = facts.recipient.time_zones
    until = one.until if isinstance(one, FindingRecord) else None
    zone = zones[0] if until is not None else None
    said = sentence(one.code, tuple(one.detail.items()), until=until, zone=zone)
    return f"{said}\n{_cited(one.provision)} (code: {one.code})"


def _cited(provision: ProvisionRecord) -> str:
    if (provision.jurisdiction, provision.regulation) == (ANYWHERE, "preconditions"):
        return f"{provision.citation}. {words.PRECONDITION}"
    since, certainty = provision.in_force_from, words.CERTAINTIES[provision.certainty]
    said = (
        f"{provision.citation}. {words.place(provision.jurisdiction)};"
        f" {words.FORCES[provision.force]}, in force from {since.day} {since:%B %Y}; {certainty}"
    )
    return said if provision.url is None else f"{said}; {provision.url}"


def _local(at: datetime, facts: Facts) -> str:
    """An instant in UTC, and on the person's clock where there is one clock that it can be."""
    zones = facts.recipient.time_zones
    said = words.moment(at)
    return said if len(zones) != 1 else f"{said} ({words.moment(at, zones[0])})"


def _sender(id_: str, names: Mapping[str, str]) -> str:
    name = names.get(id_)
    return id_ if name is None or name == id_ else f"{name} (sender {id_})"


def _many(count: int, one: str, more: str) -> str:
    return f"{count} {one if count == 1 else more}"
