"""The preference page: what a sender may send, each channel off, everything off, and never on."""

import asyncio
import re
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.data_folder import DataFolder
from api.public.languages import languages
from consent.events import RecordedKind
from consent.links import VIEW_LASTS
from rules.vocabulary import Channel, Purpose
from tests.support.recipients import EMAIL, NUMBER, ONE_CLICK, Desk, a_desk

ENGLISH = languages()["en"].texts


async def get(desk: Desk, path: str, **asked: Any) -> str:
    answer = await desk.service.client.get(path, **asked)
    assert answer.status_code == 200, answer.text
    return answer.text


async def post(desk: Desk, path: str, stop: str, **asked: Any) -> httpx.Response:
    answer = await desk.service.client.post(path, data={"stop": stop}, **asked)
    assert answer.status_code == 200, answer.text
    return answer


async def scopes(desk: Desk, address: str = NUMBER) -> list[tuple[str, str | None, str | None]]:
    """What was stopped: sender, channel and purpose."""
    found = await desk.ask("/v1/subjects/lookup", {"address": address})
    return [
        (scope["sender"], scope["channel"], scope["purpose"])
        for scope in found["consent"]
        if scope["opted_out"]
    ]


def rows(page: str) -> dict[str, str]:
    """What the page says of each channel, as text without markup."""
    items = re.findall(r'<li class="sheet">(.*?)</li>', page, re.DOTALL)
    plain = [" ".join(re.sub(r"<[^>]+>", " ", item).split()) for item in items]
    return {
        name: item
        for channel, name in ENGLISH.channels.items()
        for item in plain
        if item.startswith(name)
    }


def test_it_shows_what_was_said_by_channel_and_purpose(tmp_path: Path, database_url: str) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with a_desk(tmp_path, database_url=url) as desk:
            await desk.grant(NUMBER, channel="sms", at="2026-01-05T10:00:00-05:00")
            await desk.grant(NUMBER, channel="sms", purpose="survey")
            await desk.grant(NUMBER, channel="whatsapp", expires_at="2026-11-20T17:00:00Z")
            await desk.grant(NUMBER, channel="voice", double_opt_in=True)
            stop = {"address": NUMBER, "channel": "rcs", "via": "keyword"}
            await desk.ask("/v1/opt-outs", stop, status=201)
            _, preferences = await desk.links(NUMBER)
            page = await get(desk, preferences)
            said = rows(page)
            assert list(said) == [
                ENGLISH.channels[channel]
                for channel in (
                    Channel.SMS,
                    Channel.MMS,
                    Channel.RCS,
                    Channel.WHATSAPP,
                    Channel.VOICE,
                )
            ]
            sms = said[ENGLISH.channels[Channel.SMS]]
            assert "Offers and advertising On since 2026-01-05" in sms
            assert "Surveys On since 2026-11-20" in sms
            assert "Off since 2026-11-20" in said[ENGLISH.channels[Channel.RCS]]
            assert "Turn off" not in said[ENGLISH.channels[Channel.RCS]]
            # Lapsed, and never confirmed: nothing that stands.
            assert "No answer" in said[ENGLISH.channels[Channel.WHATSAPP]]
            assert "No answer" in said[ENGLISH.channels[Channel.VOICE]]
            assert "+1…23" in page
            assert NUMBER not in page

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("stop", "stopped"),
    [
        ("sms", ("acme", "sms", None)),
        ("sms:marketing", ("acme", "sms", "marketing")),
        ("whatsapp:survey", ("acme", "whatsapp", "survey")),
        ("all", ("acme", None, None)),
        # What cannot be read narrows nothing.
        ("pigeon", ("acme", None, None)),
        ("sms:dreams", ("acme", None, None)),
        (":marketing", ("acme", None, None)),
        ("", ("acme", None, None)),
        ("SMS", ("acme", None, None)),
    ],
)
def test_each_button_stops_what_it_names(
    tmp_path: Path, stop: str, stopped: tuple[str, str | None, str | None]
) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            _, preferences = await desk.links(NUMBER)
            answer = await post(desk, preferences, stop)
            assert 'role="status"' in answer.text
            assert await scopes(desk) == [stopped]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        {"data": ONE_CLICK},
        {"content": b""},
        {"content": b"stop=sms&stop=mms", "headers": {"content-type": "text/plain"}},
        {"content": b"stop=sms&" + b"a=b&" * 3000},
        {"content": b"\xff\xfe\x00stop=sms"},
        {"json": {"stop": "sms"}},
        {"files": {"stop": b"sms"}},
    ],
    ids=["one-click", "nothing", "two", "large", "noise", "json", "parts"],
)
def test_a_post_that_no_button_of_ours_makes_stops_everything(
    tmp_path: Path, sent: dict[str, Any]
) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            _, preferences = await desk.links(NUMBER)
            answer = await desk.service.client.post(preferences, **sent)
            assert answer.status_code == 200
            assert await scopes(desk) == [("acme", None, None)]

    asyncio.run(scenario())


