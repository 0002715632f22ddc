"""What of a person's trail is for people: the story in words that need no training.

Each document is a file of the bundle; the manifest vouches for it, ``verify.py`` does not read it.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from textwrap import fill
from typing import Final

from audit.decision_records import FindingRecord, ObligationRecord, OpenedDecision
from audit.explain import sentence
from audit.exports.report import linked, words
from audit.exports.report.shown import visible
from audit.opened import Withheld
from audit.trail import Person, TrailEntry
from consent.events import ConsentEvent, RecordedKind
from jurisdictions.addresses import parse_address
from rules.vocabulary import Level, Verdict

TEXT_NAME = "trail.txt"
_WIDTH = 90

_EVENTS: Final = {
    "grant": "Consent was given",
    "confirm": "Consent was confirmed",
    "revoke": "An opt-out",
    "purchase": "A purchase",
    "contract": "A contract",
    "inquiry": "An inquiry",
    "donation": "A donation",
    "membership": "A membership",
    "publication": "The address was published",
    "sent": "A message was sent",
    "complaint": "A complaint",
    "erase": "The data on record until then was erased",
    "link": "Addresses were recorded as one person's",
    "unlink": "Addresses were recorded as no longer one person's",
    "hold": "A reply was put aside for a person to read; marketing waited meanwhile",
    "release": "A reply that had been put aside was read",
    "check": "Somebody asked whether a message may be sent",
}
_LEVELS: Final = {
    Level.IMPLIED: "implied by what was done",
    Level.EXPRESS: "expressly",
    Level.EXPRESS_WRITTEN: "expressly and in writing",
}
_VERDICTS: Final = {
    Verdict.ALLOW: "It was allowed.",
    Verdict.DEFER: "It had to wait.",
    Verdict.DENY: "It was not allowed.",
}
_WITHHELD: Final = {
    Withheld.ERASED: "What it said was erased.",
    Withheld.KEY_DESTROYED: "What it said was destroyed when its time was over.",
    Withheld.CONFIDENTIAL: "It holds only what keeps messages from being sent all the same.",
    Withheld.DAMAGED: "What it said cannot be read any more.",
    Withheld.NOT_ASKED: "It concerns another sender.",
}
_HEAD = """\
WHAT IS ON RECORD

{whose}
{count}, in the order in which they were recorded. Times are in UTC. Each names its place
in the logs; README.txt says how to verify that nothing was changed or left out.
"""


def documents_of(
    trail: Sequence[TrailEntry], person: Person, whose: str
) -> Iterator[tuple[str, Iterable[bytes]]]:
    """The documents of a person's bundle, by name."""
    yield TEXT_NAME, _text(trail, person, whose)


def _text(trail: Sequence[TrailEntry], person: Person, whose: str) -> Iterator[bytes]:
    yield _HEAD.format(whose=_whose(trail, person, whose), count=_count(trail)).encode()
    here = {one.hex() for one in person.subjects}
    for number, entry in enumerate(trail, 1):
        lines = _decision(entry.decision) if entry.decision else _event(entry, here)
        if entry.withheld is not None:
            lines.append(_WITHHELD[entry.withheld])
        lines.append(f"Recorded in the log {entry.log}, entry {entry.index}.")
        first, *rest = lines
        at = _moment(entry.leaf.occurred_at)
        head = visible(first).replace("\n", " ")
        said = [f"{number}. {at}: {head}", *(_folded(visible(line)) for line in rest)]
        yield ("\n" + "\n".join(said) + "\n").encode()


def _count(trail: Sequence[TrailEntry]) -> str:
    return "1 entry" if len(trail) == 1 else f"{len(trail)} entries"


def _whose(trail: Sequence[TrailEntry], person: Person, whose: str) -> str:
    said = f"Under the address {whose}."
    for at in dict.fromkeys(_moment(at) for at in person.erased.values()):
        said += f" Somebody on record under it was erased on {at}."
    problem = parse_address(whose).problem
    if problem is not None:
        said += f" It can be no address: {problem}. {words.MISWRITTEN}"
    if not person.subjects and not trail:
        said += " Nothing is on record."
    return fill(said, _WIDTH)


def _event(entry: TrailEntry, here: Collection[str]) -> list[str]:
    leaf = entry.leaf
    said = _EVENTS.get(leaf.type, f"An entry of the kind {leaf.type}")
    about = [
        f"by {leaf.channel}" if leaf.channel else "",
        f"for {leaf.purpose}" * bool(leaf.purpose),
    ]
    event = entry.told[0] if entry.told else None
    if event is not None and event.level is not None:
        said += f" {_LEVELS[event.level]}"
    if event is not None and (event.brand or event.sender):
        about.append(f"concerning {event.brand or event.sender}")
    elif event is not None and event.event is RecordedKind.REVOKE:
        about.append("concerning everybody who sends")
    said = " ".join([said, *filter(None, about)]) + "."
    if event is None:
        return [said]
    others = [f"{label}: {text}" for label, text in linked.sentences_of(event, leaf.subject, here)]
    return [said, *_evidence(event, entry), *others]


def _evidence(event: ConsentEvent, entry: TrailEntry) -> Iterator[str]:
    address = entry.told[1] if entry.told else None
    if address is not None:
        yield f"Address: {address}"
    if event.text:
        yield f"Their words: “{event.text}”"
    if event.why:
        yield f"Reason given: “{event.why}”"
    evidence = event.evidence
    if evidence is None:
        return
    how = [evidence.method, evidence.source_url, evidence.ip, evidence.user_agent]
    if any(how):
        yield "How: " + ", ".join(filter(None, how))
    shown = evidence.disclosure
    if shown is not None and shown.text:
        version = f" (version {shown.version})" if shown.version else ""
        yield f"Shown then{version}: “{shown.text}”"


def _decision(opened: OpenedDecision) -> list[str]:
    message, decision = opened.facts.message, opened.decision
    said = (
        f"Somebody asked whether {opened.circumstances.sender} may send a message by"
        f" {message.channel} for {message.purpose}. {_VERDICTS[decision.verdict]}"
    )
    return [
        said,
        *(_because(one) for one in decision.findings),
        *(f"With it: {_because(one)}" for one in decision.obligations),
    ]


def _because(one: FindingRecord | ObligationRecord) -> str:
    until = one.until if isinstance(one, FindingRecord) else None
    words = sentence(one.code, tuple(one.detail.items()), until=until)
    return f"{words} ({one.provision.citation}, {one.provision.jurisdiction})"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def _folded(line: str) -> str:
    return fill(line, _WIDTH, initial_indent="   ", subsequent_indent="   ")
