"""Opt-outs: nothing is refused, and what cannot be read narrows nothing."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import NoAddressError
from consent.events import Evidence, Flag, RecordedKind, decode_payload, encode_payload
from consent.opt_outs import is_instant, read_opt_out, widened
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Purpose, Via
from tests.support.consents import ANN, NOW

ADDRESS = "+12125550123"


def test_no_scope_means_everything() -> None:
    read = read_opt_out({"address": ADDRESS, "via": "agent"}, now=NOW)
    event = read.event
    assert (read.address, event.event, event.at) == (ADDRESS, RecordedKind.REVOKE, NOW)
    assert (event.sender, event.channel, event.purpose, event.brand) == (None, None, None, None)
    assert (event.via, event.flags, event.unread) == (Via.AGENT, (), None)


def test_a_scope_is_kept_as_it_was_given() -> None:
    body: dict[str, object] = {
        "address": ADDRESS,
        "event": "revoke",
        "sender": "acme",
        "channel": " SMS",
        "purpose": "marketing",
        "topic": "shoes",
        "brand": "Acme",
        "via": "keyword",
        "text": "STOP\n",
        "at": "2026-11-20T09:00:00+09:00",
        "evidence": {"source_url": "https://example.com/u"},
    }
    event = read_opt_out(body, now=NOW).event
    assert (event.sender, event.channel, event.purpose) == ("acme", Channel.SMS, Purpose.MARKETING)
    assert (event.topic, event.brand, event.via, event.text) == (
        "shoes",
        "Acme",
        Via.KEYWORD,
        "STOP\n",
    )
    assert event.at == datetime(2026, 11, 20, tzinfo=UTC)
    assert event.evidence == Evidence(source_url="https://example.com/u")
    assert event.flags == ()


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [
        ("sender", 7, Flag.SENDER_UNREADABLE),
        ("sender", "", Flag.SENDER_UNREADABLE),
        ("sender", "a\0b", Flag.SENDER_UNREADABLE),
        ("channel", "fax", Flag.CHANNEL_UNREADABLE),
        ("channel", ["sms", "mms"], Flag.CHANNEL_UNREADABLE),
        ("purpose", "promo", Flag.PURPOSE_UNREADABLE),
        ("brand", {"name": "Acme"}, Flag.BRAND_UNREADABLE),
        ("via", "pigeon", Flag.VIA_UNREADABLE),
        ("text", 1.5, Flag.TEXT_UNREADABLE),
        ("text", "\ud800", Flag.TEXT_UNREADABLE),
        ("at", "yesterday", Flag.AT_UNREADABLE),
        ("at", "2026-11-20T09:00:00", Flag.AT_UNREADABLE),
        ("at", "0001-01-01T00:00:00+14:00", Flag.AT_UNREADABLE),
        ("evidence", "a screenshot", Flag.FIELDS_UNREADABLE),
        ("level", "express", Flag.FIELDS_UNREADABLE),
    ],
)
def test_a_part_that_cannot_be_read_is_kept_and_narrows_nothing(
    name: str, value: object, flag: Flag
) -> None:
    event = read_opt_out({"address": ADDRESS, name: value}, now=NOW).event
    assert event.flags == (flag,)
    assert event.at == NOW
    assert not [part for part in ("sender", "channel", "purpose", "brand") if getattr(event, part)]
    assert event.unread is not None
    assert json.loads(event.unread) == {name: value}


@pytest.mark.parametrize(
    "body", [{}, {"address": None}, {"address": " "}, {"address": []}, {"address": {}}]
)
def test_only_an_opt_out_of_nobody_is_refused(body: dict[str, object]) -> None:
    with pytest.raises(NoAddressError):
        read_opt_out(body, now=NOW)


@pytest.mark.parametrize(
    "twice",
    [[ADDRESS], [ADDRESS, ADDRESS], [ADDRESS, "tel:" + ADDRESS], [None, ADDRESS], ["", ADDRESS]],
)
def test_an_address_that_stands_twice_and_is_one_is_taken(twice: list[object]) -> None:
    assert read_opt_out({"address": twice}, now=NOW).address == ADDRESS


def test_two_addresses_are_refused_rather_than_one_of_them_forgotten() -> None:
    """A receipt for either would be taken for both; refused, it is still the sender's to send."""
    with pytest.raises(NoAddressError, match="several"):
        read_opt_out({"address": [ADDRESS, "+12125550124"]}, now=NOW)


def test_a_number_that_came_as_a_number_is_read() -> None:
    assert read_opt_out({"address": 12125550123}, now=NOW).address == ADDRESS


def test_text_nested_without_end_is_not_worth_an_error() -> None:
    deep: object = 0
    for _ in range(100_000):
        deep = [deep]
    event = read_opt_out({"address": ADDRESS, "channel": deep}, now=NOW).event
    assert event.flags == (Flag.CHANNEL_UNREADABLE,)


@pytest.mark.parametrize(
    ("at", "told"),
    [
        ("0001-01-01T00:00:00+00:00", False),
        ("1899-12-31T23:59:59+00:00", False),
        ("1900-01-01T00:00:00+00:00", True),
        ("9999-12-31T23:59:59+00:00", True),
        ("9999-12-31T23:59:59-01:00", False),
    ],
)
def test_an_instant_can_be_told_on_every_clock(at: str, *, told: bool) -> None:
    assert is_instant(datetime.fromisoformat(at)) is told


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
bodies = st.dictionaries(
    st.sampled_from(["sender", "channel", "purpose", "brand", "via", "text", "at", "evidence"])
    | st.text(st.characters()),
    anything,
    max_size=6,
)


@given(bodies, st.text(st.characters(), min_size=1).filter(str.strip))
def test_whatever_comes_in_can_be_kept_and_read_back(body: dict[str, object], address: str) -> None:
    read = read_opt_out(body | {"address": address}, now=NOW)
    parsed = parse_address(read.address)
    event = widened(read.event, parsed, {"acme": "Acme"}, now=NOW)
    assert decode_payload(encode_payload(event, parsed.normalised)) == (event, parsed.normalised)
    assert all(spelling.encode() for spelling in parsed.spellings)
    assert event.at <= NOW


def test_a_stop_that_is_whole_is_not_touched() -> None:
    event = read_opt_out({"address": ADDRESS, "sender": "acme"}, now=NOW).event
    assert widened(event, ANN, {"acme": "Acme"}, now=NOW) is event
    elsewhere = widened(event, ANN, {"beta": "Beta"}, now=NOW)
    assert (elsewhere.sender, elsewhere.flags) == (None, (Flag.SENDER_UNKNOWN,))
    assert json.loads(elsewhere.unread or "") == {"sender": "acme"}
