"""Make a recipient's links: one to stop with one click, one to their preference page."""

from collections.abc import Callable
from datetime import UTC, datetime, time

import msgspec
from sqlalchemy import Connection

from api.errors import LinksUnavailableError
from consent import senders
from consent.errors import InvalidAddressError, UnknownSenderError
from consent.keys.key_ring import KeyRing
from consent.links import VIEW_LASTS, LinkKind, make_token
from jurisdictions.addresses import Address

ONE_CLICK_PATH = "/u/"
PREFERENCES_PATH = "/p/"


class Links(msgspec.Struct, frozen=True):
    """What a message to one person may carry. Confidential: whoever holds one can stop messages.

    ``one_click`` goes into ``List-Unsubscribe`` (RFC 8058) and works for good. ``preferences``
    shows until ``viewable_until`` what is on record, and stops messages after it too.
    """

    one_click: str
    preferences: str
    viewable_until: datetime


class MakeLinks:
    """Makes links without asking the database. ``base_url``: how recipients reach the service."""

    def __init__(self, keys: KeyRing, base_url: str | None) -> None:
        self._keys = keys
        self._base_url = None if base_url is None else base_url.rstrip("/")

    def for_message(
        self, organisation: str, sender: str, address: Address, *, now: datetime
    ) -> Links | None:
        """The links for a message that must carry them; None where there can be none."""
        base = self._base_url
        if base is None or address.problem is not None:
            return None

        def token(kind: LinkKind) -> str:
            return make_token(
                self._keys, organisation, kind, sender=sender, address=address.normalised, at=now
            )

        return Links(
            one_click=base + ONE_CLICK_PATH + token(LinkKind.ONE_CLICK),
            preferences=base + PREFERENCES_PATH + token(LinkKind.PREFERENCES),
            viewable_until=datetime.combine(
                now.astimezone(UTC).date() + VIEW_LASTS, time(), tzinfo=UTC
            ),
        )

    def reading(
        self, organisation: str, sender: str, address: Address
    ) -> Callable[[Connection, datetime], Links]:
        """The same for whoever asks for them, as a read that refuses what cannot be."""
        if self._base_url is None:
            raise LinksUnavailableError(
                "nobody has said how recipients reach this service: set public_base_url"
            )
        if address.problem is not None:
            raise InvalidAddressError(f"the address cannot be one: {address.problem}")

        def read(connection: Connection, now: datetime) -> Links:
            if sender not in senders.load_names(connection, organisation, {sender}):
                raise UnknownSenderError("the organisation has no sender of that id")
            links = self.for_message(organisation, sender, address, now=now)
            assert links is not None, "both reasons for none were looked at above"
            return links

        return read
