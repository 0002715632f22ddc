"""A rotation by its route: old keys are destroyed when nothing lies under them, and not before."""

import asyncio
import base64
import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from api.operations import rotate_keys
from api.operations.upkeep.check_ledger import inspection
from api.roles import Role
from consent.keys.errors import UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.errors import NoteError
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier, verify_note
from tests.support.consents import NOW
from tests.support.service import TestService, running_service

MONTH = timedelta(days=31)
PEOPLE = [f"+121255501{number:02}" for number in range(10, 15)]


async def post(service: TestService, headers: dict[str, str], path: str, body: Any) -> Any:
    answer = await service.client.post(path, json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer.json()


async def rotated(service: TestService, headers: dict[str, str], what: str) -> list[Any]:
    answers = [await post(service, headers, "/v1/keys/rotation", {"what": what})]
    while (cursor := answers[-1]["cursor"]) is not None:
        body = {"what": what, "version": answers[-1]["version"], "cursor": cursor}
        answers.append(await post(service, headers, "/v1/keys/rotation", body))
    return answers


def test_an_erasure_is_complete_in_backups_after_a_rotation(
    tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rotate_keys, "PEOPLE_AT_ONCE", 2)
    url = None if database_url.startswith("sqlite") else database_url
    folder = tmp_path / "data"
    folder.mkdir()

    async def scenario() -> None:
        async with running_service(folder, database_url=url) as service:
            organisation = await service.new_organisation()
            headers = await service.as_(organisation, Role.ADMIN)
            for address in PEOPLE:
                await post(service, headers, "/v1/opt-outs", {"address": address, "via": "other"})
            wanted = {"address": PEOPLE[0], "why": "asked"}
            certificate = await post(service, headers, "/v1/subjects/erase", wanted)
            assert not certificate["backups"]["complete"]
            old = certificate["backups"]["until_destroyed"]
            service.clock.move(MONTH)
            answers = await rotated(service, headers, "organisation")
            assert [one["done"] for one in answers] == [2, 2, 0]
            assert answers[-1]["destroyed"] == old
            assert answers[-1]["kept"] == []
            again = await post(service, headers, "/v1/subjects/erase", wanted)
            assert again["repeated"]
            assert again["backups"]["complete"]
            for address in PEOPLE[1:]:
                body = {"address": address}
                found = await post(service, headers, "/v1/subjects/lookup", body)
                assert found["subject"] is not None
                await post(service, headers, "/v1/opt-outs", body | {"via": "other"})

    asyncio.run(scenario())


@pytest.mark.parametrize("what", ["organisation", "index"])
def test_a_rotation_goes_on_to_no_key_that_there_is_not(tmp_path: Path, what: str) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            headers = await service.as_(organisation, Role.ADMIN)
            body = {"what": what, "version": 2**31}
            answer = await service.client.post("/v1/keys/rotation", json=body, headers=headers)
            assert answer.status_code == 400
            assert answer.json()["errors"][0]["pointer"] == "/version"
            # Every key is still there, the newest too.
            await post(service, headers, "/v1/opt-outs", {"address": PEOPLE[0], "via": "agent"})

    asyncio.run(scenario())


def test_a_new_index_keeps_the_last_one_until_the_next(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            headers = await service.as_(organisation, Role.ADMIN)
            await post(service, headers, "/v1/opt-outs", {"address": PEOPLE[0], "via": "other"})
            first = (await rotated(service, headers, "index"))[-1]
            assert (first["version"], first["destroyed"]) == (2, [])
            assert first["kept"] == [{"kind": "index", "version": 1}]
            second = (await rotated(service, headers, "index"))[-1]
            assert second["destroyed"] == [{"kind": "index", "version": 1}]
            found = await post(service, headers, "/v1/subjects/lookup", {"address": PEOPLE[0]})
            assert found["subject"] is not None

    asyncio.run(scenario())


def test_a_months_decisions_open_no_more_when_its_key_is_destroyed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            check = {
                "sender": "acme",
                "recipient": {"address": PEOPLE[0]},
                "message": {"channel": "sms", "purpose": "marketing"},
            }
            id_ = (await post(service, headers, "/v1/checks", check))["id"]
            month = service.clock.now().strftime("%Y-%m")
            body = {"kind": "decision", "month": month}
            early = await service.client.post("/v1/keys/destruction", json=body, headers=headers)
            assert (early.status_code, early.json()["code"]) == (409, "conflict")
            service.clock.move(3 * MONTH)
            gone = await post(service, headers, "/v1/keys/destruction", body)
            version = int(month.replace("-", ""))
            assert gone == {"destroyed": [{"kind": "decision", "version": version}]}
            answer = await service.client.get(f"/v1/checks/{id_}", headers=headers)
            assert (answer.status_code, answer.json()["code"]) == (410, "decision_expired")
            with pytest.raises(UnknownKeyError):
                service.components.keys.opening_key(organisation, KeyKind.DECISION, version)

    asyncio.run(scenario())


def test_a_new_log_key_signs_beside_the_old_one(tmp_path: Path, database_url: str) -> None:
    """Whoever knows the old key only goes on verifying, and finds the new one in the log."""
    url = None if database_url.startswith("sqlite") else database_url
    folder = tmp_path / "data"
    folder.mkdir()

    async def scenario() -> None:
        async with running_service(folder, database_url=url) as service:
            organisation = await service.new_organisation()
            headers = await service.as_(organisation, Role.ADMIN)
            await post(service, headers, "/v1/opt-outs", {"address": PEOPLE[0], "via": "other"})

            async def keys() -> list[Verifier]:
                logs = (await service.client.get("/v1/logs", headers=headers)).json()["items"]
                (consent,) = [one for one in logs if one["log"] == "consent"]
                return [read_verifier(one) for one in consent["verifier_keys"]]

            async def signed() -> str:
                await service.signer.sign_grown()
                answer = await service.client.get("/v1/logs/consent/checkpoint", headers=headers)
                assert answer.status_code == 200
                return answer.text

            (old,) = await keys()
            verify_note(await signed(), [old])
            (answer,) = await rotated(service, headers, "log")
            assert (answer["version"], answer["done"]) == (2, 0)
            _, new = await keys()
            note = await signed()
            for known in ([old], [new], [old, new]):
                verify_note(note, known)
            entries = await service.client.get(
                "/v1/logs/consent/entries?from=0&to=9", headers=headers
            )
            leaf = json.loads(base64.b64decode(entries.json()["items"][-1]["leaf"]))
            assert leaf["type"] == "log_key"
            assert leaf["statement"] == {"verifier_key": str(new), "version": 2}

            await rotated(service, headers, "log")
            note = await signed()
            verify_note(note, [new])
            with pytest.raises(NoteError, match="by no key that is known"):
                verify_note(note, [old])
        with inspection(service.components.settings) as look:
            assert list(look.damages(lambda _: None)) == []

    asyncio.run(scenario())


def test_another_process_signs_with_a_log_key_made_here(tmp_path: Path) -> None:
    ours = KeyRing.create(tmp_path, at=NOW)
    ours.add_organisation("org_a", at=NOW)
    theirs = KeyRing.open(tmp_path)
    before = theirs.log_key("org_a", Log.CONSENT).public_key()
    assert ours.renew_log_keys("org_a") == 2
    newest, older = theirs.log_signing_keys("org_a", Log.CONSENT)
    assert older.public_key() == before
    assert newest.public_key() == ours.log_key("org_a", Log.CONSENT).public_key()
    assert theirs.log_public_keys("org_a", Log.CONSENT) == [before, newest.public_key()]


def read_verifier(written: str) -> Verifier:
    """Read a verifier key as ``GET /v1/logs`` gives it."""
    name, _, key = written.split("+", 2)
    found = Verifier(name, Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]))
    assert str(found) == written
    return found
