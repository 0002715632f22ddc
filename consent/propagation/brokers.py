"""Publishing to a message broker what a webhook would be sent: NATS JetStream, or Kafka.

A broker stands inside the operator's network, so the operator lists which may be published to and
under which name there; an organisation can only name one of the list. Credentials stand in the
operator's list alone.
"""

import asyncio
import contextlib
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import Any, Final, Protocol
from urllib.parse import SplitResult, unquote, urlsplit

from consent.propagation.cloud_events import CONTENT_TYPE, Heading, heading_of
from consent.propagation.courier import ATTEMPT_SECONDS, Outcome
from consent.propagation.endpoints import Endpoint
from consent.propagation.errors import EndpointRefusedError
from consent.propagation.signatures import Signer
from consent.propagation.words import Problem

CLIENT_OF: Final = {"nats": "nats", "kafka": "aiokafka"}
"""What must be installed to speak to each kind; it comes with the extra of the kind's name."""

_TLS: Final = "+tls"
_NOBODY: Final = "-"
_CLOSE_SECONDS: Final = 2.0
_PING_SECONDS: Final = 10
"""A connection whose other end has gone silently is known as dead after two of these."""


class Broker(Protocol):
    """A connection to one broker, made when it is first needed, and anew after it failed."""

    async def publish(
        self, heading: Heading, headers: Mapping[str, str], body: bytes
    ) -> Problem | None:
        """Publish a message; None once the broker has it safe."""

    async def close(self) -> None:
        """Leave."""


class BrokerCourier:
    """Carries messages to one broker, as ``courier.Courier`` does to one receiver."""

    def __init__(
        self, endpoint: Endpoint, broker: Broker | None, *, attempt_seconds: float
    ) -> None:
        self.endpoint = endpoint
        self._broker = broker
        self._signer = Signer(endpoint.secrets)
        self._seconds = attempt_seconds

    async def carry(self, id_: str, body: bytes, *, now: datetime) -> Outcome:
        """Publish ``body``. It is signed as a webhook is: who reads a broker may want to know who
        wrote there."""
        if self._broker is None:
            return Outcome(None, Problem.ADDRESS_REFUSED)
        headers = {"content-type": CONTENT_TYPE, **self._signer.headers(id_, body, now=now)}
        try:
            async with asyncio.timeout(self._seconds):
                problem = await self._broker.publish(heading_of(body), headers, body)
        except TimeoutError:
            problem = Problem.TIMED_OUT
        return Outcome(None, problem)

    async def close(self) -> None:
        """Leave the broker."""
        if self._broker is not None:
            await self._broker.close()


