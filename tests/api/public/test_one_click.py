"""One click to stop (RFC 8058): POST acts and GET never does, whatever comes with it."""

import asyncio
import sqlite3
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from api.data_folder import DataFolder
from api.public.languages import languages
from api.public.presses import PRESSES_MAX
from consent.links import LinkKind, make_token
from tests.support.recipients import BASE_URL, EMAIL, NUMBER, ONE_CLICK, Desk, a_desk, path_of
from tests.support.served import served

ENGLISH = languages()["en"].texts
FORM = "application/x-www-form-urlencoded"
PARTS = (
    b'--b\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--b--\r\n'
)


def of_database(database_url: str) -> str | None:
    return None if database_url.startswith("sqlite") else database_url


async def post(desk: Desk, path: str, **sent: Any) -> httpx.Response:
    """Press the button, without a key."""
    return await desk.service.client.post(path, **({"data": ONE_CLICK} | sent))


def test_one_click_stops_the_next_message_at_once(tmp_path: Path, database_url: str) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path, database_url=of_database(database_url)) as desk:
            one_click, _ = await desk.links()
            await desk.grant()
            assert await desk.reasons() == []
            answer = await post(desk, one_click)
            assert (answer.status_code, answer.history) == (200, [])
            assert "Messages from" in answer.text
            assert "consent_revoked" in await desk.reasons()
            (scope,) = [
                scope
                for scope in (await desk.ask("/v1/subjects/lookup", {"address": EMAIL}))["consent"]
                if scope["opted_out"]
            ]
            assert (scope["sender"], scope["channel"], scope["purpose"]) == ("acme", None, None)

    asyncio.run(scenario())


def test_looking_at_the_page_never_stops_anything(tmp_path: Path) -> None:
    """Scanners of mail follow every link, with any browser's name and any parameters."""

    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, preferences = await desk.links()
            await desk.grant()
            entries = await desk.entries()
            for path in (one_click, preferences):
                for query in ("", "?List-Unsubscribe=One-Click", "?stop=all", "?lang=ar&utm_a=b"):
                    for header in ({}, {"List-Unsubscribe": "One-Click"}):
                        answer = await desk.service.client.get(path + query, headers=header)
                        assert answer.status_code == 200
                for method in ("HEAD", "OPTIONS", "PUT", "DELETE", "PATCH"):
                    answer = await desk.service.client.request(method, path, data=ONE_CLICK)
                    assert answer.status_code == 405, method
            assert await desk.entries() == entries
            assert await desk.reasons() == []

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "sent",
    [
        {"data": ONE_CLICK},
        {"data": None, "content": b"List-Unsubscribe=One-Click", "headers": {"content-type": FORM}},
        {
            "data": None,
            "content": PARTS,
            "headers": {"content-type": "multipart/form-data; boundary=b"},
        },
        {"data": None},
        {"data": None, "json": {"List-Unsubscribe": "no"}},
        {"data": None, "content": b"\xff\x00" * 100, "headers": {"content-type": "multipart/x"}},
        {"data": {"stop": "all"}},
        {"params": {"utm_source": "mail", "lang": "xx"}},
    ],
    ids=["form", "raw", "parts", "nothing", "json", "noise", "page", "parameters"],
)
def test_whatever_its_wrapping_a_post_stops(tmp_path: Path, sent: dict[str, Any]) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, _ = await desk.links()
            await desk.grant()
            assert (await post(desk, one_click, **sent)).status_code == 200
            assert "consent_revoked" in await desk.reasons()

    asyncio.run(scenario())


