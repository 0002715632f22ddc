"""A small receiver of Clear to Send's webhooks: it verifies, deduplicates, applies and reports.

Standard library only. Run it beside a service that may send to this machine::

    python receiver.py --secret whsec_… --service http://127.0.0.1:8000 --port 9000

What it applies is a table of stops in ``stops.sqlite``; your own system goes there instead.
"""

import argparse
import base64
import hmac
import json
import sqlite3
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_SECONDS = 300
BODY_SIZE_MAX = 256 * 1024

Report = Callable[[str, bytes, dict[str, str]], None]
"""Sends the body of a report on a delivery, with its headers."""


class RefusedError(Exception):
    """Not sent by the service, or not now."""


def sign(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """Give the ``v1`` signature of Standard Webhooks."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{id_}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def verify(secret: str, headers: Mapping[str, str], body: bytes, *, now: float) -> str:
    """Give the id of a message that the service signed a moment ago; ``RefusedError`` if not."""
    id_ = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not timestamp.isdigit() or abs(int(timestamp) - now) > TOLERANCE_SECONDS:
        raise RefusedError("too old, or from the future")
    expected = sign(secret, id_, int(timestamp), body)
    given = headers.get("webhook-signature", "").split()
    # While a secret is being changed over there are signatures by both.
    if not any(hmac.compare_digest(one.encode(), expected.encode()) for one in given):
        raise RefusedError("no signature fits")
    return id_


class Stops:
    """Who must not be messaged, and which messages said so. Both change in one transaction."""

    def __init__(self, path: str) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._lock = threading.Lock()
        self._database.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY)")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS stop"
            " (address TEXT, sender TEXT, channel TEXT, purpose TEXT, sequence INTEGER)"
        )

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def apply(self, id_: str, event: Mapping[str, Any]) -> bool:
        """Act on an event; False if it was acted on before."""
        with self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                known = self._database.execute("SELECT 1 FROM seen WHERE id = ?", (id_,)).fetchone()
                if known is None:
                    self._act(event)
                    self._database.execute("INSERT INTO seen VALUES (?)", (id_,))
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
            return known is None

    def stops(self, address: str, sender: str, channel: str, purpose: str) -> bool:
        """Whether such a message must not go. A stop that names nothing stops everything."""
        found = self._database.execute(
            "SELECT 1 FROM stop WHERE address = ? AND coalesce(sender, ?2) = ?2"
            " AND coalesce(channel, ?3) = ?3 AND coalesce(purpose, ?4) = ?4",
            (address, sender, channel, purpose),
        )
        return found.fetchone() is not None

    def _act(self, event: Mapping[str, Any]) -> None:
        if event["type"] not in ("consent.revoked", "subject.erased"):
            return  # Nothing that must not be sent follows from the others.
        data = event["data"]
        scope = (data.get("sender"), data.get("channel"), data.get("purpose"))
        for address in data["addresses"]:
            self._database.execute(
                "INSERT INTO stop VALUES (?, ?, ?, ?, ?)", (address, *scope, event.get("sequence"))
            )


class Receiver:
    """What is done with one request, whatever server it came through."""

    def __init__(self, secret: str, stops: Stops, report: Report) -> None:
        self._secret = secret
        self._stops = stops
        self._report = report

    def receive(self, headers: Mapping[str, str], body: bytes, *, now: float) -> tuple[int, str]:
        """Give the status to answer, and the id of what is to be reported (empty: nothing)."""
        try:
            id_ = verify(self._secret, headers, body, now=now)
        except RefusedError:
            return 401, ""
        # Applied before it is answered: whatever happens in between, it comes again.
        self._stops.apply(id_, json.loads(body))
        return 204, id_

    def report(self, id_: str, *, now: float) -> None:
        """Tell the service that it was acted on. What fails here may be done again at any time."""
        body, timestamp = b"{}", int(now)
        headers = {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, id_, timestamp, body),
        }
        self._report(id_, body, headers)


def reporting_to(service: str) -> Report:
    """Report over HTTP."""

    def report(id_: str, body: bytes, headers: dict[str, str]) -> None:
        url = f"{service.rstrip('/')}/v1/deliveries/{id_}/applied"
        with urllib.request.urlopen(
            urllib.request.Request(url, body, headers), timeout=10
        ) as answer:
            answer.read()

    return report


def handler_for(receiver: Receiver) -> type[BaseHTTPRequestHandler]:
    """Make the handler of the standard library's server."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            size = int(self.headers.get("content-length", 0))
            if size > BODY_SIZE_MAX:
                self.send_error(413)
                return
            headers = {name.lower(): value for name, value in self.headers.items()}
            status, id_ = receiver.receive(headers, self.rfile.read(size), now=time.time())
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()
            self.wfile.flush()
            if id_:
                receiver.report(id_, now=time.time())

        def log_message(self, *_: object) -> None:
            """A log would hold what must not be in one."""

    return Handler


def main() -> None:
    """Listen until stopped."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--secret", required=True, help="the webhook's secret, whsec_…")
    parser.add_argument("--service", required=True, help="where the service is reached")
    parser.add_argument("--port", type=int, default=9000)
    parser.add_argument("--stops", default="stops.sqlite", help="the file of stops")
    given = parser.parse_args()
    receiver = Receiver(given.secret, Stops(given.stops), reporting_to(given.service))
    ThreadingHTTPServer(("127.0.0.1", given.port), handler_for(receiver)).serve_forever()


if __name__ == "__main__":
    main()
