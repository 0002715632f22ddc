"""A light load generator: raw sockets, prebuilt requests, and little done for each answer."""

import select
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

_LENGTH = b"content-length: "
_READ_SIZE = 65_536


@dataclass(slots=True)
class Tally:
    """What came back in one run. ``latencies`` in seconds, from when each was meant to start."""

    seconds: float = 0.0
    answered: int = 0
    allowed: int = 0
    latencies: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.answered / self.seconds

    def percentile(self, share: float) -> float:
        """The latency within which this share was answered."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Connections:
    """Keep-alive connections to one address, each with one request under way at most."""

    def __init__(self, host: str, port: int, count: int) -> None:
        self._sockets = [socket.create_connection((host, port)) for _ in range(count)]
        self._by_number = {one.fileno(): one for one in self._sockets}
        self._poll = select.epoll()
        for one in self._sockets:
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._poll.register(one.fileno(), select.EPOLLIN)

    def close(self) -> None:
        """Hang up."""
        for one in self._sockets:
            one.close()
        self._poll.close()

    def closed_loop(self, requests: Sequence[bytes], seconds: float) -> Tally:
        """Send the next request of ``requests`` on a connection as soon as it has its answer."""
        tally, began = Tally(), time.perf_counter()
        waiting = iter(requests)
        started: dict[int, float] = {}
        for number, one in self._by_number.items():
            started[number] = time.perf_counter()
            one.sendall(next(waiting))
        while started:
            for number, _ in self._poll.poll():
                self._take(number, tally, started.pop(number))
                now = time.perf_counter()
                following = next(waiting, None) if now - began < seconds else None
                if following is not None:
                    started[number] = now
                    self._by_number[number].sendall(following)
        tally.seconds = time.perf_counter() - began
        return tally

    def open_loop(self, requests: Sequence[bytes], gaps: Sequence[float]) -> Tally:
        """Send each request after its gap whether or not others were answered.

        One that finds no connection free waits, and its latency counts from when it should
        have gone.
        """
        tally, began = Tally(), time.perf_counter()
        arrivals: deque[tuple[float, bytes]] = deque()
        at = began
        for request, gap in zip(requests, gaps, strict=True):
            at += gap
            arrivals.append((at, request))
        free = deque(self._by_number)
        started: dict[int, float] = {}
        while arrivals or started:
            now = time.perf_counter()
            while arrivals and free and arrivals[0][0] <= now:
                at, request = arrivals.popleft()
                number = free.popleft()
                started[number] = at
                self._by_number[number].sendall(request)
            # The poll counts in milliseconds, so the last of them before an arrival is spun away.
            wait = arrivals[0][0] - time.perf_counter() if arrivals and free else 1.0
            for number, _ in self._poll.poll(max(0.0, wait - 0.0015)):
                self._take(number, tally, started.pop(number))
                free.append(number)
        tally.seconds = time.perf_counter() - began
        return tally

    def _take(self, number: int, tally: Tally, began: float) -> None:
        answer = self._by_number[number].recv(_READ_SIZE)
        head = answer.find(b"\r\n\r\n")
        while head < 0 or len(answer) < head + 4 + _length_of(answer):
            more = self._by_number[number].recv(_READ_SIZE)
            assert more, "the service hung up"
            answer += more
            head = answer.find(b"\r\n\r\n")
        tally.latencies.append(time.perf_counter() - began)
        assert answer.startswith(b"HTTP/1.1 200"), answer
        tally.answered += 1
        tally.allowed += b'"permit":"' in answer


def request_of(path: str, token: str, body: bytes) -> bytes:
    """A whole request, ready to be sent."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def _length_of(answer: bytes) -> int:
    start = answer.find(_LENGTH) + len(_LENGTH)
    return int(answer[start : answer.find(b"\r\n", start)])
