"""A clock that stands until it is told to move."""

from datetime import UTC, datetime, timedelta


class FixedClock:
    """Tells the instant it was given; durations are as long as it was moved."""

    def __init__(self, at: datetime = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)) -> None:
        self.at = at
        self._moved = 0.0

    def now(self) -> datetime:
        return self.at

    def monotonic(self) -> float:
        return self._moved

    def move(self, by: timedelta) -> None:
        """Let time pass."""
        self.at += by
        self._moved += by.total_seconds()
