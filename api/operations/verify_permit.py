"""Whether a permit is good for a message, now."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from rules.vocabulary import Channel, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class PermitInput:
    """A permit and the message that is to go under it."""

    organisation: str
    permit: str
    address: str
    channel: Channel
    purpose: Purpose
    sender_id: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PermitVerdict:
    """``why`` says in a word of ours why a permit is not good; None when it is."""

    valid: bool
    why: str | None


class VerifyPermit:
    """Checks signature, claims and time, and asks for a revocation since; made with the keys."""

    def verify(
        self, connection: Connection, asked: PermitInput, *, now: datetime
    ) -> PermitVerdict:
        """Another organisation's permit is not valid here, and says no more than that."""
        raise NotImplementedError
