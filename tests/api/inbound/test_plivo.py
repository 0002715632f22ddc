"""Plivo: version 3 signs the whole call, version 2 its URL alone."""

import asyncio
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlencode

import pytest

from api.errors import UnverifiedError
from consent.events import RecordedKind
from tests.support.inbound import a_line, read
from tests.support.provider_calls import (
    BASE_URL,
    KINDS,
    NOW,
    SECRET,
    URL,
    Said,
    Signed,
    plivo_form,
    sign_plivo_url,
    their_packages,
)
from tests.support.service import running_service

CREDENTIALS = {"auth_token": SECRET}
LEVEL = {"level": "express"}


@pytest.mark.parametrize("query", ["", "a=1", "b=2&a=%20x", "a=2&a=1"])
def test_plivos_own_package_takes_the_signatures_that_we_do(query: str) -> None:
    with their_packages():
        from plivo.utils import validate_v3_signature
    url = f"{URL}?{query}" if query else URL
    signed = replace(KINDS["plivo"].sign(url, Said(), NOW), query=query)
    signature = signed.headers["X-Plivo-Signature-V3"]
    form = plivo_form(Said())
    assert validate_v3_signature("POST", url, "12345", SECRET, signature, form)
    assert read("plivo", signed, CREDENTIALS)[0].text == "STOP"
    assert not validate_v3_signature("POST", url, "12346", SECRET, signature, form)
    with pytest.raises(UnverifiedError):
        read("plivo", replace(signed, query=f"{query}&x=1"), CREDENTIALS)


def test_a_call_by_get_is_signed_with_its_query() -> None:
    with their_packages():
        from plivo.utils import signature_v3 as theirs
    query = urlencode(plivo_form(Said(text="stop & go")))
    message = theirs.construct_get_url(f"{URL}?{query}", {}).decode()
    signature = theirs.get_signature_v3(SECRET, message, "12345").decode()
    headers = {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": "12345"}
    called = Signed(method="GET", query=query, headers=headers)
    assert read("plivo", called, CREDENTIALS)[0].text == "stop & go"


def test_version_2_verifies_as_plivos_own_package_does() -> None:
    with their_packages():
        from plivo.utils import validate_signature
    signed = sign_plivo_url(URL, Said())
    signature = signed.headers["X-Plivo-Signature-V2"]
    assert validate_signature(URL, "0542", signature, SECRET)
    assert read("plivo", signed, CREDENTIALS)[0].nonce == "0542"
    assert not validate_signature(URL + "x", "0542", signature, SECRET)
    with pytest.raises(UnverifiedError):
        read("plivo", signed, CREDENTIALS, url=URL + "x")


def test_a_broken_version_3_is_not_mended_by_version_2() -> None:
    whole, url_only = KINDS["plivo"].sign(URL, Said(), NOW), sign_plivo_url(URL, Said())
    both = replace(whole, headers={**url_only.headers, **whole.headers})
    assert read("plivo", both, CREDENTIALS)
    with pytest.raises(UnverifiedError):
        read("plivo", both.altered("STOP", "STOPP"), CREDENTIALS)


def test_a_nonce_of_version_2_is_good_for_one_message_only(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service, KINDS["plivo"])
            hello = sign_plivo_url(line.url, Said(text="hello there", id="first"))
            for _ in range(2):
                assert (await line.call(hello)).status_code == 200
            forged = replace(hello, body=sign_plivo_url(line.url, Said(id="second")).body)
            refused = await line.call(forged)
            assert (refused.status_code, refused.json()["code"]) == (401, "unverified")
            assert await line.events() == []
            stop = sign_plivo_url(line.url, Said(id="third"), nonce="0543")
            for _ in range(2):
                assert (await line.call(stop)).status_code == 200
            assert len(await line.events()) == 1

    asyncio.run(scenario())


def both_versions(url: str, said: Said, *, nonce: str = "0542") -> Signed:
    whole, url_only = KINDS["plivo"].sign(url, said, NOW), sign_plivo_url(url, said, nonce=nonce)
    return replace(whole, headers={**url_only.headers, **whole.headers})


def test_a_call_stripped_of_version_3_is_the_same_call(tmp_path: Path) -> None:
    """Its version 2 is good for what it came with, and for nothing else."""

    async def scenario() -> None:
        async with running_service(tmp_path, public_base_url=BASE_URL) as service:
            line = await a_line(service, KINDS["plivo"], start={"purpose": "marketing", **LEVEL})
            stop = both_versions(line.url, Said(text="STOP", id="first"))
            stripped = stop.without("x-plivo-signature-v3", "x-plivo-signature-v3-nonce")
            assert (await line.call(stop)).status_code == 200
            for again in (stop, stripped):
                assert (await line.call(again)).status_code == 200
            forged = replace(
                stripped, body=sign_plivo_url(line.url, Said(text="START", id="second")).body
            )
            refused = await line.call(forged)
            assert (refused.status_code, refused.json()["code"]) == (401, "unverified")
            assert [event.event for event, _ in await line.events()] == [RecordedKind.REVOKE]

    asyncio.run(scenario())


def test_the_nonce_of_version_2_counts_though_version_3_verified() -> None:
    assert read("plivo", both_versions(URL, Said()), CREDENTIALS)[0].nonce == "0542"
    assert read("plivo", KINDS["plivo"].sign(URL, Said(), NOW), CREDENTIALS)[0].nonce is None
