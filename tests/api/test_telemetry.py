"""A line of the log has known fields and plain values; metrics are grouped."""

import errno
import io
import json
import logging
from typing import Any

import pytest

from api.telemetry import QuietHandler, Telemetry, only_known_fields
from tests.support.clock import FixedClock


def telemetry(stream: io.StringIO, **more: Any) -> Telemetry:
    return Telemetry(FixedClock(), stream=stream, **more)


def answered(told: Telemetry, status: int) -> None:
    told.request_done(
        method="POST",
        route="/v1/checks",
        status=status,
        seconds=0.0123,
        request_id="aa-1",
        code="",
    )


def test_a_field_that_is_not_known_is_dropped() -> None:
    line = only_known_fields(None, "info", {"event": "request", "address": "x", "text": "y"})
    assert line == {"event": "request"}


@pytest.mark.parametrize("value", ["+12125550123", "ada@example.com", "a\nb", "“quoted”"])
def test_a_value_that_is_not_plain_is_removed(value: str) -> None:
    assert only_known_fields(None, "info", {"route": value}) == {"route": "[removed]"}


def test_a_request_has_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    answered(telemetry(stream), 200)
    assert json.loads(stream.getvalue()) == {
        "at": "2026-11-20T17:00:00.000Z",
        "level": "info",
        "event": "request",
        "method": "POST",
        "route": "/v1/checks",
        "status": 200,
        "duration_ms": 12.3,
        "request_id": "aa-1",
    }
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("chosen", "lines"), [("all", 2), ("errors", 1), ("none", 0)])
def test_the_operator_chooses_which_requests_are_logged(chosen: str, lines: int) -> None:
    stream = io.StringIO()
    told = telemetry(stream, log_requests=chosen)
    answered(told, 200)
    answered(told, 503)
    assert len(stream.getvalue().splitlines()) == lines
    assert b'route="/v1/checks",status="503"} 1.0' in told.metrics()


def test_an_exception_is_named_and_its_message_left_out() -> None:
    stream = io.StringIO()
    try:
        raise ValueError("+12125550123")
    except ValueError as error:
        telemetry(stream).work_failed("check_messages", error)
    line = json.loads(stream.getvalue())
    assert (line["error"], line["work"]) == ("ValueError", "check_messages")
    assert "test_telemetry.py" in line["where"][0]
    assert "555" not in stream.getvalue()


def test_what_libraries_log_is_cut_down_to_its_source() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("some.library")
    handler = QuietHandler(telemetry(stream))
    logger.addHandler(handler)
    logger.propagate = False
    try:
        logger.warning("sent to %s", "+12125550123")
    finally:
        logger.removeHandler(handler)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["logger"], line["level"]) == ("library", "some.library", "warning")
    assert "555" not in stream.getvalue()


def test_why_nothing_is_written_is_told_once_in_the_log() -> None:
    stream = io.StringIO()
    why = "the ledger is open for reading only: log consent of org_a has 4 entries; look at it"
    telemetry(stream, log_requests="none").refuses(why)
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"]) == ("read_only", "error")
    assert line["why"] == "log consent of org_a has 4 entries"


@pytest.mark.parametrize("fails_at", ["write", "flush"])
def test_a_log_that_cannot_be_written_ends_nothing(fails_at: str) -> None:
    told = telemetry(FullDisk(fails_at))
    answered(told, 200)
    told.work_failed("turn", ValueError("x"))
    told.refuses("the ledger is open for reading only: it is another one")
    assert b"cleartosend_log_lines_lost_total 3.0" in told.metrics()


class FullDisk(io.StringIO):
    """What fails as a file on a full disk does."""

    def __init__(self, fails_at: str) -> None:
        super().__init__()
        self._fails_at = fails_at

    def write(self, text: str) -> int:
        if self._fails_at == "write":
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(text)

    def flush(self) -> None:
        if self._fails_at == "flush":
            raise OSError(errno.ENOSPC, "No space left on device")
