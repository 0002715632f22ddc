"""What becomes of a reply: a stop, a doubt that is held, a grant where START was told to be one."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.inbound.endpoints import Endpoint, StartGrant, StopReach
from api.inbound.message import InboundMessage, Mark, ProviderName
from api.operations.receive_reply import WHY_HELD, WHY_WORDLESS, ReceiveReplies, read_message
from api.work import Priority
from consent.events import ConsentEvent, Flag, RecordedKind
from jurisdictions.replies import Reading
from rules.vocabulary import Channel, Level, Purpose, Via
from tests.support.inbound import Line, a_line
from tests.support.provider_calls import (
    ANN,
    BASE_URL,
    KINDS,
    NOW,
    Said,
    sign_telnyx,
    sign_twilio,
    twilio_form,
)
from tests.support.service import running_service

START = StartGrant(Purpose.MARKETING, Level.EXPRESS, "Text START to get offers from Acme")


def an_endpoint(
    start: StartGrant | None = None, stop_reach: StopReach = StopReach.ORGANISATION
) -> Endpoint:
    return Endpoint(
        id="inb_1",
        organisation="org_1",
        provider=ProviderName.TWILIO,
        sender="acme",
        start=start,
        stop_reach=stop_reach,
        recorded_at=NOW,
    )


def event_of(*, start: StartGrant | None = None, **given: Any) -> ConsentEvent | None:
    message = InboundMessage(**({"id": "m1", "address": ANN} | given))
    return read_message(an_endpoint(start), message, content_hash=b"", now=NOW).event


@pytest.mark.parametrize("text", ["STOP", "stop.", "Please stop texting me", "ARRÊT", "退订"])
def test_a_stop_is_a_revoke_of_every_sender_by_any_channel(text: str) -> None:
    event = event_of(text=text, channel=Channel.WHATSAPP)
    assert event is not None
    assert (event.event, event.via, event.text) == (RecordedKind.REVOKE, Via.KEYWORD, text)
    assert (event.sender, event.channel, event.purpose) == (None, None, None)


@pytest.mark.parametrize("text", ["STOP", "stop by tomorrow?"])
def test_a_stop_reaches_one_sender_alone_where_the_operator_chose_so(text: str) -> None:
    message = InboundMessage(id="m1", address=ANN, text=text)
    of_sender = an_endpoint(stop_reach=StopReach.SENDER)
    event = read_message(of_sender, message, content_hash=b"", now=NOW).event
    assert event is not None
    assert event.sender == "acme"


def test_what_may_be_a_stop_is_held_for_a_person_to_decide() -> None:
    event = event_of(text="stop by tomorrow?")
    assert event is not None
    assert (event.event, event.why) == (RecordedKind.HOLD, WHY_HELD)
    assert event.text == "stop by tomorrow?"


@pytest.mark.parametrize("text", ["thank you", "HELP", "5"])
def test_nothing_is_recorded_of_anything_else(text: str) -> None:
    assert event_of(text=text, start=START) is None


def test_a_start_grants_only_what_people_were_told() -> None:
    assert event_of(text="START") is None
    event = event_of(text="START", start=START)
    assert event is not None
    assert (event.event, event.level, event.purpose) == (
        RecordedKind.GRANT,
        Level.EXPRESS,
        Purpose.MARKETING,
    )
    assert (event.sender, event.channel) == ("acme", Channel.SMS)
    assert event.evidence is not None
    assert event.evidence.disclosure is not None
    assert event.evidence.disclosure.text == START.disclosure
    stop = event_of(text="STOP", start=START)
    assert stop is not None
    assert stop.evidence is not None
    assert stop.evidence.disclosure is None


@pytest.mark.parametrize(
    "given",
    [
        {"text": "START", "id": None},  # It may be an older one that comes again.
        {"text": "START", "address": "ACME"},
        {"text": "START now or stop", "mark": Mark.STOP},
    ],
)
def test_a_start_that_may_be_none_grants_nothing(given: dict[str, Any]) -> None:
    event = event_of(start=START, **given)
    assert event is None or event.event is RecordedKind.REVOKE


@pytest.mark.parametrize(
    ("mark", "text", "reading"),
    [
        (Mark.STOP, "no more fish", Reading.STOP),
        (Mark.STOP, "START", Reading.STOP),
        (Mark.START, "fish please", Reading.START),
        (Mark.HELP, "fish?", Reading.HELP),
        (Mark.START, "STOP", Reading.STOP),
        (Mark.HELP, "STOP", Reading.STOP),
        (Mark.BLOCKED, "", Reading.STOP),
        (None, "fish please", Reading.OTHER),
    ],
)
def test_whichever_says_stop_is_believed(mark: Mark | None, text: str, reading: Reading) -> None:
    message = InboundMessage(id="m1", address=ANN, text=text, mark=mark)
    assert read_message(an_endpoint(), message, content_hash=b"", now=NOW).reading is reading


def test_it_happened_when_the_provider_received_it_but_never_tomorrow() -> None:
    earlier = NOW - timedelta(hours=3)
    for said, at in ((None, NOW), (earlier, earlier), (NOW + timedelta(seconds=1), NOW)):
        event = event_of(text="STOP", received_at=said)
        assert event is not None
        assert event.at == at


def test_a_reply_goes_before_everything_that_waits_and_is_never_refused_for_load() -> None:
    assert ReceiveReplies.priority is Priority.OPT_OUT


async def kinds_of(line: Line) -> list[RecordedKind]:
    return [event.event for event, _ in await line.events()]


def test_a_start_after_a_stop_counts_once_and_an_old_one_never(tmp_path: Path) -> None:
    """Twilio's calls have no time in them: an old START that comes again must not undo a STOP."""

    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            start = {"purpose": "marketing", "level": "express_written"}
            line = await a_line(service, start=start)
            first = line.signed("START", id="one")
            assert (await line.call(first)).status_code == 200
            assert (await line.check())["verdict"] == "allow"
            service.clock.move(timedelta(minutes=10))
            assert (await line.say("STOP", id="two")).status_code == 200
            service.clock.move(timedelta(minutes=10))
            assert (await line.call(first)).status_code == 200
            assert (await line.check())["verdict"] == "deny"
            assert (await line.say("START", id="three")).status_code == 200
            assert (await line.check())["verdict"] == "allow"
            assert await kinds_of(line) == [
                RecordedKind.GRANT,
                RecordedKind.REVOKE,
                RecordedKind.GRANT,
            ]

    asyncio.run(scenario())


