"""The plan's decisions a second, with all US law, against cedarpy and zen-engine with seven rules.

Facts are ready-made for all three. Ours are typed: a person's events, registers, zones. Theirs
are flat: somebody has already found the level of consent, whether it was revoked, the earliest
and latest local minute, and how many messages count, so they have less left to do. Their rules
are parsed once, and each is asked in the quickest way that its interface offers. Ours answers
with every reason and its provision, obligations, and when the message may go.
"""

import gc
import json
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from time import perf_counter
from typing import Any
from zoneinfo import ZoneInfo

import cedarpy
import zen

from jurisdictions.releases import bundled_release
from rules.decision import Decision
from rules.facts import (
    Facts,
    Message,
    Recipient,
    Registration,
    RegistryEntry,
    Sender,
    SenderId,
)
from rules.history import Event, History
from rules.plan import compile_plan
from rules.vocabulary import Channel, EventKind, Level, NumberType, Purpose, SenderForm, Verdict

PEOPLE = 1000
ROUNDS = 30
SEND_AT = datetime(2026, 11, 20, 16, 30, tzinfo=UTC)

STATES = {
    "CA": (39, ["America/Los_Angeles"]),
    "TX": (31, ["America/Chicago"]),
    "FL": (23, ["America/New_York"]),
    "NY": (20, ["America/New_York"]),
    "PA": (13, ["America/New_York"]),
    "IL": (13, ["America/Chicago"]),
    "OH": (12, ["America/New_York"]),
    "GA": (11, ["America/New_York"]),
    "WA": (8, ["America/Los_Angeles"]),
    "AZ": (7, ["America/Phoenix"]),
    "NJ": (9, ["America/New_York"]),
    "VA": (9, ["America/New_York"]),
    "OK": (4, ["America/Chicago"]),
    "OR": (4, ["America/Los_Angeles"]),
    "CO": (6, ["America/Denver"]),
    "TN": (7, ["America/Chicago", "America/New_York"]),
}
"""Where people live: millions of them, and the zones that their numbers leave possible."""

CEDAR = """
permit(principal, action, resource);
@id("consent_insufficient") forbid(principal, action, resource) when { context.level < 3 };
@id("consent_revoked") forbid(principal, action, resource) when { context.revoked };
@id("quiet_hours") forbid(principal, action, resource)
    when { context.earliest < 480 || context.latest >= 1260 };
@id("registry") forbid(principal, action, resource)
    when { context.listed || context.copy_days > 31 };
@id("sender_unregistered") forbid(principal, action, resource) when { !context.registered };
@id("minor") forbid(principal, action, resource) when { context.age < 13 };
@id("frequency_cap") forbid(principal, action, resource) when { context.sent >= 3 };
"""

ZEN = (
    ("consent_insufficient", "level < 3"),
    ("consent_revoked", "revoked"),
    ("quiet_hours", "earliest < 480 or latest >= 1260"),
    ("registry", "listed or copy_days > 31"),
    ("sender_unregistered", "not registered"),
    ("minor", "age < 13"),
    ("frequency_cap", "sent >= 3"),
)


def main() -> None:
    people = [person(number, random.Random(number)) for number in range(PEOPLE)]
    plan = compile_plan(bundled_release().rules)
    decisions = plan.decide_many(people)
    _describe(plan.rules, people, decisions)

    flat = [_flat(one) for one in people]
    contenders = {**_cedar(flat), **_zen(flat)}
    contenders["ours, one at a time"] = lambda: [plan.decide_many((one,)) for one in people]
    contenders["ours, batch of 1,000"] = lambda: plan.decide_many(people)
    micros = _measure(contenders)
    print(f"\nmicroseconds a decision, the quickest of {ROUNDS} rounds taken in turn:")
    for name, took in micros.items():
        print(f"  {name:<44} {took:8.2f}   {1e6 / took:12,.0f} a second")
    _print_ratios(micros)


