"""Nothing that the service prints holds an address, a message's text or a key."""

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest

from tests.support.provider_calls import SECRET, sign_twilio
from tests.support.served import Served, served

NUMBER = "+12125550123"
EMAIL = "ada.lovelace@example.com"
TEXT = "Acme: 20% off today, dear Ada. Reply STOP to opt out."
PERSONAL = ("5550123", "555-0123", "lovelace", "example.com", "20% off", "Ada", "dear")

MESSAGE = {"channel": "sms", "purpose": "marketing", "text": TEXT}
CHECK: dict[str, Any] = {"sender": "acme", "recipient": {"address": NUMBER}, "message": MESSAGE}
GRANT = {
    "address": NUMBER,
    "sender": "acme",
    "event": "grant",
    "channel": "sms",
    "purpose": "marketing",
    "level": "express_written",
    "text": TEXT,
    "evidence": {"ip": "203.0.113.9", "user_agent": f"Agent of {EMAIL}"},
}


@pytest.mark.slow
def test_the_service_prints_no_address_and_no_text(tmp_path: Path) -> None:
    with served(tmp_path, base_url="https://gate.example.org") as service:
        token = _set_up(service)
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=service.address, headers=headers) as client:
            statuses = [*_normal(client), *_failing(client), *_replying(client)]
        assert set(statuses) >= {200, 201, 400, 401, 404, 405, 409, 413, 415}
        _speak_no_http(service)
        assert service.stop() == 0
    assert service.printed.count('"event":"request"') >= len(statuses)
    for word in (*PERSONAL, token, SECRET, "203.0.113.9"):
        assert word not in service.printed, word


@pytest.mark.slow
def test_a_database_that_breaks_is_503_and_prints_nothing_personal(tmp_path: Path) -> None:
    with served(tmp_path) as service:
        headers = {"Authorization": f"Bearer {_set_up(service)}"}
        with httpx.Client(base_url=service.address, headers=headers) as client:
            assert client.post("/v1/consent-events", json=GRANT).status_code == 201
            # Another process should not, but it can: the ground is taken away.
            _drop(service, "standing")
            answers = [
                client.post("/v1/consent-events", json=GRANT),
                client.post("/v1/opt-outs", json={"address": NUMBER, "text": TEXT}),
                client.post("/v1/checks", json=CHECK),
                client.post("/v1/subjects/lookup", json={"address": NUMBER}),
            ]
        assert [answer.status_code for answer in answers] == [503] * 4
        assert all("retry-after" in answer.headers for answer in answers)
        assert service.stop() == 0
    assert '"event":"failed"' in service.printed
    for word in PERSONAL:
        assert word not in service.printed, word
        assert all(word not in answer.text for answer in answers)


def _set_up(service: Served) -> str:
    with service.operator() as operator:
        assert operator.post("/v1/organisations", json={"name": "Acme"}).status_code == 201
        issued = operator.post("/v1/keys", json={"person": "shop", "roles": ["admin"]})
        sender = {"name": "Acme", "country": "US", "contact": EMAIL}
        assert operator.put("/v1/senders/acme", json=sender).status_code == 200
    return str(issued.json()["token"])


def _normal(client: httpx.Client) -> list[int]:
    check = client.post("/v1/checks", json=CHECK)
    email = {**CHECK, "recipient": {"address": EMAIL, "region": "US"}}
    answers = [
        client.post("/v1/consent-events", json=GRANT),
        client.post("/v1/consent-events", json={"events": [GRANT, {**GRANT, "address": "x"}]}),
        check,
        client.post("/v1/checks", json={**email, "message": {**MESSAGE, "channel": "email"}}),
        client.get(f"/v1/checks/{check.json()['id']}"),
        client.post("/v1/subjects/lookup", json={"address": EMAIL}),
        client.post("/v1/opt-outs", json={"address": NUMBER, "text": TEXT, "odd": EMAIL}),
        client.put(
            "/v1/registries/us-national-dnc/snapshots/2026-11-01",
            content=f"address\n{NUMBER}\n".encode(),
        ),
        client.get("/schema"),
        client.get("/metrics"),
        client.get("/health/ready"),
    ]
    return [answer.status_code for answer in answers]


