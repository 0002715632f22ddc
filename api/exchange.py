"""What is known of one HTTP exchange beside its request, and what serves all of them."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import msgspec
from litestar.types import Scope

from api.clock import Clock
from api.reader import Reader
from api.telemetry import Telemetry
from api.writer import Writer

if TYPE_CHECKING:
    from api.call import Reading
    from api.callers import Callers
    from api.roles import Caller

PLACE = "exchange"
"""Where in the ASGI scope it lies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What every exchange may need. Made by ``app.py``, once an application.

    ``withheld``: why nobody may be told of anybody; None, where all is well.
    """

    clock: Clock
    telemetry: Telemetry
    reader: Reader
    writer: Writer
    callers: "Callers"
    withheld: str | None = None
    readings: "dict[int, Reading]" = field(default_factory=dict)


class Exchange(msgspec.Struct):
    """One request and its answer. ``code`` is the problem's, once there is one."""

    request_id: str
    service: Service
    caller: "Caller | None" = None
    code: str = ""

    def failed(self, error: Exception) -> None:
        """Tell of an error that nobody foresaw."""
        self.service.telemetry.work_failed("request", error)


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that this scope belongs to; ``front.py`` puts it there."""
    return cast("Exchange", scope[PLACE])  # type: ignore[literal-required]
