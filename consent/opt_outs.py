"""What did this person ask us to stop? Pure; in doubt the wider reading."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from consent.events import ConsentEvent


@dataclass(frozen=True, slots=True)
class OptOut:
    """An opt-out as understood: the address text as it came, and the revoke it becomes."""

    address: str
    event: ConsentEvent


def read_opt_out(body: Mapping[str, object], *, now: datetime) -> OptOut:
    """Read the body of ``POST /v1/opt-outs``, or of a revoke event; never refuses.

    No scope means everything. A part that cannot be read is kept in ``event.unread``, named in
    ``event.flags`` and narrows nothing. A body without any address raises ``NoAddressError``?
    """
    raise NotImplementedError
