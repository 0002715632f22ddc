"""Store a sender under its id."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.errors import NotFoundError
from api.work import Priority
from consent import senders
from consent.senders import SenderRecord


@dataclass(frozen=True, slots=True)
class PutSender:
    """The sender is to be stored, in place of what was there under its id."""

    organisation: str
    sender: SenderRecord


class PutSenders:
    """The work; it answers with the sender as stored."""

    name = "put_sender"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[PutSender], *, now: datetime
    ) -> list[SenderRecord]:
        """Store each. A sender that is renamed keeps its earlier names, for opt-outs of them."""
        for request in requests:
            senders.put(connection, request.organisation, request.sender, now=now)
        return [request.sender for request in requests]


def find_sender(connection: Connection, organisation: str, sender: str) -> SenderRecord:
    """The sender of that id. ``NotFoundError``: this organisation has none."""
    found = senders.load_many(connection, organisation, [sender]).get(sender)
    if found is None:
        raise NotFoundError("there is no such sender")
    return found
