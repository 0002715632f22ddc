"""Who calls: API keys, looked up by the hash of their token.

What a key may do is kept in memory for a second at most. A key revoked through this process is
refused from the moment of the answer on; through another process, within that second.
"""

import hashlib
import secrets
from collections import OrderedDict

from litestar.types import Scope
from sqlalchemy import Connection, bindparam, select

from api.clock import Clock
from api.errors import NotFoundError
from api.reader import Reader
from api.roles import NO_ORGANISATION, Caller, Role
from api.tables import api_key, organisation

TOKEN_PREFIX = "cts_"  # noqa: S105
FRESH_FOR_SECONDS = 1.0
REMEMBERED_MAX = 4096
OPERATOR_DOOR = "operator_door"
"""Set in the scope by the door that is the socket in the data folder; no header can set it."""

_HEADER = b"authorization"
_ORGANISATION_HEADER = b"x-organisation"
_BEARER = b"bearer "
_FIND = select(api_key.c.id, api_key.c.organisation, api_key.c.person, api_key.c.roles).where(
    api_key.c.token_hash == bindparam("token_hash"), api_key.c.revoked_at.is_(None)
)
_FIRST_ORGANISATIONS = select(organisation.c.id).order_by(organisation.c.id).limit(2)
_ORGANISATION = select(organisation.c.id).where(organisation.c.id == bindparam("id"))


def new_token() -> str:
    """Make a token: 256 random bits behind a prefix that secret scanners can look for."""
    return TOKEN_PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str | bytes) -> bytes:
    """What is stored of a token."""
    return hashlib.sha256(token.encode() if isinstance(token, str) else token).digest()


def visible_prefix(token: str) -> str:
    """So much of a token as its list may show."""
    return token[: len(TOKEN_PREFIX) + 6]


class Callers:
    """Knows callers by their tokens."""

    def __init__(self, reader: Reader, clock: Clock) -> None:
        self._reader = reader
        self._clock = clock
        self._known: OrderedDict[bytes, tuple[Caller | None, float]] = OrderedDict()
        self._changes = 0

    async def identify(self, scope: Scope) -> Caller | None:
        """The caller of this request; None if it has no key, or none that is ours and valid."""
        if OPERATOR_DOOR in scope:
            return await self._operator(scope)
        token = _token_of(scope)
        if token is None:
            return None
        token_hash = hashlib.sha256(token).digest()
        known = self._known.get(token_hash)
        if known is not None and self._clock.monotonic() - known[1] < FRESH_FOR_SECONDS:
            return known[0]
        return await self._look_up(token_hash)

    def forget(self) -> None:
        """Trust nothing in memory any more: a key was revoked."""
        self._changes += 1
        self._known.clear()

    async def _look_up(self, token_hash: bytes) -> Caller | None:
        changes, asked_at = self._changes, self._clock.monotonic()
        caller = await self._reader.run(lambda connection: _find(connection, token_hash))
        # What was read before a revocation was committed must not be remembered after it.
        if changes == self._changes:
            self._known[token_hash] = (caller, asked_at)
            self._known.move_to_end(token_hash)
            if len(self._known) > REMEMBERED_MAX:
                self._known.popitem(last=False)
        return caller

    async def _operator(self, scope: Scope) -> Caller:
        """Whoever may open the socket owns the data folder, and may what an admin may."""
        wanted = _header(scope, _ORGANISATION_HEADER)
        found = await self._reader.run(lambda connection: _organisations(connection, wanted))
        if wanted is not None and not found:
            raise NotFoundError("there is no such organisation")
        name = found[0] if len(found) == 1 else NO_ORGANISATION
        return Caller(name, "operator", "operator", frozenset({Role.ADMIN}), is_operator=True)


def _organisations(connection: Connection, wanted: bytes | None) -> list[str]:
    if wanted is None:
        return list(connection.execute(_FIRST_ORGANISATIONS).scalars())
    return list(connection.execute(_ORGANISATION, {"id": wanted.decode("latin-1")}).scalars())


def _find(connection: Connection, token_hash: bytes) -> Caller | None:
    row = connection.execute(_FIND, {"token_hash": token_hash}).first()
    if row is None:
        return None
    roles = frozenset(Role(word) for word in row.roles.split())
    return Caller(row.organisation, row.person, row.id, roles)


def _token_of(scope: Scope) -> bytes | None:
    value = _header(scope, _HEADER)
    if value is None or value[:7].lower() != _BEARER:
        return None
    return value[7:].strip() or None


def _header(scope: Scope, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            return value
    return None
