"""Law, people and messages of country XA, with good defaults: say only what the test is about."""

from collections.abc import Iterable
from datetime import date, datetime
from zoneinfo import ZoneInfo

from rules.decision import Provision
from rules.engine import decide
from rules.facts import Facts, Message, Recipient, Registration, RegistryEntry, Sender, SenderId
from rules.history import Event, History
from rules.rule import SINCE_EVER, Binds, Rule, Terms, Value
from rules.vocabulary import (
    Certainty,
    Channel,
    EventKind,
    Force,
    Level,
    Purpose,
    ReasonCode,
)

NEW_YORK = ZoneInfo("America/New_York")


def at(text: str) -> datetime:
    """Read an instant: ``2026-03-02T12:00:00-05:00``."""
    instant = datetime.fromisoformat(text)
    assert instant.tzinfo is not None, f"{text} has no offset"
    return instant


NOON = at("2026-03-02T12:00:00-05:00")
"""A Monday, in winter."""


def a_rule(
    *terms: Terms, name: str = "xa-rule", since: tuple[date, ...] = (), binds: Binds | None = None
) -> Rule:
    """Give a rule that says each of ``terms`` from its day on; the first one always held."""
    starts = (SINCE_EVER, *since)
    ends = (*since, None)
    values = tuple(
        Value(one, a_provision(name, start), end)
        for one, start, end in zip(terms, starts, ends, strict=True)
    )
    waits = any(one.waits for one in terms)
    return Rule(name, "kind", "A rule of XA.", binds or Binds(), values, waits)


def a_provision(name: str = "xa-rule", since: date = SINCE_EVER) -> Provision:
    return Provision(
        jurisdiction="XA",
        regulation="xa-messaging-act",
        rule=name,
        citation="Messaging Act 2019",
        url=None,
        force=Force.LAW,
        certainty=Certainty.VERIFIED,
        in_force_from=since,
    )


def a_grant(day: str = "2026-01-05T12:00:00-05:00", **particulars: object) -> Event:
    given = {"level": Level.EXPRESS_WRITTEN, **particulars}
    return Event(event=EventKind.GRANT, at=at(day), **given)  # type: ignore[arg-type]


def an_event(event: EventKind, day: str, **particulars: object) -> Event:
    return Event(event=event, at=at(day), **particulars)  # type: ignore[arg-type]


def a_message_to(
    *history: Event,
    send_at: datetime = NOON,
    zones: Iterable[str] = ("America/New_York",),
    channel: Channel = Channel.SMS,
    purpose: Purpose = Purpose.MARKETING,
    text: str | None = None,
    topic: str | None = None,
    sender_id: SenderId | None = None,
    registrations: tuple[Registration, ...] = (),
    registries: Iterable[RegistryEntry] = (),
    discard_after: datetime | None = None,
    key: str = "1",
    age: int | None = None,
) -> Facts:
    """Give a marketing text from Acme to somebody in XA with this on record."""
    return Facts(
        sender=Sender(
            name="Acme", country="XA", jurisdictions=("XA",), registrations=registrations
        ),
        recipient=Recipient(
            key=key,
            country="XA",
            jurisdictions=("XA",),
            time_zones=tuple(map(ZoneInfo, zones)),
            age=age,
        ),
        message=Message(
            channel=channel,
            purpose=purpose,
            send_at=send_at,
            text=text,
            topic=topic,
            sender_id=sender_id,
            discard_after=discard_after,
        ),
        history=History(history),
        registries={entry.registry: entry for entry in registries},
    )


def codes_of(terms: Terms, facts: Facts) -> list[ReasonCode]:
    """Give what one rule with these terms has against the message."""

    return [finding.code for finding in decide(facts, (a_rule(terms),)).findings]
