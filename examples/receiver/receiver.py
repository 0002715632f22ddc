"""A small receiver of Clear to Send's webhooks: it verifies, deduplicates, applies and reports,
and compares what it holds with what it was told.

Standard library only. Run it beside a service that may send to this machine::

    python receiver.py --secret whsec_… --service http://127.0.0.1:8000 --port 9000

What it applies is a table of stops in ``stops.sqlite``; your own system goes there instead.
"""

import argparse
import base64
import hashlib
import hmac
import json
import sqlite3
import threading
import time
import urllib.request
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TOLERANCE_SECONDS = 300
BODY_SIZE_MAX = 256 * 1024

OPT_OUTS = ("consent.revoked", "subject.erased")
SUMMARY = "propagation.summary"
PREFIXES_AT_ONCE = 256
EVENTS_AT_ONCE = 1000

Report = Callable[[str, bytes, dict[str, str]], None]
"""Sends the body of a report on a delivery, with its headers."""

Ask = Callable[[str, bytes, dict[str, str]], Any]
"""Sends a body to a path of the service, with its headers, and gives the JSON of the answer."""

AskRanges = Callable[[list[str]], list[dict[str, Any]]]
"""Gives what the service has in the ranges of these prefixes."""


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


def root_of(hashes: Iterable[bytes]) -> str:
    """Give the Merkle root (RFC 6962) over leaf hashes, in hexadecimal."""
    row = list(hashes) or [hashlib.sha256(b"").digest()]
    while len(row) > 1:
        pairs = zip(row[::2], row[1::2], strict=False)
        joined = [hashlib.sha256(b"\1" + left + right).digest() for left, right in pairs]
        row = joined + row[len(joined) * 2 :]
    return row[0].hex()


class Held:
    """The ids of the opt-outs that are held here, by the hash that gives them their place."""

    def __init__(self, ids: Iterable[str]) -> None:
        placed = sorted((hashlib.sha256(b"\0" + id_.encode()).hexdigest(), id_) for id_ in ids)
        self._hashes = [hash_ for hash_, _ in placed]
        self._ids = [id_ for _, id_ in placed]

    def sum_of(self, prefix: str) -> tuple[int, str]:
        """How many there are in a range, and their root."""
        found = self._hashes[self._range(prefix)]
        return len(found), root_of(map(bytes.fromhex, found))

    def ids_in(self, prefix: str) -> set[str]:
        """Those of a range."""
        return set(self._ids[self._range(prefix)])

    def _range(self, prefix: str) -> slice:
        # No digit of a hash comes after f, so all that begin with the prefix lie before this.
        return slice(bisect_left(self._hashes, prefix), bisect_left(self._hashes, prefix + "g"))


@dataclass
class Difference:
    """What the service told and is not held here, and what is held and the service does not know:
    then it is the service that was put back to an older copy. ``asked``: how many ranges."""

    missing: set[str] = field(default_factory=set)
    surplus: set[str] = field(default_factory=set)
    asked: int = 0


def compare(held: Held, ask: AskRanges) -> Difference:
    """Find the difference; only ranges that differ are looked into."""
    found, waiting = Difference(), [""]
    while waiting:
        asked, waiting = waiting[:PREFIXES_AT_ONCE], waiting[PREFIXES_AT_ONCE:]
        found.asked += len(asked)
        for there in ask(asked):
            prefix = there["prefix"]
            if held.sum_of(prefix) == (there["count"], there["root"]):
                continue
            if there["parts"]:
                parts = {part["prefix"]: (part["count"], part["root"]) for part in there["parts"]}
                for digit in "0123456789abcdef":
                    part = prefix + digit
                    if part not in parts:
                        found.surplus |= held.ids_in(part)
                    elif parts[part] != held.sum_of(part):
                        waiting.append(part)
            else:
                here, told = held.ids_in(prefix), set(there["entries"])
                found.missing |= told - here
                found.surplus |= here - told
    return found


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
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS known (subject TEXT, address TEXT,"
            " PRIMARY KEY (subject, address))"
        )
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS opt_out (event TEXT PRIMARY KEY, sequence INTEGER)"
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

    def held(self, at: int) -> Held:
        """The opt-outs and erasures that came, up to an index of the log."""
        with self._lock:
            found = self._database.execute("SELECT event FROM opt_out WHERE sequence <= ?", (at,))
            return Held(event for (event,) in found)

    def note_lost(self, events: Iterable[str], at: int) -> None:
        """Count events as held that the service cannot tell again: nobody knows whose they were."""
        with self._lock:
            self._database.executemany(
                "INSERT OR IGNORE INTO opt_out VALUES (?, ?)", [(event, at) for event in events]
            )

    def _act(self, event: Mapping[str, Any]) -> None:
        if event["type"] not in OPT_OUTS:
            return  # Nothing that must not be sent follows from the others.
        noted = self._database.execute(
            "INSERT OR IGNORE INTO opt_out VALUES (?, ?)", (event["id"], int(event["sequence"]))
        )
        if not noted.rowcount:
            return  # Told again, and held already.
        data = event["data"]
        scope = (data.get("sender"), data.get("channel"), data.get("purpose"))
        for address in self._addresses(event):
            self._database.execute(
                "INSERT INTO stop VALUES (?, ?, ?, ?, ?)", (address, *scope, event.get("sequence"))
            )
        if event["type"] == "subject.erased":  # Whose addresses they were is nobody's business now.
            self._database.execute("DELETE FROM known WHERE subject = ?", (event.get("subject"),))

    def _addresses(self, event: Mapping[str, Any]) -> list[str]:
        """Whom it is about. Of somebody erased it may come too late to name any address: then it is
        about those that we were told of the same person before."""
        told: list[str] = event["data"]["addresses"]
        subject = event.get("subject")
        self._database.executemany(
            "INSERT OR IGNORE INTO known VALUES (?, ?)", [(subject, address) for address in told]
        )
        if told:
            return told
        found = self._database.execute("SELECT address FROM known WHERE subject = ?", (subject,))
        return [address for (address,) in found]


