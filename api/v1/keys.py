"""API keys of the caller's organisation."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody

from api.call import Answer, Call
from api.openapi import shown
from api.operations.issue_keys import (
    IssuedKey,
    IssueKeys,
    KeyRequest,
    RevokeKeys,
    RevokeRequest,
    list_keys,
)
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Role, open_to

PersonName = Annotated[str, msgspec.Meta(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f@]+$")]


class NewKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to be issued. ``person`` is the one who will hold it; ``roles`` what it may do."""

    person: PersonName
    roles: Annotated[list[Role], msgspec.Meta(min_length=1, max_length=len(Role))]


class KeyShape(msgspec.Struct, frozen=True):
    """A key. ``prefix`` is so much of its token as one may show."""

    id: str
    person: str
    roles: list[Role]
    prefix: str
    recorded_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, key: IssuedKey) -> "KeyShape":
        """As the list shows it."""
        return cls(key.id, key.person, list(key.roles), key.prefix, key.recorded_at, key.revoked_at)


class IssuedKeyShape(msgspec.Struct, frozen=True):
    """A key just issued. ``token`` is shown in this answer only."""

    id: str
    token: str
    person: str
    roles: list[Role]
    prefix: str
    recorded_at: datetime

    @classmethod
    def of(cls, key: IssuedKey) -> "IssuedKeyShape":
        """As the answer shows it that issued it."""
        assert key.token is not None, "a key just issued has its token"
        return cls(key.id, key.token, key.person, list(key.roles), key.prefix, key.recorded_at)


def _id_of(key: IssuedKey) -> str:
    return key.id


@post(
    "/v1/keys",
    opt=open_to(Role.ADMIN) | shown(request={"person": "Web shop", "roles": ["sender"]}),
    operation_id="issueKey",
    summary="Issue an API key",
)
async def post_key(
    data: JSONBody[NewKey], request: Call, issue_keys: NamedDependency[IssueKeys]
) -> Answer[IssuedKeyShape]:
    """The token is in this answer and nowhere else; only its hash is stored."""
    wanted = KeyRequest(request.caller.organisation, data.person, frozenset(data.roles))
    return await request.write(issue_keys, wanted, shape=IssuedKeyShape.of)


@get("/v1/keys", opt=open_to(Role.ADMIN), operation_id="listKeys", summary="List API keys")
async def get_keys(
    request: Call, cursor: FromQuery[Cursor] = None, limit: FromQuery[Limit] = LIMIT_DEFAULT
) -> Answer[Page[KeyShape]]:
    """The organisation's keys, also the revoked ones, without their tokens."""
    organisation, after = request.caller.organisation, place_of(cursor)
    return await request.read(
        lambda connection, _: list_keys(connection, organisation, after=after, limit=limit + 1),
        shape=lambda found: page_of(found, limit, shape=KeyShape.of, place=_id_of),
    )


@post(
    "/v1/keys/{key:str}/revoke",
    status_code=200,
    opt=open_to(Role.ADMIN),
    operation_id="revokeKey",
    summary="Revoke an API key",
)
async def post_key_revocation(
    key: FromPath[str], request: Call, revoke_keys: NamedDependency[RevokeKeys]
) -> Answer[KeyShape]:
    """From the answer on the key is refused; other processes learn it within a second."""
    wanted = RevokeRequest(request.caller.organisation, key)
    answer = await request.write(revoke_keys, wanted, shape=KeyShape.of)
    request.exchange.service.callers.forget()
    return answer