def test_a_doubt_stops_marketing_until_somebody_has_decided(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            await line.grant()
            first = line.signed("stop by tomorrow?")
            for _ in range(2):
                assert (await line.call(first)).status_code == 200
            denied = await line.check()
            assert [reason["code"] for reason in denied["reasons"]] == ["under_review"]
            listed = await service.client.get("/v1/reviews", headers=dict(line.headers))
            (review,) = listed.json()["items"]
            assert review["text"] == "stop by tomorrow?"
            decided = await service.client.post(
                f"/v1/reviews/{review['id']}",
                json={"decision": "release", "why": "asks for a visit"},
                headers=dict(line.headers),
            )
            assert decided.status_code == 201, decided.text
            assert (await line.check())["verdict"] == "allow"

    asyncio.run(scenario())


def test_a_stop_without_an_id_is_recorded_each_time(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            fields = twilio_form(Said())
            del fields["MessageSid"]
            for _ in range(2):
                answer = await line.call(sign_twilio(line.url, fields))
                assert answer.status_code == 200
            assert await kinds_of(line) == [RecordedKind.REVOKE] * 2

    asyncio.run(scenario())


def test_a_providers_block_is_an_opt_out_beside_the_message_of_the_same_id(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            status = {"MessageSid": "message-1", "MessageStatus": "failed", "To": ANN}
            for _ in range(2):
                blocked = sign_twilio(line.url, {**status, "ErrorCode": "21610"})
                assert (await line.call(blocked)).status_code == 200
            assert (await line.say(id="message-1")).status_code == 200
            (first, address), (second, _) = await line.events()
            assert address == ANN
            assert first.evidence is not None
            assert (first.evidence.method, first.text) == ("twilio_block", None)
            assert second.evidence is not None
            assert second.evidence.method == "twilio_message"

    asyncio.run(scenario())


def test_one_id_at_two_endpoints_is_two_messages(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            for line in (await a_line(service), await a_line(service)):
                assert (await line.say()).status_code == 200
                assert await kinds_of(line) == [RecordedKind.REVOKE]

    asyncio.run(scenario())


def test_what_cannot_be_written_as_it_stands_is_held_all_the_same(tmp_path: Path) -> None:
    """No database holds half a surrogate pair."""

    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service, KINDS["telnyx"])
            payload = {
                "id": "m1",
                "from": {"phone_number": ANN},
                "text": "stop by tomorrow? \ud83d",
            }
            body = {"data": {"event_type": "message.received", "payload": payload}}
            answer = await line.call(sign_telnyx(body, service.clock.now()))
            assert answer.status_code == 200, answer.text
            ((event, _),) = await line.events()
            assert (event.event, event.flags) == (RecordedKind.HOLD, (Flag.TEXT_UNREADABLE,))

    asyncio.run(scenario())


def test_replies_are_counted_by_what_they_were_read_as(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            for number, text in enumerate(("STOP", "STOP", "thank you")):
                await line.say(text, id=str(number))
            figures = (await service.client.get("/metrics")).text
            assert 'cleartosend_replies_total{provider="twilio",reading="stop"} 2.0' in figures
            assert 'cleartosend_replies_total{provider="twilio",reading="other"} 1.0' in figures

    asyncio.run(scenario())


def test_a_message_without_words_stops_marketing_until_somebody_has_looked(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service)
            await line.grant()
            for _ in range(2):
                assert (await line.say("", id="blank")).status_code == 200
            denied = await line.check()
            assert [reason["code"] for reason in denied["reasons"]] == ["under_review"]
            client, headers = line.service.client, dict(line.headers)
            (held,) = (await client.get("/v1/reviews", headers=headers)).json()["items"]
            assert (held["text"], held["why"]) == (None, WHY_WORDLESS)
            released = await client.post(
                f"/v1/reviews/{held['id']}",
                json={"decision": "release", "why": "a pocket wrote it"},
                headers=headers,
            )
            assert released.status_code in (200, 201), released.text
            assert (await line.check())["verdict"] == "allow"

    asyncio.run(scenario())
