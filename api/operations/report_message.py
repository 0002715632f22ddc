"""A sender reports that a checked message went out, or that it will not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.work import Priority
from rules.errors import ComplianceError


@dataclass(frozen=True, slots=True)
class MessageReport:
    """What became of the message of ``check``; ``at`` None: now."""

    organisation: str
    actor: str
    check: bytes
    was_sent: bool
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Reported:
    """A report on record. ``index`` is that of the ``sent`` event; None with ``not-sent``."""

    check: bytes
    was_sent: bool
    recorded_at: datetime
    index: int | None


class ReportMessages:
    """The work. ``sent`` counts in caps from its instant; ``not-sent`` frees the place."""

    name = "report_messages"
    priority = Priority.EVENT

    def run_many(
        self, connection: Connection, requests: Sequence[MessageReport], *, now: datetime
    ) -> Sequence[Reported | ComplianceError]:
        """Record each report. The same report again gives the same answer; the contrary one is
        ``ConflictError``, as is a report on a check that was not allowed; no check is
        ``NotFoundError``."""
        raise NotImplementedError
