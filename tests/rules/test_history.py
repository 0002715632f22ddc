"""Typed events: whose brand they name, and which confirmation answers which grant."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rules.history import Event, is_confirmed
from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality

ASKED_AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANSWERED_AT = ASKED_AT + timedelta(hours=1)


def asked(**given: Any) -> Event:
    return Event(
        event=EventKind.GRANT,
        at=ASKED_AT,
        level=Level.EXPRESS,
        qualities=frozenset({Quality.DOUBLE_OPT_IN}),
        channel=Channel.SMS,
        purpose=Purpose.MARKETING,
        **given,
    )


@pytest.mark.parametrize(
    ("named", "brand", "same"),
    [
        (None, "Acme", True),
        ("ACME", "Acme", True),
        (" Acme ", "Acme", True),
        ("Acme  Shoes", "Acme Shoes", True),
        ("Cafe\u0301", "Caf\u00e9", True),
        ("Ａｃｍｅ", "Acme", True),
        ("Acme Shoes", "Acme", False),
        ("Beta", "Acme", False),
    ],
)
def test_a_brand_is_one_however_it_is_written(named: str | None, brand: str, *, same: bool) -> None:
    assert Event(event=EventKind.REVOKE, at=ASKED_AT, brand=named).names(brand) is same


@pytest.mark.parametrize(
    ("said", "confirmed"),
    [
        ({}, True),
        ({"channel": Channel.SMS, "purpose": Purpose.MARKETING, "brand": "acme"}, True),
        ({"channel": Channel.EMAIL}, False),
        ({"purpose": Purpose.SERVICE}, False),
        ({"brand": "Beta"}, False),
        ({"at": ASKED_AT - timedelta(seconds=1)}, False),
    ],
)
def test_a_confirmation_answers_what_it_names(said: dict[str, Any], *, confirmed: bool) -> None:
    grant = asked()
    confirm = replace(Event(event=EventKind.CONFIRM, at=ANSWERED_AT), **said)
    assert is_confirmed(grant, (grant, confirm), "Acme") is confirmed


def test_a_later_question_of_another_brand_takes_no_answer_away() -> None:
    own, other = asked(), asked(brand="Beta")
    confirm = Event(event=EventKind.CONFIRM, at=ANSWERED_AT)
    assert is_confirmed(own, (own, other, confirm), "Acme")
    assert not is_confirmed(own, (own, asked(), confirm), "Acme"), "the last one was answered"
