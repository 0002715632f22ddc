"""Who may do what: five roles, and the one guard that every route passes.

A route says in ``opt`` which roles may use it, by ``open_to``, or that it is public. A route
that says nothing is refused: forgetting closes, it does not open.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, cast
from urllib.parse import parse_qsl

from litestar.exceptions import MethodNotAllowedException
from litestar.handlers.base import BaseRouteHandler
from litestar.params import QueryParameter
from litestar.types import ASGIApp, HTTPScope, Receive, Scope, Send

from api.errors import (
    ForbiddenError,
    InvalidRequestError,
    PersonsWithheldError,
    UnauthenticatedError,
)
from api.exchange import exchange_of

NO_ORGANISATION = ""
"""Where the operator stands who named none: enough to found one, and nothing else."""


class Role(StrEnum):
    """What a key may be for. An admin may what the others may, but approval."""

    SENDER = "sender"
    COLLECTOR = "collector"
    AUDITOR = "auditor"
    LEGAL = "legal"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call: a person of an organisation, by a key, or the machine's operator."""

    organisation: str
    person: str
    key: str
    roles: frozenset[Role]
    is_operator: bool = False


@dataclass(frozen=True, slots=True)
class Access:
    """What a route asks of its caller. ``any_parameters``: it reads those it knows and no more."""

    roles: frozenset[Role] = frozenset()
    public: bool = False
    approval: bool = False
    operator_only: bool = False
    about_persons: bool = False
    parameters: frozenset[str] = frozenset()
    any_parameters: bool = False

    def refuse_unknown_parameters(self, query: bytes) -> None:
        """An unknown parameter is an error, as an unknown field is."""
        if self.any_parameters:
            return
        names = [name for name, _ in parse_qsl(query.decode("latin-1"), keep_blank_values=True)]
        if not self.parameters.issuperset(names):
            known = ", ".join(sorted(self.parameters)) or "none"
            raise InvalidRequestError(f"a query parameter is not known here; known: {known}")

    def admits(self, caller: Caller) -> bool:
        """Whether this caller may use the route."""
        if self.operator_only:
            return caller.is_operator
        if not self.roles:
            return False
        if Role.ADMIN in caller.roles and not self.approval:
            return True
        return not self.roles.isdisjoint(caller.roles)


CLOSED = Access()


def open_to(*roles: Role, approval: bool = False) -> dict[str, Any]:
    """``opt`` of a route for these roles; for an ``approval`` being an admin is not enough."""
    return {"roles": frozenset(roles), "approval": approval}


def public(*, any_parameters: bool = False) -> dict[str, Any]:
    """``opt`` of a route that asks for no key.

    With ``any_parameters`` a link still works when others have hung theirs on it.
    """
    return {"public": True, "any_parameters": any_parameters}


def operator_only() -> dict[str, Any]:
    """``opt`` of a route that only the operator of this machine may use, through its socket."""
    return {"operator_only": True}


def about_persons() -> dict[str, Any]:
    """``opt`` of a route that tells what is on record of people: withheld where that cannot be
    trusted to be without those who were erased."""
    return {"about_persons": True}


def access_of(handler: BaseRouteHandler) -> Access:
    """What this route asks for, from its ``opt``; closed if it says nothing."""
    opt = handler.opt
    parameters = frozenset(
        field.kwarg_definition.name or name
        for name, field in handler.parsed_fn_signature.parameters.items()
        if isinstance(field.kwarg_definition, QueryParameter)
    )
    if opt.get("public"):
        return Access(
            public=True, parameters=parameters, any_parameters=bool(opt.get("any_parameters"))
        )
    if opt.get("operator_only"):
        return Access(operator_only=True, parameters=parameters)
    return Access(
        roles=frozenset(opt.get("roles", ())),
        approval=bool(opt.get("approval")),
        about_persons=bool(opt.get("about_persons")),
        parameters=parameters,
    )


class Guard:
    """Stands before every handler: knows the caller, and lets them in or not.

    A middleware and not one of Litestar's guards, which copies its handler for every request.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._access: dict[int, Access] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        handler, request = scope["route_handler"], cast("HTTPScope", scope)
        access = self._access.get(id(handler))
        if access is None:
            access = self._access[id(handler)] = access_of(handler)
        if request["method"] == "OPTIONS":  # Litestar adds these by itself; nobody needs them.
            raise MethodNotAllowedException
        if not access.public:
            exchange = exchange_of(scope)
            caller = await exchange.service.callers.identify(scope)
            if caller is None:
                raise UnauthenticatedError("send a valid key: Authorization: Bearer <api key>")
            if not access.admits(caller):
                raise ForbiddenError("this key's roles do not include this")
            exchange.caller = caller
            if access.about_persons and exchange.service.withheld is not None:
                raise PersonsWithheldError(exchange.service.withheld)
        if scope["query_string"]:
            access.refuse_unknown_parameters(scope["query_string"])
        await self._app(scope, receive, send)
