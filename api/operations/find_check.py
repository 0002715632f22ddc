"""Find a decision on record, and everything it rested on."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from api.operations.check_messages import CheckAnswer


@dataclass(frozen=True, slots=True)
class RecordedCheck:
    """A decision, its facts as they were sealed, and what was reported of the message since."""

    answer: CheckAnswer
    facts: Mapping[str, Any]
    report: str | None
    reported_at: datetime | None


class FindCheck:
    """Reads and opens decisions; made with the keys."""

    def find(self, connection: Connection, organisation: str, check: bytes) -> RecordedCheck:
        """The decision of that id. ``NotFoundError``: this organisation has none."""
        raise NotImplementedError
