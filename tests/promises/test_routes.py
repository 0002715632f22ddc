"""Every route names who may use it, and nobody else gets in."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from litestar import get
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from api.app import ROUTES
from api.roles import Access, Caller, Role, access_of, open_to
from tests.support.service import TestService, running_service

PUBLIC = {
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /schema",
    "GET /.well-known/jwks.json",
    # Signed by the receiver of the delivery.
    "POST /v1/deliveries/{delivery:str}/applied",
    "POST /v1/webhooks/{webhook:str}/missing",
    "POST /v1/webhooks/{webhook:str}/reconciliation",
    "POST /v1/inbound/{provider:str}/{endpoint:str}",
    "GET /v1/inbound/{provider:str}/{endpoint:str}",
    "GET /u/{token:str}",
    "POST /u/{token:str}",
    "GET /p/{token:str}",
    "POST /p/{token:str}",
}
OPERATOR_ONLY = {"POST /v1/organisations"}
# What design calls the roles of each resource, written down a second time on purpose.
ROLES = {
    "POST /v1/keys": {Role.ADMIN},
    "GET /v1/keys": {Role.ADMIN},
    "POST /v1/keys/{key:str}/revoke": {Role.ADMIN},
    "POST /v1/keys/rotation": {Role.ADMIN},
    "POST /v1/keys/destruction": {Role.ADMIN},
    "GET /v1/retention": {Role.AUDITOR},
    "PUT /v1/retention": {Role.ADMIN},
    "POST /v1/retention/months": {Role.ADMIN},
    "POST /v1/subjects/renew-key": {Role.ADMIN},
    "GET /v1/organisations": {Role.ADMIN},
    "PUT /v1/senders/{sender:str}": {Role.ADMIN},
    "GET /v1/senders": {Role.SENDER},
    "GET /v1/senders/{sender:str}": {Role.SENDER},
    "POST /v1/consent-events": {Role.COLLECTOR},
    "POST /v1/consent-events/assess": {Role.COLLECTOR},
    "POST /v1/opt-outs": {Role.COLLECTOR},
    "POST /v1/inbound-endpoints": {Role.ADMIN},
    "GET /v1/inbound-endpoints": {Role.ADMIN},
    "PUT /v1/inbound-endpoints/{endpoint:str}/credentials": {Role.ADMIN},
    "POST /v1/inbound-endpoints/{endpoint:str}/disable": {Role.ADMIN},
    "GET /v1/reviews": {Role.COLLECTOR},
    "POST /v1/reviews/{review:str}": {Role.COLLECTOR},
    "POST /v1/subjects/lookup": {Role.COLLECTOR, Role.AUDITOR},
    "POST /v1/subjects/erase": {Role.ADMIN},
    "POST /v1/subjects/link": {Role.COLLECTOR},
    "POST /v1/subjects/unlink": {Role.COLLECTOR},
    "POST /v1/subjects/trail": {Role.AUDITOR},
    "POST /v1/subjects/access": {Role.AUDITOR},
    "GET /v1/access": {Role.AUDITOR},
    "POST /v1/exports": {Role.AUDITOR},
    "GET /v1/exports": {Role.AUDITOR},
    "GET /v1/exports/{export:str}": {Role.AUDITOR},
    "DELETE /v1/exports/{export:str}": {Role.AUDITOR},
    "GET /v1/exports/{export:str}/download": {Role.AUDITOR},
    "POST /v1/checks": {Role.SENDER},
    "GET /v1/checks/{check:str}": {Role.SENDER},
    "POST /v1/checks/{check:str}/replay": {Role.SENDER, Role.AUDITOR},
    "POST /v1/checks/{check:str}/sent": {Role.SENDER},
    "POST /v1/checks/{check:str}/not-sent": {Role.SENDER},
    "POST /v1/permits/verify": {Role.SENDER},
    "POST /v1/links": {Role.SENDER},
    "PUT /v1/registries/{registry:str}/snapshots/{as_of:str}": {Role.LEGAL},
    "GET /v1/registries": {Role.LEGAL},
    "POST /v1/webhooks": {Role.ADMIN},
    "GET /v1/webhooks": {Role.ADMIN},
    "GET /v1/webhooks/{webhook:str}": {Role.ADMIN},
    "POST /v1/webhooks/{webhook:str}/rotate-secret": {Role.ADMIN},
    "POST /v1/webhooks/{webhook:str}/disable": {Role.ADMIN},
    "POST /v1/webhooks/{webhook:str}/enable": {Role.ADMIN},
    "DELETE /v1/webhooks/{webhook:str}": {Role.ADMIN},
    "GET /v1/webhooks/{webhook:str}/deliveries": {Role.ADMIN},
    "POST /v1/deliveries/{delivery:str}/retry": {Role.ADMIN},
    "GET /v1/propagation": {Role.AUDITOR},
    "GET /v1/logs": {Role.AUDITOR},
    "GET /v1/logs/{log:str}/checkpoint": {Role.AUDITOR},
    "GET /v1/logs/{log:str}/tile/{level:str}/{tile:path}": {Role.AUDITOR},
    "GET /v1/logs/{log:str}/proofs/inclusion": {Role.AUDITOR},
    "GET /v1/logs/{log:str}/proofs/consistency": {Role.AUDITOR},
    "GET /v1/logs/{log:str}/entries": {Role.AUDITOR},
}


@get("/forgotten")
async def forgotten() -> str:
    return "open"


def routes_of(service: TestService) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    for route in service.doors.litestar.routes:
        assert isinstance(route, HTTPRoute)
        for method, (handler, _) in route.route_handler_map.items():
            if method != "OPTIONS":
                yield method, route.path, handler


def address_of(path: str) -> str:
    """Fill a template with ids that nobody has."""
    return (
        path.replace("{key:str}", "key_none")
        .replace("{sender:str}", "nobody")
        .replace("{provider:str}", "twilio")
        .replace("{endpoint:str}", "inb_none")
        .replace("{check:str}", "chk_" + "0" * 32)
        .replace("{review:str}", "evt_" + "0" * 32)
        .replace("{export:str}", "exp_" + "0" * 32)
        .replace("{registry:str}", "us-national-dnc")
        .replace("{as_of:str}", "2026-11-01")
        .replace("{webhook:str}", "whk_none")
        .replace("{delivery:str}", "dlv_" + "0" * 32)
        .replace("{log:str}", "consent")
        .replace("{level:str}", "0")
        .replace("{tile:path}", "000")
        .replace("{token:str}", "A" * 100)
    )


def test_every_route_names_the_roles_it_needs(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            found = {f"{method} {path}": access_of(h) for method, path, h in routes_of(service)}
        assert {name for name, access in found.items() if access.public} == PUBLIC
        assert {name for name, access in found.items() if access.operator_only} == OPERATOR_ONLY
        rest = {name: set(found[name].roles) for name in found.keys() - PUBLIC - OPERATOR_ONLY}
        assert rest == ROLES

    asyncio.run(scenario())


def test_every_route_against_every_role(tmp_path: Path) -> None:
    """No key is 401, a wrong role 403; a right one gets past the guard."""

    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            headers = {role: await service.as_(organisation, role) for role in Role}
            for method, path, handler in routes_of(service):
                access, url = access_of(handler), address_of(path)
                answer = await service.client.request(method, url)
                assert (answer.status_code == 401) is not access.public, (method, path)
                for role in Role:
                    answer = await service.client.request(method, url, headers=headers[role])
                    allowed = access.public or (
                        not access.operator_only and (role is Role.ADMIN or role in access.roles)
                    )
                    assert (answer.status_code == 403) is not allowed, (method, path, role)

    asyncio.run(scenario())


def test_a_wrong_key_is_401_whatever_it_looks_like(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            key = await service.new_key(await service.new_organisation(), Role.ADMIN)
            for value in (f"Basic {key}", "Bearer", "Bearer ", key, f"Bearer {key}x", "Bearer é"):
                sent = {b"Authorization": value.encode("latin-1")}
                answer = await service.client.get("/v1/keys", headers=sent)
                assert answer.status_code == 401, value
                assert answer.headers["www-authenticate"].startswith("Bearer")
            answer = await service.client.get(
                "/v1/keys", headers={"Authorization": f"bearer {key}"}
            )
            assert answer.status_code == 200

    asyncio.run(scenario())


def test_a_route_that_names_no_role_is_closed(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, routes=(*ROUTES, forgotten)) as service:
            headers = await service.as_(await service.new_organisation(), Role.ADMIN)
            for client in (service.client, service.operator):
                answer = await client.get("/forgotten", headers=headers)
                assert answer.status_code == 403

    asyncio.run(scenario())


def test_being_an_admin_does_not_make_an_approver() -> None:
    access = Access(roles=frozenset({Role.LEGAL}), approval=True)
    assert access.admits(Caller("org_a", "Ada", "key_a", frozenset({Role.LEGAL})))
    assert not access.admits(Caller("org_a", "Ada", "key_a", frozenset({Role.ADMIN})))
    assert open_to(Role.LEGAL, approval=True)["approval"]


def test_no_organisation_sees_anothers_objects(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            ours = await service.new_organisation("Ours")
            theirs = await service.new_organisation("Theirs")
            await service.put_sender(ours)
            us, them = await service.as_(ours, Role.ADMIN), await service.as_(theirs, Role.ADMIN)
            check = await _checked(service, us)
            key = (await service.client.get("/v1/keys", headers=us)).json()["items"][0]["id"]
            for method, path in (
                ("GET", "/v1/senders/acme"),
                ("GET", f"/v1/checks/{check}"),
                ("POST", f"/v1/checks/{check}/replay"),
                ("POST", f"/v1/checks/{check}/sent"),
                ("POST", f"/v1/checks/{check}/not-sent"),
                ("POST", f"/v1/keys/{key}/revoke"),
            ):
                answer = await service.client.request(method, path, headers=them)
                assert answer.status_code == 404, (method, path)
            for path in ("/v1/senders", "/v1/registries"):
                assert (await service.client.get(path, headers=them)).json()["items"] == []
            answer = await service.client.post("/v1/checks", json=_a_check(), headers=them)
            assert answer.status_code == 404
            listed = (await service.client.get("/v1/organisations", headers=them)).json()["items"]
            assert [item["id"] for item in listed] == [theirs]
            # The key was theirs to name, not to revoke.
            assert (await service.client.get("/v1/keys", headers=us)).status_code == 200

    asyncio.run(scenario())


def test_nobody_reaches_the_operators_door_by_a_header(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            headers = {
                "X-Organisation": organisation,
                "operator_door": "true",
                "Operator-Door": "1",
            }
            answer = await service.client.get("/v1/keys", headers=headers)
            assert answer.status_code == 401

    asyncio.run(scenario())


def _a_check() -> dict[str, object]:
    return {
        "sender": "acme",
        "recipient": {"address": "+12125550123", "region": "US-NY"},
        "message": {"channel": "sms", "purpose": "marketing"},
    }


async def _checked(service: TestService, headers: dict[str, str]) -> str:
    answer = await service.client.post("/v1/checks", json=_a_check(), headers=headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["id"])


def test_a_revoked_key_is_refused_from_the_answer_on(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            admin = await service.as_(organisation, Role.ADMIN)
            issued = await service.client.post(
                "/v1/keys", json={"person": "Bob", "roles": ["sender"]}, headers=admin
            )
            bob = {"Authorization": f"Bearer {issued.json()['token']}"}
            assert (await service.client.get("/v1/senders", headers=bob)).status_code == 200
            revoked = await service.client.post(
                f"/v1/keys/{issued.json()['id']}/revoke", headers=admin
            )
            assert revoked.json()["revoked_at"] is not None
            assert (await service.client.get("/v1/senders", headers=bob)).status_code == 401

    asyncio.run(scenario())
