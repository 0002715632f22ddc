"""Read a reply: whole messages, leading words, and sentences that mean stop."""

from enum import StrEnum
from typing import NamedTuple

from rules.vocabulary import Channel, Purpose


class Reading(StrEnum):
    """What a reply asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"
    UNCERTAIN = "uncertain"
    OTHER = "other"


class Scope(NamedTuple):
    """What a stop reaches; an absent part means all."""

    channel: Channel | None = None
    purpose: Purpose | None = None


NO_SCOPE = Scope()


class Reply(NamedTuple):
    """A reply as read. ``matched`` is the word or phrase of our lists that decided, never the text.

    ``scope`` narrows a stop only where the text says so plainly.
    """

    reading: Reading
    matched: str | None = None
    scope: Scope = NO_SCOPE


def read_reply(text: str, *, country: str | None) -> Reply:
    """Read ``text`` in every language that we know; never raises, linear in its length.

    ``country`` (ISO 3166-1 alpha-2, of the person who wrote) decides only where one word means
    stop in one language and something else in another. In doubt the wider reading.
    """
    raise NotImplementedError
