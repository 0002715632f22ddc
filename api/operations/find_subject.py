"""What is on record of one person, by an address of theirs."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from rules.vocabulary import Channel, EventKind, Level, Purpose, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentOnRecord:
    """The last word on one (sender, channel, purpose); None there means every one."""

    sender: str | None
    channel: Channel | None
    purpose: Purpose | None
    event: EventKind
    at: datetime
    level: Level | None = None
    qualities: frozenset[Quality] = frozenset()
    expires_at: datetime | None = None
    index: int | None = None


@dataclass(frozen=True, slots=True)
class SubjectOnRecord:
    """A person as the ledger knows them. ``known`` False: nothing was ever recorded."""

    known: bool
    consents: tuple[ConsentOnRecord, ...] = ()


class FindSubject:
    """Reads standing and suppression; made with the keys."""

    def find(
        self, connection: Connection, organisation: str, address: str, *, now: datetime
    ) -> SubjectOnRecord:
        """Everything on record of the person of ``address``, as of ``now``."""
        raise NotImplementedError
