"""What an auditor reads of the logs, and that it verifies without us."""

import asyncio
import base64
from pathlib import Path
from typing import Any

import pytest

from api.roles import Role
from consent.ledger import checkpoints, tree
from consent.ledger.leaf import decode_leaf
from consent.ledger.notes import Verifier
from consent.ledger.proofs import read_receipt
from tests.support.service import TestService, running_service

GRANT = {
    "address": "+12125550123",
    "sender": "acme",
    "event": "grant",
    "channel": "sms",
    "purpose": "marketing",
    "level": "express_written",
}
EVENTS = 600


@pytest.fixture
def recorded(tmp_path: Path) -> str:
    """A folder whose service recorded 600 events and one lookup, and was stopped."""

    async def scenario() -> str:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            for _ in range(3):
                body = {"events": [GRANT] * (EVENTS // 3)}
                answer = await service.client.post("/v1/consent-events", json=body, headers=headers)
                assert answer.status_code == 200
            await service.client.post(
                "/v1/subjects/lookup", json={"address": "+12125550123"}, headers=headers
            )
            await service.client.post(
                "/v1/subjects/lookup", json={"address": "nobody@example.com"}, headers=headers
            )
        return organisation

    return asyncio.run(scenario())


async def get(service: TestService, organisation: str, path: str) -> Any:
    answer = await service.operator.get(path, headers={"X-Organisation": organisation})
    assert answer.status_code == 200, (path, answer.text)
    return answer


def test_a_log_is_verified_from_what_it_gives_out(recorded: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            logs = (await get(service, recorded, "/v1/logs")).json()["items"]
            assert {one["log"]: one["signed_size"] for one in logs} == {
                "consent": EVENTS,
                "decisions": None,
                "rules": 1,
                "access": 2,
            }
            (consent,) = [one for one in logs if one["log"] == "consent"]
            note = (await get(service, recorded, "/v1/logs/consent/checkpoint")).text
            keys = service.components.keys.log_public_keys(recorded, consent["log"])
            assert consent["verifier_keys"] == [str(Verifier(consent["origin"], k)) for k in keys]
            signed = checkpoints.verify(note, consent["origin"], keys)
            assert signed.size == EVENTS

            prefix = "/v1/logs/consent/tile"
            tiles = [(await get(service, recorded, f"{prefix}/0/{n:03}")).content for n in (0, 1)]
            last = await get(service, recorded, f"{prefix}/0/002.p/88")
            hashes = b"".join([*tiles, last.content])
            assert len(hashes) == EVENTS * 32
            assert "immutable" in last.headers["cache-control"]
            assert "private" in last.headers["cache-control"]
            bundle = (await get(service, recorded, f"{prefix}/entries/002.p/88")).content
            leaf = bundle[2 : 2 + int.from_bytes(bundle[:2], "big")]
            assert tree.leaf_hash(leaf) == hashes[512 * 32 : 513 * 32]

            path = "/v1/logs/consent/proofs/inclusion?index=512"
            proof = (await get(service, recorded, path)).json()
            receipt = read_receipt(proof["receipt"])
            assert receipt.note == note
            assert proof["leaf_hash"] == tree.leaf_hash(leaf).hex()
            assert tree.verify_inclusion(
                tree.leaf_hash(leaf), receipt.index, signed.size, receipt.proof, signed.root
            )
            path = f"/v1/logs/consent/proofs/consistency?from=257&to={EVENTS}"
            proof = (await get(service, recorded, path)).json()
            old, new = (base64.b64decode(proof[name]) for name in ("from_root", "to_root"))
            assert new == signed.root
            hashes_of_it = [base64.b64decode(one) for one in proof["proof"]]
            assert tree.verify_consistency(257, EVENTS, hashes_of_it, old, new)

    asyncio.run(scenario())


def test_entries_come_in_order_and_without_payload(recorded: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            path = "/v1/logs/consent/entries?from=598&to=9999"
            answer = (await get(service, recorded, path)).json()
            assert [one["index"] for one in answer["items"]] == [598, 599]
            assert answer["next_from"] is None
            for one in answer["items"]:
                leaf = base64.b64decode(one["leaf"])
                assert tree.leaf_hash(leaf).hex() == one["leaf_hash"]
                assert decode_leaf(leaf).type == "grant"
            empty = (await get(service, recorded, "/v1/logs/consent/entries?from=5&to=5")).json()
            assert empty == {"items": [], "next_from": None}

    asyncio.run(scenario())


def test_release_and_access_are_on_record(recorded: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            release = service.components.release
            entries = (await get(service, recorded, "/v1/logs/rules/entries?from=0&to=9")).json()
            (adopted,) = [decode_leaf(base64.b64decode(one["leaf"])) for one in entries["items"]]
            assert (adopted.type, adopted.release) == ("release", release.digest)
            assert adopted.statement is not None
            assert adopted.statement["id"] == release.id
            assert {"tzdata", "phonenumbers", "holidays"} <= adopted.statement.keys()
            entries = (await get(service, recorded, "/v1/logs/access/entries?from=0&to=9")).json()
            read = [decode_leaf(base64.b64decode(one["leaf"])) for one in entries["items"]]
            assert [one.type for one in read] == ["lookup", "lookup"]
            assert read[0].subject is not None
            assert read[1].subject is None
            assert all((one.actor or "").startswith("key_") for one in read)

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("gossip/checkpoint", 404),
        ("decisions/checkpoint", 404),
        ("consent/tile/0/003", 404),
        ("consent/tile/0/002", 404),
        ("consent/tile/0/002.p/89", 404),
        ("consent/tile/0/000.p/256", 404),
        ("consent/tile/0/000.p/0", 404),
        ("consent/tile/0/x000/001", 404),
        ("consent/tile/0/1", 404),
        ("consent/tile/0/001/002", 404),
        ("consent/tile/64/000", 404),
        ("consent/tile/00/000", 400),
        ("consent/tile/entries/003", 404),
        ("consent/proofs/inclusion", 400),
        ("consent/proofs/inclusion?index=600", 404),
        ("consent/proofs/inclusion?index=5&size=5", 404),
        ("consent/proofs/inclusion?index=5&size=601", 404),
        ("consent/proofs/inclusion?index=-1", 400),
        ("consent/proofs/consistency?from=5&to=601", 404),
        ("consent/proofs/consistency?from=6&to=5", 400),
        ("consent/proofs/consistency?old=5&new=6", 400),
        ("consent/entries?from=2&to=1", 400),
    ],
)
def test_what_is_not_there_is_not_given(
    recorded: str, tmp_path: Path, path: str, status: int
) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            answer = await service.operator.get(
                f"/v1/logs/{path}", headers={"X-Organisation": recorded}
            )
            assert answer.status_code == status, answer.text

    asyncio.run(scenario())