def test_a_link_for_somebody_never_on_record_stops_what_would_begin(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, _ = await desk.links(NUMBER)
            assert await desk.entries() == 0
            assert (await post(desk, one_click)).status_code == 200
            assert "consent_revoked" in await desk.reasons(NUMBER, channel="sms")

    asyncio.run(scenario())


def test_a_link_of_before_the_erasure_still_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, _ = await desk.links()
            await desk.grant()
            erase = {"address": EMAIL, "why": "request 2026-117"}
            await desk.ask("/v1/subjects/erase", erase)
            desk.service.clock.move(timedelta(days=1))
            await desk.grant()
            assert await desk.reasons() == []
            desk.service.clock.move(timedelta(days=1))
            assert (await post(desk, one_click)).status_code == 200
            assert "consent_revoked" in await desk.reasons()

    asyncio.run(scenario())


def test_a_link_stops_after_years_and_rotated_keys(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, _ = await desk.links()
            for _ in range(3):
                desk.service.clock.move(timedelta(days=400))
                for what in ("organisation", "index"):
                    await desk.ask("/v1/keys/rotation", {"what": what})
            assert (await post(desk, one_click)).status_code == 200
            found = await desk.ask("/v1/subjects/lookup", {"address": EMAIL})
            assert [scope["opted_out"] for scope in found["consent"]] == [True]

    asyncio.run(scenario())


def test_it_stops_the_sender_that_wrote_and_no_other(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            await desk.service.put_sender(desk.organisation, "beta")
            one_click, _ = await desk.links(sender="beta")
            await desk.grant()
            assert (await post(desk, one_click)).status_code == 200
            assert await desk.reasons() == []

    asyncio.run(scenario())


def test_a_sender_that_is_on_record_no_more_is_stopped_in_the_widest_sense(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            token = make_token(
                desk.service.components.keys,
                desk.organisation,
                LinkKind.ONE_CLICK,
                sender="gone",
                address=EMAIL,
                at=desk.service.clock.now(),
            )
            await desk.grant()
            for path in (f"/u/{token}",):
                shown = await desk.service.client.get(path)
                assert ENGLISH.this_sender in shown.text
                assert (await post(desk, path)).status_code == 200
            assert "consent_revoked" in await desk.reasons()

    asyncio.run(scenario())


def damaged(path: str) -> Iterable[str]:
    folder, token = path[:3], path[3:]
    yield folder + token[:-1]
    yield folder + token[:20]
    yield folder + token[:-1] + ("A" if token[-1] != "A" else "B")
    yield folder + "A" * len(token)
    yield folder + "x"
    yield folder + "-1212555012345-"
    yield folder + "%00"
    yield folder + "%F0%9F%92%A9" * 20
    yield folder + "A" * 5000
    yield ("/p/" if folder == "/u/" else "/u/") + token


def test_bad_links_get_one_clear_page_that_tells_nothing_apart(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            pages = set()
            for path in await desk.links():
                for bad in damaged(path):
                    for method in ("GET", "POST"):
                        answer = await desk.service.client.request(method, bad, data=ONE_CLICK)
                        if bad.endswith("%00"):  # Refused before any route is looked for.
                            assert answer.status_code == 404
                            continue
                        assert (answer.status_code, ENGLISH.bad_link in answer.text) == (404, True)
                        assert ENGLISH.other_ways_reply in answer.text
                        pages.add((answer.text, answer.headers["content-type"]))
            assert len(pages) == 1
            assert await desk.entries() == 0

    asyncio.run(scenario())


def test_every_page_lets_nothing_in_and_nothing_out(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            for path in (*await desk.links(), "/u/cut", "/p/cut"):
                for method in ("GET", "POST"):
                    answer = await desk.service.client.request(method, path)
                    headers = answer.headers
                    assert headers["cache-control"] == "no-store"
                    assert headers["referrer-policy"] == "no-referrer"
                    assert "noindex" in headers["x-robots-tag"]
                    assert headers["x-content-type-options"] == "nosniff"
                    assert headers["content-type"] == "text/html; charset=utf-8"
                    assert "set-cookie" not in headers
                    policy = headers["content-security-policy"].split("; ")
                    assert policy[0] == "default-src 'none'"
                    assert {"frame-ancestors 'none'", "form-action 'self'"} < set(policy)
                    assert "unsafe" not in headers["content-security-policy"]
                    for word in ("<script", "http:", "https:", "src=", "@import", " style="):
                        assert word not in answer.text, word
                    assert path[3:] not in answer.text or path.endswith("cut")

    asyncio.run(scenario())


def test_a_store_that_is_broken_is_owned_up_to(tmp_path: Path) -> None:
    """It says that it did not work, how else to stop, and lets the person try again."""

    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            sender = {"name": "Acme", "country": "US", "contact": "privacy@example.com"}
            answer = await desk.service.client.put(
                "/v1/senders/acme", json=sender, headers=desk.headers
            )
            assert answer.status_code == 200
            paths = await desk.links()
            await desk.grant()
            entries = await desk.entries()
            rename(tmp_path, "standing", "elsewhere")
            for path in paths:
                answer = await post(desk, path)
                assert answer.status_code == 503
                assert answer.headers["retry-after"].isdigit()
                for words in (ENGLISH.failed, ENGLISH.failed_means, ENGLISH.other_ways_reply):
                    assert words in answer.text
                assert "privacy@example.com" in answer.text
                assert f'value="all">{ENGLISH.try_again}' in answer.text
                assert ENGLISH.stopped_means not in answer.text
            rename(tmp_path, "elsewhere", "standing")
            assert await desk.entries() == entries
            for path in paths:
                assert (await post(desk, path)).status_code == 200
            assert await desk.entries() == entries + 2

    asyncio.run(scenario())


def rename(folder: Path, table: str, to: str) -> None:
    """Another process should not, but it can: the ground is taken away, and given back."""
    connection = sqlite3.connect(DataFolder(folder).database)
    connection.execute(f"ALTER TABLE {table} RENAME TO {to}")
    connection.close()


def test_the_page_is_shown_even_while_the_name_cannot_be_read(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            paths = await desk.links()
            rename(tmp_path, "sender", "elsewhere")
            for path in paths:
                answer = await desk.service.client.get(path)
                assert (answer.status_code, ENGLISH.this_sender in answer.text) == (200, True)
            rename(tmp_path, "elsewhere", "sender")

    asyncio.run(scenario())


def test_nothing_is_claimed_when_the_commit_fails(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, preferences = await desk.links()
            engine = desk.service.components.service.writer._engine

            def refuse(_: sa.Connection) -> None:
                raise sqlite3.OperationalError("the disk is gone")

            sa.event.listen(engine, "commit", refuse)
            for path in (one_click, preferences):
                answer = await post(desk, path)
                assert (answer.status_code, ENGLISH.unsure in answer.text) == (503, True)
                assert ENGLISH.stopped_means not in answer.text
            sa.event.remove(engine, "commit", refuse)
            assert (await post(desk, one_click)).status_code == 200

    asyncio.run(scenario())


def test_a_service_that_may_not_write_says_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            one_click, _ = await desk.links()
            desk.service.components.service.writer.refuse("it is another database")
            answer = await post(desk, one_click)
            assert (answer.status_code, ENGLISH.failed in answer.text) == (503, True)

    asyncio.run(scenario())


def test_a_button_pressed_without_end_fills_no_log_and_still_stops(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with a_desk(tmp_path) as desk:
            (one_click, preferences), (others, _) = await desk.links(), await desk.links(NUMBER)
            for _ in range(3 * PRESSES_MAX):
                answer = await post(desk, one_click)
                assert (answer.status_code, ENGLISH.stopped_means in answer.text) == (200, True)
            assert await desk.entries() == PRESSES_MAX
            await post(desk, preferences, data={"stop": "email"})
            assert await desk.entries() == PRESSES_MAX
            # Somebody else's counts for themselves; and what was said since is ended again.
            await post(desk, others)
            assert await desk.entries() == PRESSES_MAX + 1
            desk.service.clock.move(timedelta(minutes=1))
            await desk.grant()
            assert await desk.reasons() == []
            desk.service.clock.move(timedelta(minutes=1))
            await post(desk, one_click)
            assert "consent_revoked" in await desk.reasons()
            entries = await desk.entries()
            await post(desk, one_click)
            assert await desk.entries() == entries
            desk.service.clock.move(timedelta(hours=1))
            await post(desk, one_click)
            assert await desk.entries() == entries + 1

    asyncio.run(scenario())


@pytest.mark.slow
def test_no_token_and_no_address_is_printed_and_large_bodies_do_no_harm(tmp_path: Path) -> None:
    with served(tmp_path, base_url=BASE_URL) as service:
        with service.operator() as operator:
            operator.post("/v1/organisations", json={"name": "Acme"})
            issued = operator.post("/v1/keys", json={"person": "shop", "roles": ["admin"]})
            operator.put("/v1/senders/acme", json={"name": "Acme", "country": "US"})
        key = {"Authorization": f"Bearer {issued.json()['token']}"}
        with httpx.Client(base_url=service.address) as client:
            wanted = {"sender": "acme", "address": EMAIL}
            made = client.post("/v1/links", json=wanted, headers=key).json()
            paths = [path_of(made[name]) for name in ("one_click", "preferences")]
            for path in paths:
                assert client.get(path).status_code == 200
                assert client.post(path, data=ONE_CLICK).status_code == 200
                large = client.post(path, content=b"x" * 10_000_000, headers={"content-type": FORM})
                assert large.status_code == 200
                assert client.get(path[:-1]).status_code == 404
                assert client.delete(path).status_code == 405
                assert client.get(path + "/more").status_code == 404
            found = client.post("/v1/subjects/lookup", json={"address": EMAIL}, headers=key).json()
            assert [scope["opted_out"] for scope in found["consent"]] == [True]
            metrics = client.get("/metrics").text
        assert service.stop() == 0
    for path in paths:
        for secret in (path[3:], path[3:-1], path[40:80], "ada@", "example.com"):
            assert secret not in service.printed, secret
            assert secret not in metrics
    assert '"route":"/u/{token}"' in service.printed
