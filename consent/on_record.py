"""Everything on record of the people in a batch: standing, suppression and places held, merged."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from consent.errors import StandingUnreadableError
from consent.keys.key_ring import KeyRing
from jurisdictions.addresses import Address
from rules.history import History


@dataclass(frozen=True, slots=True)
class OnRecord:
    """What is on record of one person. ``subject`` is None for somebody never recorded.

    ``key`` tells people of one batch apart (``rules.facts.Recipient.key``).
    """

    subject: bytes | None
    key: str

    def history(self, sender: str) -> History:
        """The person's history as it bears on a message of ``sender`` (an id in ``brands``)."""
        raise NotImplementedError


def load_many(
    connection: Connection,
    organisation: str,
    addresses: Sequence[Address],
    *,
    keys: KeyRing,
    now: datetime,
    brands: Mapping[str, str],
) -> list[OnRecord | StandingUnreadableError]:
    """What is on record, in the order of ``addresses``; never more than four statements.

    ``brands``: names of the senders whose messages are checked, by id.
    An error stands in the place of whoever's record cannot be trusted: that check ends in 503.
    """
    raise NotImplementedError
