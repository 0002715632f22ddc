"""What every rule is: since when it says what, and when it will say something else."""

from datetime import date, datetime
from zoneinfo import ZoneInfo

from rules.decision import Provision
from rules.facts import Facts, Message, Recipient, Sender
from rules.rule import Binds, Rule, Terms, Value
from rules.vocabulary import Certainty, Channel, Force, Purpose

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")


def a_rule(*first_days: date) -> Rule:
    values = tuple(
        Value(Terms(), a_provision(day), until)
        for day, until in zip(first_days, (*first_days[1:], None), strict=True)
    )
    return Rule("xa-rule", "consent", "A rule.", Binds(), values)


def a_provision(in_force_from: date) -> Provision:
    return Provision(
        jurisdiction="XA",
        regulation="xa-act",
        rule="xa-rule",
        citation="Act s 1",
        url=None,
        force=Force.LAW,
        certainty=Certainty.VERIFIED,
        in_force_from=in_force_from,
    )


def facts_in(*zones: str) -> Facts:
    return Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1",
            country="XA",
            jurisdictions=("XA",),
            time_zones=tuple(ZoneInfo(zone) for zone in zones),
        ),
        message=Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=AT),
    )


def test_a_rule_from_the_beginning_of_time_has_no_change_behind_it_in_any_zone() -> None:
    for zone in ("Pacific/Auckland", "Europe/Tallinn", "Etc/UTC", "America/Toronto"):
        assert a_rule(date.min).next_change(facts_in(zone), AT) is None


def test_the_next_change_is_the_start_of_the_day_where_it_begins_first() -> None:
    rule = a_rule(date.min, date(2026, 11, 20), date(2026, 11, 21), date(2027, 1, 1))
    change = rule.next_change(facts_in("America/Toronto", "Europe/Tallinn"), AT)
    assert change == datetime.fromisoformat("2026-11-21T00:00:00+02:00")


def test_a_change_on_a_day_that_has_begun_is_no_change_to_come() -> None:
    rule = a_rule(date.min, date(2026, 11, 20))
    assert rule.next_change(facts_in("Europe/Tallinn"), AT) is None
    late = facts_in("Pacific/Pago_Pago")
    before = datetime.fromisoformat("2026-11-20T10:59:59+00:00")
    assert rule.next_change(late, before) == datetime.fromisoformat("2026-11-20T00:00:00-11:00")
