"""Read scenario files strictly: one message each, with the verdict that the law asks for.

The format is the legal team's own. Whatever does not fit it is an error with file and line, for
a scenario that is read otherwise than it was meant proves nothing. Running them is not here.
"""

import re
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from jurisdictions.errors import ScenarioFileError, UnknownRegionError, UnknownTimeZoneError
from jurisdictions.regions import area_named
from jurisdictions.strict_yaml import Steps, StrictDocument, decode, load
from jurisdictions.time_zones import known_zone
from rules.history import Event
from rules.vocabulary import (
    LEVEL_OF_WORD,
    RELATIONS,
    REVIEWED,
    Channel,
    EventKind,
    ObligationCode,
    Purpose,
    Quality,
    ReasonCode,
    RecipientKind,
    Verdict,
    Via,
)

BUNDLED = Path(__file__).parent / "scenarios"
"""The scenarios that ship with this version."""

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
Text = Annotated[str, msgspec.Meta(min_length=1)]
_KEBAB = re.compile(r"[a-z]{2}[a-z0-9]*(-[a-z0-9]+)+\Z")


class _Shape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What all parts of a scenario have in common: no field is ignored."""


class ScenarioRegistration(_Shape, frozen=True):
    """What the sender holds with a registrar."""

    scheme: Text
    id: Text
    purpose: Purpose | None = None
    text: str | None = None


class ScenarioSender(_Shape, frozen=True):
    """The organisation that sends; ``country`` is where it is established."""

    name: Text
    country: Text
    registrations: tuple[ScenarioRegistration, ...] = ()


class ScenarioRecipient(_Shape, frozen=True):
    """Who gets the message, and what the sender knows of them."""

    address: Text
    region: Text | None = None
    time_zone: Text | None = None
    kind: RecipientKind = RecipientKind.CONSUMER
    age: Annotated[int, msgspec.Meta(ge=0, le=150)] | None = None


class ScenarioEvent(_Shape, frozen=True):
    """One entry of the history, as the file words it."""

    event: EventKind
    at: Instant
    channel: Channel | None = None
    purpose: Purpose | None = None
    topic: str | None = None
    brand: str | None = None
    level: Literal["implied", "express", "express_written"] | None = None
    double_opt_in: bool = False
    night: bool = False
    separate: bool = False
    guardian: bool = False
    cross_border: bool = False
    one_to_one: bool = False
    opt_out_offered: bool = False
    similar_products: bool = False
    expires_at: Instant | None = None
    ends_at: Instant | None = None
    via: Via | None = None
    text: str | None = None

    def to_event(self) -> Event:
        """The event as the law looks at it; what the person wrote is not part of it."""
        return Event(
            event=self.event,
            at=self.at,
            channel=self.channel,
            purpose=self.purpose,
            topic=self.topic,
            brand=self.brand,
            level=None if self.level is None else LEVEL_OF_WORD[self.level],
            qualities=frozenset(self.qualities()),
            expires_at=self.expires_at,
            ends_at=self.ends_at,
            via=self.via,
        )

    def qualities(self) -> Iterator[Quality]:
        """The flags that are set."""
        return (quality for quality in Quality if getattr(self, quality.value))


class ScenarioRegistryEntry(_Shape, frozen=True):
    """What the loaded copy of a public register says of this address."""

    registry: Text
    listed: bool
    as_of: date


class ScenarioTemplate(_Shape, frozen=True):
    """The registered template that the message says it follows."""

    scheme: Text
    id: Text


class ScenarioMessage(_Shape, frozen=True):
    """The message. ``sender_id`` is ``from`` in the file."""

    channel: Channel
    purpose: Purpose
    send_at: Instant
    topic: str | None = None
    sender_id: Text | None = msgspec.field(name="from", default=None)
    text: str | None = None
    template: ScenarioTemplate | None = None
    automated: bool = True
    discard_after: Instant | None = None


class Expectation(_Shape, frozen=True):
    """What the law asks for. Reasons and obligations are among those given, not all of them."""

    verdict: Verdict
    not_before: Instant | None = None
    reasons: frozenset[ReasonCode] = frozenset()
    obligations: frozenset[ObligationCode] = frozenset()


class Scenario(_Shape, frozen=True):
    """One message, what is known, and the verdict asked for."""

    id: Text
    why: Text
    source: Text
    sender: ScenarioSender
    recipient: ScenarioRecipient
    message: ScenarioMessage
    expect: Expectation
    history: tuple[ScenarioEvent, ...] = ()
    registries: tuple[ScenarioRegistryEntry, ...] = ()


def read_scenarios(source: Path | str, *, name: str | None = None) -> list[Scenario]:
    """Read one file, or a text; the first mistake is a ``ScenarioFileError`` with its line."""
    document = load(source, name=name, raises=ScenarioFileError)
    if not isinstance(document.data, list):
        raise document.error((), "a scenario file is a list, begin each scenario with '- id:'")
    scenarios = decode(document, list[Scenario])
    first: dict[str, int] = {}
    for index, scenario in enumerate(scenarios):
        line = document.line_of((index, "id"))
        if scenario.id in first:
            raise document.error(
                (index, "id"),
                f"the id {scenario.id} stands twice, first on line {first[scenario.id]}",
            )
        first[scenario.id] = line
        for path, wrong in _mistakes(scenario):
            raise _at(document, (index, *path), wrong)
    return scenarios


def read_folder(folder: Path) -> dict[str, list[Scenario]]:
    """Read every ``.yaml`` file below ``folder``, by its path in it; ids are unique in all."""
    read: dict[str, list[Scenario]] = {}
    first: dict[str, str] = {}
    for path in sorted(folder.rglob("*.yaml")):
        name = path.relative_to(folder).as_posix()
        read[name] = read_scenarios(path, name=name)
        for scenario in read[name]:
            if scenario.id in first:
                raise ScenarioFileError(
                    f"{name}:1: the id {scenario.id} stands in {first[scenario.id]} too"
                )
            first[scenario.id] = name
    return read


def _at(document: StrictDocument, path: Steps, wrong: str) -> Exception:
    where = ".".join(str(step) for step in path)
    return document.error(path, f"{where}: {wrong}")


def _mistakes(scenario: Scenario) -> Iterator[tuple[Steps, str]]:
    """What the types cannot say: path within the scenario, what is wrong and what to write."""
    if not _KEBAB.match(scenario.id):
        yield ("id",), "write kebab-case that starts with the jurisdiction, such as us-sms-evening"
    yield from _mistakes_of_place(scenario)
    for index, event in enumerate(scenario.history):
        wrong = _mistake_of_event(event)
        if wrong is not None:
            yield ("history", index), wrong
        if index and event.at < scenario.history[index - 1].at:
            yield ("history", index, "at"), "this is before the entry above, write oldest first"
    registries = [entry.registry for entry in scenario.registries]
    for index, registry in enumerate(registries):
        if registry in registries[:index]:
            yield ("registries", index), f"{registry} stands twice, write one copy"
    yield from _mistakes_of_expectation(scenario.expect)


def _mistakes_of_place(scenario: Scenario) -> Iterator[tuple[Steps, str]]:
    country, recipient = scenario.sender.country, scenario.recipient
    try:
        if "-" in country:
            raise UnknownRegionError("")
        area_named(country)
    except UnknownRegionError:
        yield ("sender", "country"), "this is no country, write ISO 3166-1 alpha-2 such as US"
    try:
        if recipient.region is not None:
            area_named(recipient.region)
    except UnknownRegionError as error:
        yield ("recipient", "region"), error.detail
    try:
        if recipient.time_zone is not None:
            known_zone(recipient.time_zone)
    except UnknownTimeZoneError as error:
        yield ("recipient", "time_zone"), error.detail


def _mistake_of_event(event: ScenarioEvent) -> str | None:
    """A field that this kind of event cannot have, or lacks."""
    kind = event.event
    if kind in REVIEWED:
        return f"a {kind} is our own note, no event of a scenario, write a revoke or leave it out"
    if kind is EventKind.GRANT and event.level is None:
        return "a grant has a level, write implied, express or express_written"
    if kind is not EventKind.GRANT and (event.level or event.expires_at):
        return f"a {kind} has no level and no expires_at, only a grant has"
    if kind not in RELATIONS and event.ends_at is not None:
        return f"a {kind} has no ends_at, only a relation such as a contract has"
    if kind not in RELATIONS | {EventKind.GRANT} and any(event.qualities()):
        return f"a {kind} has no {next(event.qualities())}, only a grant or a relation has"
    if kind not in (EventKind.REVOKE, EventKind.COMPLAINT) and (event.via or event.text):
        return f"a {kind} has no via and no text, only a revoke or a complaint has"
    return None


def _mistakes_of_expectation(expect: Expectation) -> Iterator[tuple[Steps, str]]:
    if expect.verdict is Verdict.DEFER and expect.not_before is None:
        yield ("expect",), "a defer has a not_before, write the first instant at which it may go"
    if expect.verdict is not Verdict.DEFER and expect.not_before is not None:
        yield ("expect", "not_before"), "only a defer has a not_before, remove it"
    if expect.verdict is Verdict.ALLOW and expect.reasons:
        yield ("expect", "reasons"), "an allow has no reasons, remove them"
    if expect.verdict is not Verdict.ALLOW and not expect.reasons:
        yield ("expect",), f"a {expect.verdict} has reasons, write their codes"
