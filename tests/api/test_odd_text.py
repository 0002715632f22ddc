"""Text that databases do not take is an answer like any other, on both of them."""

import asyncio
from pathlib import Path

from api.roles import Role
from tests.support.service import running_service

ODD = ("a\\u0000b", "\\ud800")
FIELDS = ("sender", "address", "reference", "topic", "from", "text")
CHECK = (
    '{"sender": "%s", "recipient": {"address": "%s", "region": "US-NY"}, "reference": "%s", '
    '"message": {"channel": "email", "purpose": "transactional", "topic": "%s", "from": "%s", '
    '"text": "%s"}}'
)
PLAIN = ("acme", "ann@example.com", "r", "shoes", "news@example.com", "Hi")
EVENT = '{"address": "ann@example.com", "event": "%s", "level": "express", "%s": "%s"}'
PLACES = (
    ("GET", "/v1/senders/a%00b"),
    ("GET", "/v1/checks/chk_%00"),
    ("POST", "/v1/keys/a%00b/revoke"),
    ("GET", "/v1/senders?cursor=cYQBi"),
    ("GET", "/v1/keys?cursor=cYQBi"),
)


def test_odd_text_is_answered_wherever_it_stands(tmp_path: Path, database_url: str) -> None:
    asked = [("POST", "/v1/checks", CHECK % PLAIN)]
    for odd in ODD:
        for place in range(len(PLAIN)):
            given = CHECK % (*PLAIN[:place], odd, *PLAIN[place + 1 :])
            asked.append(("POST", "/v1/checks", given))
        for event in ("grant", "revoke", "complaint"):
            asked += [
                ("POST", "/v1/consent-events", EVENT % (event, field, odd))
                for field in ("sender", "brand", "topic", "text")
            ]
    asked += [(method, path, "") for method, path in PLACES]

    async def scenario() -> None:
        url = None if database_url.startswith("sqlite") else database_url
        async with running_service(tmp_path, database_url=url) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            headers["Content-Type"] = "application/json"
            for method, path, body in asked:
                answer = await service.client.request(method, path, content=body, headers=headers)
                assert answer.status_code < 500, (method, path, body, answer.text)

    asyncio.run(scenario())