def _print_ratios(micros: dict[str, float]) -> None:
    theirs = {name: took for name, took in micros.items() if not name.startswith("ours")}
    one = min(took for name, took in theirs.items() if name.endswith("one at a time"))
    many = min(took for name, took in theirs.items() if "batch of 1,000" in name)
    tricked = min(one, *(took for name, took in theirs.items() if "batches of one" in name))
    rows = (
        ("one at a time, to the faster of the two (to reach: 4)", one, "ours, one at a time"),
        ("one at a time, to batches of one as well", tricked, "ours, one at a time"),
        ("in a batch, to the faster one at a time (to reach: 20)", one, "ours, batch of 1,000"),
        ("in a batch, to the faster batch", many, "ours, batch of 1,000"),
    )
    print("\nratios:")
    for words, floor, ours in rows:
        print(f"  {words:<58} {floor / micros[ours]:6.1f}")


def person(number: int, chance: random.Random) -> Facts:
    """Make one recipient of the campaign, with a history and registers of their own."""
    state = chance.choices(list(STATES), [weight for weight, _ in STATES.values()])[0]
    registers = {
        "us-national-dnc": RegistryEntry(
            registry="us-national-dnc", listed=chance.random() < 0.4, as_of=date(2026, 11, 10)
        ),
    }
    if chance.random() < 0.9:
        registers["us-rnd"] = RegistryEntry(
            registry="us-rnd", listed=chance.random() < 0.01, as_of=date(2026, 11, 15)
        )
    return Facts(
        sender=SENDER,
        recipient=Recipient(
            key=f"recipient-{number}",
            country="US",
            jurisdictions=("US", f"US-{state}"),
            region=f"US-{state}",
            time_zones=ZONES[state],
            zone_source="region",
            number_type=NumberType.FIXED_OR_MOBILE,
            age=chance.choice((None, None, None, 12 + chance.randrange(1, 60))),
        ),
        message=MESSAGE,
        history=History(tuple(sorted(_events(chance), key=lambda event: event.at))),
        registries=registers,
    )


def _events(chance: random.Random) -> list[Event]:
    """Make a history: most signed up, some bought, some had messages, one in twelve said stop."""

    def at(days: float) -> datetime:
        return SEND_AT - timedelta(days=days, microseconds=chance.randrange(10**9))

    events = []
    level = chance.choices((None, Level.EXPRESS, Level.EXPRESS_WRITTEN), (4, 4, 92))[0]
    if level is not None:
        events.append(
            Event(
                event=EventKind.GRANT,
                at=at(chance.uniform(30, 900)),
                channel=Channel.SMS,
                purpose=Purpose.MARKETING,
                level=level,
                index=chance.randrange(10**6),
            )
        )
    if chance.random() < 0.5:
        events.append(Event(event=EventKind.PURCHASE, at=at(chance.uniform(1, 900))))
    events += [
        Event(
            event=EventKind.SENT,
            at=at(chance.choice((0.5, 7, 14, 28))),
            channel=Channel.SMS,
            purpose=Purpose.MARKETING,
            brand="Acme",
        )
        for _ in range(chance.choices((0, 1, 2, 4), (40, 40, 15, 5))[0])
    ]
    if chance.random() < 0.08:
        events.append(
            Event(event=EventKind.REVOKE, at=at(chance.uniform(0, 30)), channel=Channel.SMS)
        )
    return events


ZONES = {state: tuple(ZoneInfo(zone) for zone in zones) for state, (_, zones) in STATES.items()}
SENDER = Sender(
    name="Acme",
    country="US",
    jurisdictions=("US",),
    registrations=(Registration(scheme="us-10dlc", id="C123"),),
)
MESSAGE = Message(
    channel=Channel.SMS,
    purpose=Purpose.MARKETING,
    send_at=SEND_AT,
    topic="autumn",
    sender_id=SenderId(
        text="+12025550100", form=SenderForm.NUMBER, digits="12025550100", country="US"
    ),
    text="Acme: our autumn sale has begun. Reply STOP to opt out.",
)


