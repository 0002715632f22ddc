"""What the service says of itself: a log of requests and failures, and metrics.

Neither holds personal data: a line of the log has only the fields named here, a field only a
value of its kind, and metrics are grouped by route template. What third-party code logs is cut
down to the name of its logger and of the exception.
"""

import logging
import re
import sys
import traceback
from collections.abc import MutableMapping
from datetime import datetime
from typing import Any, TextIO, cast

import msgspec
import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from api.clock import Clock
from api.redaction import carries_address

FIELDS = frozenset(
    {
        "at",
        "level",
        "event",
        "method",
        "route",
        "status",
        "duration_ms",
        "request_id",
        "code",
        "work",
        "error",
        "where",
        "logger",
        "version",
        "sqlite",
        "database",
        "host",
        "port",
        "organisations",
        "why",
    }
)
"""The only fields that a line may have."""

READ_ONLY = "the ledger is open for reading only"
"""How a reason why nothing is written begins."""

_WORD_LENGTH_MAX = 120
_PLAIN = re.compile(r"[\w .:/{}<>,()'\-]*")
_BATCH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 256)
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


def only_known_fields(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Drop every field that is not named above, and every value that is not plain."""
    return {name: _plain(value) for name, value in line.items() if name in FIELDS}


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    text = str(value)[:_WORD_LENGTH_MAX]
    if not _PLAIN.fullmatch(text) or carries_address(text):
        return "[removed]"
    return text


class _Unfailing:
    """A stream that takes what it can: a log on a full disk must not end what it tells of."""

    def __init__(self, stream: TextIO, lost: Counter) -> None:
        self._stream = stream
        self._lost = lost

    def write(self, text: str) -> None:
        try:
            self._stream.write(text)
        except (OSError, ValueError):  # A closed stream is a ValueError.
            self._lost.inc()

    def flush(self) -> None:
        try:
            self._stream.flush()
        except (OSError, ValueError):
            self._lost.inc()


class Telemetry:
    """The log and the metrics of one application."""

    def __init__(
        self,
        clock: Clock,
        *,
        level: str = "info",
        log_requests: str = "all",
        stream: TextIO | None = None,
    ) -> None:
        self._clock = clock
        self._log_all = log_requests == "all"
        self._log_errors = log_requests != "none"
        self.registry = CollectorRegistry()
        self._log = structlog.wrap_logger(
            structlog.WriteLogger(cast("TextIO", self._unfailing(stream or sys.stdout))),
            processors=[
                structlog.stdlib.add_log_level,
                self._add_time,
                only_known_fields,
                _to_json,
            ],
            wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
            cache_logger_on_first_use=True,
        )
        self._requests = Counter(
            "cleartosend_requests",
            "Requests answered.",
            ["method", "route", "status"],
            registry=self.registry,
        )
        self._durations = Histogram(
            "cleartosend_request_seconds",
            "From the first byte of a request to the last of its answer.",
            ["method", "route"],
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._turn_sizes = Histogram(
            "cleartosend_writer_turn_requests",
            "Requests that shared a turn of the writer.",
            buckets=_BATCH_SIZES,
            registry=self.registry,
        )
        self._turn_seconds = Histogram(
            "cleartosend_writer_turn_seconds",
            "From the begin of a turn to its commit.",
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._waiting = Gauge(
            "cleartosend_writer_waiting",
            "Requests that wait for a turn of the writer.",
            registry=self.registry,
        )
        failures = "Errors that nobody foresaw, by the work that they broke."
        self._failures = self._counter("cleartosend_failures", failures, "work")
        replies = "Replies that providers passed on, by what they were read as."
        self._replies = self._counter("cleartosend_replies", replies, "provider", "reading")
        attempts = "Attempts to deliver an event to a webhook, by what came of them."
        self._attempts = self._counter("cleartosend_delivery_attempts", attempts, "outcome")
        self._measures: dict[tuple[str, str, int], tuple[Any, Any]] = {}

    def started(self, **fields: Any) -> None:
        """Say what runs, and on what."""
        self._log.info("started", **fields)

    def stopped(self) -> None:
        """Say that everything that waited was answered."""
        self._log.info("stopped")

    def request_done(
        self, *, method: str, route: str, status: int, seconds: float, request_id: str, code: str
    ) -> None:
        """Count one answered request, and write its line."""
        measures = self._measures.get((method, route, status))
        if measures is None:
            measures = self._measures[method, route, status] = (
                self._requests.labels(method, route, str(status)),
                self._durations.labels(method, route),
            )
        measures[0].inc()
        measures[1].observe(seconds)
        if self._log_all or (self._log_errors and status >= 500):
            self._log.info(
                "request",
                method=method,
                route=route,
                status=status,
                duration_ms=round(seconds * 1000, 2),
                request_id=request_id,
                **({"code": code} if code else {}),
            )

    def turn_done(self, *, size: int, seconds: float, waiting: int) -> None:
        """Count one turn of the writer."""
        self._turn_sizes.observe(size)
        self._turn_seconds.observe(seconds)
        self._waiting.set(waiting)

    def reply_received(self, provider: str, reading: str) -> None:
        """Count one reply that its provider signed."""
        self._replies.labels(provider, reading).inc()

    def delivery_attempted(self, outcome: str) -> None:
        """Count one attempt at a webhook; ``outcome`` is a word of ours."""
        self._attempts.labels(outcome).inc()

    def work_failed(self, work: str, error: BaseException) -> None:
        """Say which exception came from where. Its message is left out: it may quote anything."""
        self._failures.labels(work).inc()
        self._log.error("failed", work=work, error=type(error).__name__, where=where_of(error))

    def refuses(self, why: str) -> None:
        """Say that nothing is written any more; the whole reason stands in every refusal."""
        self._log.error("read_only", why=why.removeprefix(f"{READ_ONLY}: ").partition(";")[0])

    def third_party(self, logger: str, level: str, error: BaseException | None) -> None:
        """Say that another library had something to say."""
        fields = {"error": type(error).__name__, "where": where_of(error)} if error else {}
        self._log.log(LEVELS.get(level, 30), "library", logger=logger, **fields)

    def metrics(self) -> bytes:
        """Everything counted, as Prometheus reads it."""
        return generate_latest(self.registry)

    def _unfailing(self, stream: TextIO) -> "_Unfailing":
        lost = Counter(
            "cleartosend_log_lines_lost",
            "Lines of the log that could not be written.",
            registry=self.registry,
        )
        return _Unfailing(stream, lost)

    def _counter(self, name: str, what: str, *labels: str) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _add_time(
        self, _logger: Any, _method: str, line: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        line["at"] = _rfc3339(self._clock.now())
        return line


def where_of(error: BaseException) -> list[str]:
    """The places that an exception passed through, innermost last; never a value."""
    frames = traceback.extract_tb(error.__traceback__)[-6:]
    return [f"{'/'.join(f.filename.split('/')[-3:])}:{f.lineno} {f.name}" for f in frames]


class QuietHandler(logging.Handler):
    """Takes everything that libraries log and passes on that they did, not what."""

    def __init__(self, telemetry: Telemetry) -> None:
        super().__init__(level=logging.WARNING)
        self._telemetry = telemetry

    def emit(self, record: logging.LogRecord) -> None:
        """Pass on the logger's name, the level and the kind of exception."""
        error = record.exc_info[1] if record.exc_info else None
        self._telemetry.third_party(record.name, record.levelname.lower(), error)


def capture_libraries(telemetry: Telemetry) -> None:
    """Send what libraries log through us, for a process that serves."""
    root = logging.getLogger()
    root.handlers[:] = [QuietHandler(telemetry)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "alembic", "sqlalchemy"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)


def _to_json(_logger: Any, _method: str, line: MutableMapping[str, Any]) -> str:
    return msgspec.json.encode(line).decode()


def _rfc3339(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
