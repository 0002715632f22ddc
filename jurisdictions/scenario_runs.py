"""Run scenarios on the pure path: facts straight from the file, no database, no clock."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from jurisdictions.addresses import parse_address
from jurisdictions.parties import message_of, recipient_of, sender_of
from jurisdictions.places import locate
from jurisdictions.scenario_files import Scenario
from rules.decision import Decision
from rules.facts import Facts, Registration, RegistryEntry, TemplateReference
from rules.history import History
from rules.vocabulary import ObligationCode, ReasonCode, Verdict

Decide = Callable[[Sequence[Facts]], Sequence[Decision]]
"""Decides a batch, each message for itself."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a scenario came to. ``shortfalls`` say in words what was asked for and not given."""

    scenario: Scenario
    verdict: Verdict
    not_before: datetime | None
    reasons: tuple[ReasonCode, ...]
    obligations: tuple[ObligationCode, ...]
    shortfalls: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Tell whether everything that was asked for was given."""
        return not self.shortfalls


def run(
    scenarios: Sequence[Scenario], decide: Decide, *, with_sheet: frozenset[str]
) -> list[Outcome]:
    """Decide every scenario and hold it against what the law asks for."""
    decisions = decide([facts_of(scenario, with_sheet=with_sheet) for scenario in scenarios])
    return [outcome_of(s, d) for s, d in zip(scenarios, decisions, strict=True)]


def outcome_of(scenario: Scenario, decision: Decision) -> Outcome:
    """Hold a decision against what the scenario asks for."""
    reasons = tuple(dict.fromkeys(finding.code for finding in decision.findings))
    obligations = tuple(dict.fromkeys(owed.code for owed in decision.obligations))
    return compare(
        scenario, decision.verdict, decision.not_before, reasons=reasons, obligations=obligations
    )


def compare(
    scenario: Scenario,
    verdict: Verdict,
    not_before: datetime | None,
    *,
    reasons: tuple[ReasonCode, ...],
    obligations: tuple[ObligationCode, ...],
) -> Outcome:
    """Say what falls short; reasons and obligations beyond those asked for are welcome."""
    expect = scenario.expect
    shortfalls = []
    if verdict is not expect.verdict:
        shortfalls.append(f"verdict {verdict}, not {expect.verdict}")
    if verdict is Verdict.DEFER and not_before != expect.not_before:
        shortfalls.append(f"not_before {not_before}, not {expect.not_before}")
    shortfalls += [f"no reason {code}" for code in sorted(expect.reasons - set(reasons))]
    missing = expect.obligations - set(obligations)
    shortfalls += [f"no obligation {code}" for code in sorted(missing)]
    return Outcome(scenario, verdict, not_before, reasons, obligations, tuple(shortfalls))


def facts_of(scenario: Scenario, *, with_sheet: frozenset[str]) -> Facts:
    """Read a scenario as facts."""
    said, message = scenario.recipient, scenario.message
    address = parse_address(said.address)
    place = locate(address, region=said.region, time_zone=said.time_zone, with_sheet=with_sheet)
    registrations = tuple(
        Registration(scheme=held.scheme, id=held.id, purpose=held.purpose, text=held.text)
        for held in scenario.sender.registrations
    )
    written = message.template
    template = None
    if written is not None:
        template = TemplateReference(scheme=written.scheme, id=written.id)
    return Facts(
        sender=sender_of(
            scenario.sender.name, scenario.sender.country, registrations, with_sheet=with_sheet
        ),
        recipient=recipient_of(
            address,
            place,
            channel=message.channel,
            kind=said.kind,
            age=said.age,
            key=scenario.id,
        ),
        message=message_of(
            message.channel,
            message.purpose,
            message.send_at,
            sender_id=message.sender_id,
            sender_country=scenario.sender.country,
            text=message.text,
            topic=message.topic,
            template=template,
            automated=message.automated,
            discard_after=message.discard_after,
        ),
        history=History(tuple(event.to_event() for event in scenario.history)),
        registries={
            entry.registry: RegistryEntry(
                registry=entry.registry, listed=entry.listed, as_of=entry.as_of
            )
            for entry in scenario.registries
        },
    )
