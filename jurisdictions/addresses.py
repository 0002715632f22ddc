"""Parse a telephone number or an e-mail address once, at the edge. Nothing here raises."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from rules.facts import SenderId
from rules.vocabulary import NumberType


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """One address as it is compared and stored.

    ``normalised`` is E.164 or the e-mail address in small letters (host in IDNA form).
    ``spellings`` holds every spelling that reaches the same person, ``normalised`` among them.
    ``country``, ``regions`` (ISO 3166-2) and ``zones`` are what the number implies; e-mail
    addresses imply nothing. ``problem`` says why this can be no address, or is None.
    """

    normalised: str
    spellings: tuple[str, ...]
    channel_family: Literal["number", "email"]
    country: str | None = None
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    number_type: NumberType | None = None
    local_part: str | None = None
    problem: str | None = None


@lru_cache(maxsize=100_000)
def parse_address(text: str) -> Address:
    """Parse an E.164 number or an e-mail address; ``problem`` tells what is wrong with it."""
    raise NotImplementedError


def sender_id_of(text: str, *, default_country: str) -> SenderId:
    """Read a ``from``; national forms are those of ``default_country``, the sender's."""
    raise NotImplementedError