def test_turning_one_channel_off_leaves_the_other_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            await desk.grant(NUMBER, channel="sms")
            await desk.grant(NUMBER, channel="mms")
            _, preferences = await desk.links(NUMBER)
            page = (await post(desk, preferences, "sms")).text
            said = rows(page)
            assert "Off since" in said[ENGLISH.channels[Channel.SMS]]
            assert "On since" in said[ENGLISH.channels[Channel.MMS]]
            assert ENGLISH.stop_all_button in page
            assert "consent_revoked" in await desk.reasons(NUMBER, channel="sms")
            assert "consent_revoked" not in await desk.reasons(NUMBER, channel="mms")
            page = (await post(desk, preferences, "all")).text
            assert ENGLISH.stop_all_button not in page
            assert "Turn off" not in page
            assert "consent_revoked" in await desk.reasons(NUMBER, channel="mms")

    asyncio.run(scenario())


def test_what_the_page_calls_off_no_check_allows(tmp_path: Path) -> None:
    """After whatever was said, in whatever order."""
    said: list[dict[str, Any]] = [
        {"event": "grant", "channel": "sms", "purpose": "marketing"},
        {"event": "revoke", "sender": None},
        {"event": "grant"},
        {"event": "complaint", "channel": "sms"},
        {"event": "grant", "channel": "sms"},
        {"event": "revoke", "channel": "sms", "purpose": "marketing"},
        {"event": "grant", "purpose": "survey"},
        {"event": "revoke", "brand": "Beta"},
        {"event": "grant", "channel": "sms", "purpose": "marketing"},
    ]

    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            _, preferences = await desk.links(NUMBER)
            told = []
            for event in said:
                desk.service.clock.move(timedelta(hours=1))
                level = {"level": "express_written"} if event["event"] == "grant" else {}
                body = {"address": NUMBER, "sender": "acme", **level, **event}
                await desk.ask("/v1/consent-events", body, status=201)
                row = rows(await get(desk, preferences))[ENGLISH.channels[Channel.SMS]]
                is_off = "Offers and advertising Off" in row
                codes = await desk.reasons(NUMBER, channel="sms")
                assert is_off == ("consent_revoked" in codes), (event, row, codes)
                told.append(is_off)
            assert told == [False, True, False, True, False, True, True, True, False]

    asyncio.run(scenario())


def test_the_page_never_records_anything_but_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            _, preferences = await desk.links(NUMBER)
            for data in ({"start": "sms"}, {"grant": "all"}, {"stop": "", "on": "sms"}):
                await desk.service.client.post(preferences, data=data)
            found = await desk.ask("/v1/subjects/lookup", {"address": NUMBER})
            kinds = {word["event"] for scope in found["consent"] for word in scope["words"]}
            assert kinds == {RecordedKind.REVOKE}
            assert "ask <bdi" in await get(desk, preferences)  # … Acme, if you want them again.

    asyncio.run(scenario())


@pytest.mark.parametrize(("days", "is_shown"), [(-1, True), (0, False)])
def test_an_old_link_shows_no_choices_and_stops_all_the_same(
    tmp_path: Path, days: int, is_shown: bool
) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            await desk.grant(NUMBER, channel="sms", at="2026-01-05T10:00:00-05:00")
            _, preferences = await desk.links(NUMBER)
            midnight = desk.service.clock.at.replace(hour=0)
            desk.service.clock.at = midnight + VIEW_LASTS + timedelta(days=days)
            page = await get(desk, preferences)
            assert ("2026-01-05" in page) is is_shown
            assert ("Text messages" in page) is is_shown
            assert (ENGLISH.old_link in page) is not is_shown
            assert ENGLISH.stop_all_button in page
            after = (await post(desk, preferences, "sms")).text
            assert ("2026-01-05" in after) is False
            assert ENGLISH.channels[Channel.SMS] in after
            assert await scopes(desk) == [("acme", "sms", None)]

    asyncio.run(scenario())