def _flat(facts: Facts) -> dict[str, object]:
    """Give what the same person comes to once somebody has done most of the work."""
    grants = [e.level or Level.IMPLIED for e in facts.history.events if e.event is EventKind.GRANT]
    minutes = [
        (local := SEND_AT.astimezone(zone)).hour * 60 + local.minute
        for zone in facts.recipient.time_zones
    ]
    sent = [e for e in facts.history.events if e.event is EventKind.SENT]
    return {
        "level": int(max(grants, default=0)),
        "revoked": any(e.event is EventKind.REVOKE for e in facts.history.events),
        "earliest": min(minutes),
        "latest": max(minutes),
        "listed": any(e.listed for e in facts.registries.values() if e.registry == "us-rnd"),
        "copy_days": 10,
        "registered": True,
        "age": facts.recipient.age or 99,
        "sent": sum(e.at > SEND_AT - timedelta(hours=24) for e in sent),
    }


def _cedar(flat: Sequence[dict[str, object]]) -> dict[str, Callable[[], object]]:
    policies = cedarpy.PolicySet.from_str(CEDAR)
    entities = cedarpy.Entities.from_json_str("[]")
    requests = [
        {
            "principal": {"type": "Sender", "id": "acme"},
            "action": {"type": "Action", "id": "send"},
            "resource": {"type": "Person", "id": "person"},
            "context": json.dumps(one),
        }
        for one in flat
    ]
    answer = cedarpy.is_authorized_batch(requests, policies, entities)[0]
    assert not answer.diagnostics.errors, answer.diagnostics.errors
    return {
        "cedarpy, one at a time": lambda: [
            cedarpy.is_authorized(request, policies, entities) for request in requests
        ],
        "cedarpy, batch of 1,000": lambda: cedarpy.is_authorized_batch(
            requests, policies, entities
        ),
    }


def _zen(flat: Sequence[dict[str, object]]) -> dict[str, Callable[[], object]]:
    graph = _zen_graph()
    engine = zen.ZenEngine({"loader": {"type": "static", "content": {"rules": graph}}})
    decision = zen.ZenEngine().create_decision(zen.ZenDecisionContent(json.dumps(graph)))
    texts = [json.dumps(one) for one in flat]
    requests: Any = [{"key": "rules", "context": text} for text in texts]
    assert all(answer["success"] for answer in engine.evaluate_batch(requests))
    return {
        "zen-engine, one at a time": lambda: [decision.evaluate(one) for one in texts],
        "zen-engine, batches of one": lambda: [
            engine.evaluate_batch([request]) for request in requests
        ],
        "zen-engine, batch of 1,000 (its own threads)": lambda: engine.evaluate_batch(requests),
    }


def _zen_graph() -> dict[str, object]:
    place = {"x": 0, "y": 0}
    expressions = [{"id": name, "key": name, "value": rule} for name, rule in ZEN]
    return {
        "nodes": [
            {"id": "in", "type": "inputNode", "name": "in", "position": place},
            {
                "id": "rules",
                "type": "expressionNode",
                "name": "rules",
                "position": place,
                "content": {"expressions": expressions},
            },
            {"id": "out", "type": "outputNode", "name": "out", "position": place},
        ],
        "edges": [
            {"id": "1", "sourceId": "in", "targetId": "rules", "type": "edge"},
            {"id": "2", "sourceId": "rules", "targetId": "out", "type": "edge"},
        ],
    }


def _measure(contenders: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Give each one's quickest round; they take turns, so that each meets a quiet moment."""
    took: dict[str, list[float]] = {name: [] for name in contenders}
    for ask in contenders.values():
        ask()
    gc.collect()
    gc.freeze()
    for _ in range(ROUNDS):
        for name, ask in contenders.items():
            began = perf_counter()
            ask()
            took[name].append((perf_counter() - began) / PEOPLE * 1e6)
    return {name: min(times) for name, times in took.items()}


def _describe(
    rules: Sequence[object], people: Sequence[Facts], decisions: Sequence[Decision]
) -> None:
    verdicts = Counter(decision.verdict for decision in decisions)
    codes = Counter(finding.code.value for one in decisions for finding in one.findings)
    events = sum(len(one.history.events) for one in people) / len(people)
    print(f"{len(rules)} rules in the release, {len(people)} people, {events:.1f} events each")
    print("  " + ", ".join(f"{verdicts[verdict]} {verdict.value}" for verdict in Verdict))
    print("  " + ", ".join(f"{count} {code}" for code, count in codes.most_common()))


if __name__ == "__main__":
    main()