class Brokers:
    """The brokers that the operator lists, each a URL with the name to publish under as its path:
    ``nats://[user:password@]host:4222/<subject>`` or ``kafka://…:9092/<topic>``; ``nats+tls`` and
    ``kafka+tls`` go over TLS. ``ValueError`` says what is wrong with one, without quoting it.
    """

    def __init__(self, urls: Sequence[str] = ()) -> None:
        self._parts: dict[str, SplitResult] = {}
        for place, url in enumerate(urls, 1):
            parts = _read(url, place)
            self._parts[f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"] = parts

    def names(self, url: str) -> bool:
        """Whether a URL is a broker's. ``EndpointRefusedError``: one that is not listed."""
        if url in self._parts:
            return True
        if is_broker(url):
            raise EndpointRefusedError("which brokers are published to is the operator's to list")
        return False

    def courier(
        self,
        endpoint: Endpoint,
        tls: Callable[[], ssl.SSLContext],
        *,
        attempt_seconds: float = ATTEMPT_SECONDS,
    ) -> BrokerCourier:
        """What carries there; nothing arrives at one that has been taken off the list."""
        parts = self._parts.get(endpoint.url)
        return BrokerCourier(
            endpoint,
            None if parts is None else _open(parts, tls, attempt_seconds),
            attempt_seconds=attempt_seconds,
        )


class JetStream:
    """NATS: a stream must be there that takes what is published, and acknowledges it.

    The subject ends with the organisation's id and the person's, so that consumers can filter and
    partition by them; the event's id lets the stream drop what comes twice.
    """

    def __init__(self, parts: SplitResult, tls: ssl.SSLContext | None, seconds: float) -> None:
        self._name = parts.path[1:]
        self._options: dict[str, Any] = {
            "servers": [f"{'nats' if tls is None else 'tls'}://{parts.netloc}"],
            "tls": tls,
            "name": "cleartosend",
            # Whoever dispatches says when to try again.
            "allow_reconnect": False,
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": 0,
            "connect_timeout": seconds / 2,
            "ping_interval": _PING_SECONDS,
            "error_cb": _say_nothing,
        }
        self._seconds = seconds / 2
        self._client: Any = None
        self._connecting = asyncio.Lock()

    async def publish(
        self, heading: Heading, headers: Mapping[str, str], body: bytes
    ) -> Problem | None:
        """Publish, and wait for the stream's acknowledgement."""
        from nats import errors, js  # noqa: PLC0415 - an extra, which may not be installed

        organisation = heading.source.rpartition(":")[2]
        subject = f"{self._name}.{organisation}.{heading.subject or _NOBODY}"
        try:
            client = await self._connected()
            await client.jetstream(timeout=self._seconds).publish(
                subject, body, headers={**headers, "Nats-Msg-Id": heading.id}
            )
        except errors.TimeoutError:
            return Problem.TIMED_OUT
        except (js.errors.Error, errors.MaxPayloadError):
            return Problem.BROKER_REFUSED
        except (errors.Error, OSError) as error:
            # A refused password has no class of its own.
            refused = "authorization" in str(error).lower()
            return Problem.BROKER_REFUSED if refused else Problem.UNREACHABLE
        return None

    async def close(self) -> None:
        """Drop the connection. What was not acknowledged is published again."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.close()

    async def _connected(self) -> Any:
        from nats.aio.client import Client  # noqa: PLC0415

        async with self._connecting:
            if self._client is None or not self._client.is_connected:
                await self.close()
                self._client = Client()
                try:
                    await self._client.connect(**self._options)
                except BaseException:  # Also when the attempt's time is over.
                    await self.close()
                    raise
            return self._client


class Kafka:
    """Kafka: the person's id is the key, so that all of one person is in one partition, in order;
    all replicas that are in step must have a message before it counts as arrived."""

    def __init__(self, parts: SplitResult, tls: ssl.SSLContext | None, seconds: float) -> None:
        self._topic = parts.path[1:]
        signs_on = parts.username is not None
        self._options: dict[str, Any] = {
            "bootstrap_servers": parts.netloc.rpartition("@")[2],
            "client_id": "cleartosend",
            "acks": "all",
            "enable_idempotence": True,
            "request_timeout_ms": int(seconds * 1000),
            "security_protocol": f"{'SASL_' if signs_on else ''}{'SSL' if tls else 'PLAINTEXT'}",
            "ssl_context": tls,
        }
        if signs_on:
            self._options |= {
                "sasl_mechanism": "PLAIN",
                "sasl_plain_username": unquote(parts.username or ""),
                "sasl_plain_password": unquote(parts.password or ""),
            }
        self._producer: Any = None
        self._connecting = asyncio.Lock()

    async def publish(
        self, heading: Heading, headers: Mapping[str, str], body: bytes
    ) -> Problem | None:
        """Publish, and wait until it is on all replicas."""
        from aiokafka import errors  # noqa: PLC0415

        key = None if heading.subject is None else heading.subject.encode()
        pairs = [(name, value.encode()) for name, value in headers.items()]
        try:
            producer = await self._connected()
            await producer.send_and_wait(self._topic, value=body, key=key, headers=pairs)
        except (errors.KafkaTimeoutError, errors.RequestTimedOutError):
            return Problem.TIMED_OUT
        except errors.KafkaConnectionError:
            return Problem.UNREACHABLE
        except errors.KafkaError:
            # Some refusals make a producer useless for good.
            await self.close()
            return Problem.BROKER_REFUSED
        return None

    async def close(self) -> None:
        """Leave the cluster."""
        producer, self._producer = self._producer, None
        if producer is not None:
            with contextlib.suppress(Exception):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await producer.stop()

    async def _connected(self) -> Any:
        from aiokafka import AIOKafkaProducer  # noqa: PLC0415

        async with self._connecting:
            if self._producer is None:
                producer = AIOKafkaProducer(**self._options)
                try:
                    await producer.start()
                except BaseException:  # Also when the attempt's time is over.
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer


def is_broker(url: str) -> bool:
    """Whether a URL is of a kind that brokers have."""
    return url.partition("://")[0].removesuffix(_TLS).lower() in CLIENT_OF


def _open(parts: SplitResult, tls: Callable[[], ssl.SSLContext], seconds: float) -> Broker:
    context = tls() if parts.scheme.endswith(_TLS) else None
    kind = JetStream if parts.scheme.startswith("nats") else Kafka
    return kind(parts, context, seconds)


def _read(url: str, place: int) -> SplitResult:
    try:
        parts = urlsplit(url)
        whole = parts.hostname and parts.port and parts.path.strip("/")
    except ValueError:
        whole = None
    if not whole or not is_broker(url) or parts.query or parts.fragment or "/" in parts.path[1:]:
        raise ValueError(
            f"broker {place} is not written as nats://host:4222/<subject> or kafka://host:9092/<topic>"
        )
    client = CLIENT_OF[parts.scheme.removesuffix(_TLS)]
    if find_spec(client) is None:
        extra = parts.scheme.removesuffix(_TLS)
        raise ValueError(f"for broker {place} install cleartosend[{extra}]")
    return parts


async def _say_nothing(_: Exception) -> None:
    """What fails is said of the attempt that it fails."""