def test_a_record_that_cannot_be_trusted_is_not_shown_and_can_be_stopped(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            await desk.grant(NUMBER, channel="sms")
            _, preferences = await desk.links(NUMBER)
            with sqlite3.connect(DataFolder(tmp_path).database) as connection:
                connection.execute("UPDATE standing SET head_seq = head_seq + 1")
            connection.close()
            page = await get(desk, preferences)
            assert ENGLISH.not_shown in page
            assert "Acme" in page
            assert ENGLISH.channels[Channel.SMS] not in page
            assert (
                ENGLISH.all_stopped.partition("{")[0] in (await post(desk, preferences, "all")).text
            )
            assert await desk.entries() == 2

    asyncio.run(scenario())


def test_an_erased_person_is_shown_as_off_and_can_say_it_too(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            await desk.grant()
            _, preferences = await desk.links()
            await desk.ask("/v1/subjects/erase", {"address": EMAIL, "why": "request"})
            for event, shown in ((None, "Off since"), ("purchase", "No answer")):
                if event is not None:
                    desk.service.clock.move(timedelta(days=1))
                    body = {"address": EMAIL, "sender": "acme", "event": event}
                    await desk.ask("/v1/consent-events", body, status=201)
                row = rows(await get(desk, preferences))[ENGLISH.channels[Channel.EMAIL]]
                assert shown in row
                assert "Turn off" in row
            after = (await post(desk, preferences, "email")).text
            assert "Turn off" not in rows(after)[ENGLISH.channels[Channel.EMAIL]]

    asyncio.run(scenario())


def test_what_an_operator_calls_a_sender_is_text_and_nothing_else(tmp_path: Path) -> None:
    name = '<script>alert(1)</script> & "Co" {address} {0} \' onload=x'

    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            sender = {"name": name, "country": "US", "contact": "<b>{sender}</b>"}
            answer = await desk.service.client.put(
                "/v1/senders/acme", json=sender, headers=desk.headers
            )
            assert answer.status_code == 200
            for path in await desk.links():
                page = await get(desk, path)
                assert "<script" not in page
                assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &#34;Co&#34; {address}" in page

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("asked", "accepted", "tag"),
    [
        (None, "ar-EG,ar;q=0.9,en;q=0.5", "ar"),
        (None, "sv-SE, ur;q=0.2, de;q=0.8", "de"),
        (None, "xx", "en"),
        (None, "", "en"),
        ("hi", "fr", "hi"),
        ("nonsense", "fr", "fr"),
    ],
)
def test_the_page_speaks_the_recipients_language(
    tmp_path: Path, asked: str | None, accepted: str, tag: str
) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            for path in (*await desk.links(), "/u/cut"):
                params = {} if asked is None else {"lang": asked}
                answer = await desk.service.client.get(
                    path, params=params, headers={"accept-language": accepted}
                )
                texts = languages()[tag].texts
                assert f'<html lang="{tag}" dir="{texts.direction}">' in answer.text
                for other in languages().values():  # Each can be chosen.
                    assert other.texts.name in answer.text
                assert "accept-language" in answer.headers["vary"]

    asyncio.run(scenario())


def test_every_purpose_and_channel_can_be_shown_in_every_language(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            for purpose in Purpose:
                await desk.grant(NUMBER, channel="sms", purpose=purpose)
                await desk.grant(EMAIL, purpose=purpose)
            for address in (NUMBER, EMAIL):
                _, preferences = await desk.links(address)
                for tag in languages():
                    await get(desk, preferences, params={"lang": tag})

    asyncio.run(scenario())


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("by", ["one click", "everything"])
def test_stopping_everything_stops_every_address_of_the_person(
    tmp_path: Path, database_url: str, by: str, when: str
) -> None:
    """The page shows the one address that the link was made for; the rest hears of it all the
    same, whether it was linked before or comes to be later."""
    url = None if database_url.startswith("sqlite") else database_url
    linked = {"addresses": [EMAIL, NUMBER]}

    async def scenario() -> None:
        async with a_desk(tmp_path, database_url=url) as desk:
            await desk.grant(NUMBER, channel="sms")
            await desk.grant(EMAIL)
            assert await desk.reasons(NUMBER, channel="sms") == []
            if when == "before":
                await desk.ask("/v1/subjects/link", linked)
            one_click, preferences = await desk.links(EMAIL)
            assert NUMBER not in await get(desk, preferences)
            if by == "one click":
                answer = await desk.service.client.post(one_click, data=ONE_CLICK)
                assert answer.status_code == 200
            else:
                await post(desk, preferences, "all")
            if when == "after":
                await desk.ask("/v1/subjects/link", linked)
            assert "consent_revoked" in await desk.reasons(NUMBER, channel="sms")
            assert "consent_revoked" in await desk.reasons(EMAIL)

    asyncio.run(scenario())
