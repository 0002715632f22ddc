"""Link addresses that are one person's, and part them again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from consent import linking
from consent.errors import LinkTooLargeError, StandingUnreadableError
from consent.keys.key_ring import KeyRing
from consent.linking import Linked, LinkInput
from jurisdictions.addresses import Address
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True)
class LinkRequest:
    """Which addresses. ``actor``: the id of the key that asks."""

    organisation: str
    actor: str
    addresses: Sequence[Address]


class LinkSubjects:
    """The work of linking. An opt-out at one of the addresses stops all from its commit on."""

    name = "link_subjects"
    priority = Priority.EVENT

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[LinkRequest], *, now: datetime
    ) -> list[Linked | ComplianceError]:
        """Link the addresses of each request, in order."""
        return [_done(linking.link, connection, one, self._keys, now) for one in requests]


class UnlinkSubjects:
    """The work of parting; stops that held go on holding."""

    name = "unlink_subjects"
    priority = Priority.EVENT

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def run_many(
        self, connection: Connection, requests: Sequence[LinkRequest], *, now: datetime
    ) -> list[Linked | ComplianceError]:
        """Let the addresses of each request stand alone, in order."""
        return [_done(linking.unlink, connection, one, self._keys, now) for one in requests]


def _done(
    do: Callable[..., Linked],
    connection: Connection,
    request: LinkRequest,
    keys: KeyRing,
    now: datetime,
) -> Linked | ComplianceError:
    given = LinkInput(addresses=request.addresses, actor=request.actor)
    try:
        return do(connection, request.organisation, given, keys=keys, now=now)
    except (LinkTooLargeError, StandingUnreadableError) as error:
        return error  # Raised before anything was written.
