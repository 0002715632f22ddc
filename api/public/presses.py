"""How often one recipient's button was pressed of late, so that one link cannot fill the log.

Nobody is refused: whoever presses more often is believed as before, but it is put on record only
if it would change anything. Kept in memory, by a digest; each process counts for itself.
"""

from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from consent.links import Link

PRESSES_MAX: Final = 10
"""On record within an hour, for one sender and one address, whether or not they change anything."""

_LENGTH: Final = timedelta(hours=1)
_KNOWN_MAX: Final = 100_000


class Presses:
    """Counts them, hour by hour."""

    def __init__(self) -> None:
        self._began: datetime | None = None
        self._counts: dict[bytes, int] = {}

    def count(self, link: Link, *, now: datetime) -> bool:
        """Count one more; True if there were too many already."""
        if self._began is None or not self._began <= now < self._began + _LENGTH:
            self._began, self._counts = now, {}
        who = sha256(repr((link.organisation, link.sender, link.address)).encode()).digest()
        before = self._counts.get(who, 0)
        if before or len(self._counts) < _KNOWN_MAX:
            self._counts[who] = before + 1
        return before >= PRESSES_MAX