def _failing(client: httpx.Client) -> list[int]:
    once = {"Idempotency-Key": NUMBER}
    answers = [
        client.get(f"/v1/checks/{NUMBER}"),
        client.get("/v1/senders", params={"cursor": EMAIL}),
        client.get(f"/{EMAIL}"),
        client.get("/v1/senders/dear-Ada"),
        client.delete("/v1/checks"),
        client.get("/v1/keys", headers={"Authorization": f"Bearer {NUMBER}"}),
        client.post("/v1/checks", json={**CHECK, TEXT: NUMBER}),
        client.post("/v1/checks", json={**CHECK, "message": {**MESSAGE, "channel": EMAIL}}),
        client.post("/v1/checks", content=f'{{"sender": {NUMBER}'.encode()),
        client.post("/v1/checks", json={**CHECK, "sender": EMAIL}),
        client.post("/v1/checks", content=TEXT, headers={"Content-Type": "application/json"}),
        client.post("/v1/opt-outs", content=TEXT.encode() * 30_000),
        client.post(
            "/v1/opt-outs",
            content=TEXT.encode() * 30_000,
            headers={"Content-Type": "application/json"},
        ),
        client.post("/v1/opt-outs", json={"address": NUMBER}, headers=once),
        client.post("/v1/opt-outs", json={"address": EMAIL}, headers=once),
        client.post(f"/v1/checks/chk_{'0' * 32}/sent", json={"at": NUMBER}),
        client.put(
            "/v1/registries/us-national-dnc/snapshots/2026-11-02",
            content=f"address\n{EMAIL} {TEXT}\n".encode(),
        ),
    ]
    assert not any(answer.status_code >= 500 for answer in answers)
    for answer in answers:
        for word in PERSONAL:
            assert word not in answer.text, (answer.request.method, word)
    return [answer.status_code for answer in answers]


def _replying(client: httpx.Client) -> list[int]:
    """What a provider passes on, by its form and in its query, and what is not its own."""
    wanted = {"provider": "twilio", "sender": "acme", "credentials": {"auth_token": SECRET}}
    made = client.post("/v1/inbound-endpoints", json=wanted)
    url = made.json()["url"]
    path = url.removeprefix(url.partition("/v1/")[0])
    form = {"MessageSid": "SM1", "From": NUMBER, "Body": f"STOP {TEXT}", "ProfileName": "Ada"}
    signed = sign_twilio(url, form)
    query = urlencode(form)
    by_get = sign_twilio(f"{url}?{query}", {}).headers
    answers = [
        made,
        client.get("/v1/inbound-endpoints"),
        client.post(path, content=signed.body, headers=dict(signed.headers)),
        client.get(f"{path}?{query}", headers=dict(by_get)),
        client.post(path, content=signed.body + b"&a=1", headers=dict(signed.headers)),
        client.post(path, content=signed.body, headers={"Content-Type": TEXT[:9]}),
        client.get(f"{path}?{query}"),
        client.get(f"/v1/inbound/{NUMBER}/{EMAIL}?{query}"),
    ]
    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 401, 415, 401, 404]
    for answer in answers:
        for word in (*PERSONAL, SECRET):
            assert word not in answer.text, (answer.request.method, word)
    return [answer.status_code for answer in answers]


def _speak_no_http(service: Served) -> None:
    parts = urlsplit(service.address)
    with socket.create_connection((parts.hostname or "", parts.port or 0)) as connection:
        connection.sendall(f"{NUMBER} {TEXT}\r\n\r\n".encode())
        connection.recv(1024)


def _drop(service: Served, table: str) -> None:
    import sqlite3

    with sqlite3.connect(service.folder.database) as connection:
        connection.execute(f"DROP TABLE {table}")
    connection.close()