class Receiver:
    """What is done with one request, whatever server it came through."""

    def __init__(self, secret: str, stops: Stops, report: Report, ask: Ask | None = None) -> None:
        self._secret = secret
        self._stops = stops
        self._report = report
        self._ask = ask
        self._summaries: deque[Mapping[str, Any]] = deque()

    def receive(self, headers: Mapping[str, str], body: bytes, *, now: float) -> tuple[int, str]:
        """Give the status to answer, and the id of what is to be reported (empty: nothing)."""
        try:
            id_ = verify(self._secret, headers, body, now=now)
        except RefusedError:
            return 401, ""
        # Applied before it is answered: whatever happens in between, it comes again.
        event = json.loads(body)
        self._stops.apply(id_, event)
        if event["type"] == SUMMARY:
            self._summaries.append(event["data"])
        return 204, id_

    def report(self, id_: str, *, now: float) -> None:
        """Tell the service that it was acted on. What fails here may be done again at any time."""
        self._report(id_, b"{}", self._headers(id_, b"{}", now))

    def reconcile(self, *, now: float) -> Difference | None:
        """Compare with the summaries that came since, and ask for what is missing here; None where
        there was nothing to find."""
        found: Difference | None = None
        while self._summaries:
            found = self._catch_up(self._summaries.popleft(), now) or found
        return found

    def _catch_up(self, summary: Mapping[str, Any], now: float) -> Difference | None:
        at = int(summary["at"])
        held = self._stops.held(at)
        if held.sum_of("") == (summary["count"], summary["root"]):
            return None
        found = compare(held, lambda prefixes: self._ranges(summary, prefixes, now))
        missing = sorted(found.missing)
        for start in range(0, len(missing), EVENTS_AT_ONCE):
            asked = {"events": missing[start : start + EVENTS_AT_ONCE]}
            answer = self._question(summary["webhook"], "missing", asked, now)
            self._stops.note_lost(answer["lost"], at)
        return found

    def _ranges(
        self, summary: Mapping[str, Any], prefixes: list[str], now: float
    ) -> list[dict[str, Any]]:
        asked = {"at": summary["at"], "prefixes": prefixes}
        answer = self._question(summary["webhook"], "reconciliation", asked, now)
        ranges: list[dict[str, Any]] = answer["ranges"]
        return ranges

    def _question(self, webhook: str, what: str, asked: Mapping[str, Any], now: float) -> Any:
        assert self._ask is not None, "whoever asks for summaries can ask further"
        body = json.dumps(asked).encode()
        return self._ask(f"/v1/webhooks/{webhook}/{what}", body, self._headers(webhook, body, now))

    def _headers(self, id_: str, body: bytes, now: float) -> dict[str, str]:
        timestamp = int(now)
        return {
            "content-type": "application/json",
            "webhook-id": id_,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, id_, timestamp, body),
        }


def reporting_to(service: str) -> Report:
    """Report over HTTP."""

    ask = asking(service)

    def report(id_: str, body: bytes, headers: dict[str, str]) -> None:
        ask(f"/v1/deliveries/{id_}/applied", body, headers)

    return report


def asking(service: str) -> Ask:
    """Ask over HTTP."""

    def ask(path: str, body: bytes, headers: dict[str, str]) -> Any:
        request = urllib.request.Request(service.rstrip("/") + path, body, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    return ask


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
                receiver.reconcile(now=time.time())

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
    receiver = Receiver(
        given.secret, Stops(given.stops), reporting_to(given.service), asking(given.service)
    )
    ThreadingHTTPServer(("127.0.0.1", given.port), handler_for(receiver)).serve_forever()


if __name__ == "__main__":
    main()
