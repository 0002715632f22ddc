"""One attempt: sign, send, and say in one word what came of it."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterable
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import httpcore
import msgspec

from consent.propagation.cloud_events import CONTENT_TYPE
from consent.propagation.endpoints import Endpoint
from consent.propagation.guard import GuardedBackend, RefusedAddressError, UnknownNameError
from consent.propagation.signatures import Signer
from consent.propagation.words import Problem

ATTEMPT_SECONDS: Final = 15.0
"""From the look-up of the name to the last byte of the answer's head."""

ANSWER_SIZE_MAX: Final = 64 * 1024
"""What an answer says is not read: beyond this the connection is closed."""

REST_SECONDS: Final = 2.0
CONNECTIONS_MAX: Final = 16
_KEPT_SECONDS: Final = 30.0
_GONE: Final = 410


class Outcome(msgspec.Struct, frozen=True):
    """What came of one attempt. ``problem`` None: it arrived."""

    status: int | None
    problem: Problem | None
    retry_after: timedelta | None = None


class Courier:
    """Carries messages to one endpoint, over connections that no other endpoint uses."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        backend: GuardedBackend,
        tls: ssl.SSLContext,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> None:
        self.endpoint = endpoint
        self._signer = Signer(endpoint.secrets)
        self._seconds = attempt_seconds
        # It follows no redirect, asks no proxy and keeps no cookie.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=tls,
            max_connections=CONNECTIONS_MAX,
            max_keepalive_connections=CONNECTIONS_MAX,
            keepalive_expiry=_KEPT_SECONDS,
            http1=True,
            http2=False,
            retries=0,
            network_backend=backend,
        )

    async def carry(self, id_: str, body: bytes, *, now: datetime) -> Outcome:
        """Send ``body`` under the id that it keeps at every attempt."""
        headers: dict[bytes | str, bytes | str] = {
            "content-type": CONTENT_TYPE,
            "user-agent": "cleartosend",
            "accept": "*/*",
            "content-length": str(len(body)),
        }
        headers.update(self._signer.headers(id_, body, now=now))
        try:
            async with asyncio.timeout(self._seconds):
                return await self._post(headers, body, now)
        except (TimeoutError, httpcore.TimeoutException):
            return Outcome(None, Problem.TIMED_OUT)
        except RefusedAddressError:
            return Outcome(None, Problem.ADDRESS_REFUSED)
        except UnknownNameError:
            return Outcome(None, Problem.NAME_UNKNOWN)
        except httpcore.ConnectError as error:
            is_tls = isinstance(error.__cause__ or error.__context__, ssl.SSLError)
            return Outcome(None, Problem.TLS_FAILED if is_tls else Problem.UNREACHABLE)
        except httpcore.ProtocolError:
            return Outcome(None, Problem.ANSWER_UNREADABLE)
        except (httpcore.NetworkError, httpcore.ProxyError, OSError):
            return Outcome(None, Problem.UNREACHABLE)

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.aclose()

    async def _post(
        self, headers: dict[bytes | str, bytes | str], body: bytes, now: datetime
    ) -> Outcome:
        request = self._pool.stream("POST", self.endpoint.url, headers=headers, content=body)
        async with request as answer:
            outcome = _outcome_of(answer.status, dict(answer.headers), now)
            # Its head has said all. The rest is read so that the connection can be used again.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(REST_SECONDS, self._seconds / 2)):
                    await _drop(answer.aiter_stream())
            return outcome


async def _drop(chunks: AsyncIterable[bytes]) -> None:
    size = 0
    async for chunk in chunks:
        size += len(chunk)
        if size > ANSWER_SIZE_MAX:
            return


def _outcome_of(status: int, headers: dict[bytes, bytes], now: datetime) -> Outcome:
    if 200 <= status < 300:
        return Outcome(status, None)
    if 300 <= status < 400:
        return Outcome(status, Problem.REDIRECTED)
    if status == _GONE:
        return Outcome(status, Problem.GONE)
    asked = next((value for name, value in headers.items() if name.lower() == b"retry-after"), b"")
    return Outcome(status, Problem.STATUS, retry_after_of(asked.decode("latin-1"), now))


def retry_after_of(text: str, now: datetime) -> timedelta | None:
    """Read ``Retry-After``: seconds, or a date. What is neither was not said."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=int(text[:9]))
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return None
    if at.tzinfo is None:
        return None
    return max(at - now, timedelta())
