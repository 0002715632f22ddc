"""Brokers for tests: a NATS server of this machine, and the small Kafka broker of librdkafka."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nats
from confluent_kafka import Consumer, Producer

# Debian keeps servers where only root looks for commands.
NATS_SERVER = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


@dataclass
class NatsServer:
    """A NATS server with JetStream on a port of its own, which can be killed and started again."""

    folder: Path
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[str] | None = field(default=None)

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"nats://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, and wait until it says that it is ready."""
        assert NATS_SERVER is not None, "tests that want it are skipped without it"
        command = [NATS_SERVER, "-a", "127.0.0.1", "-p", str(self.port)]
        command += ["-js", "-sd", str(self.folder), *self.options]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "Server is ready" in line:
                return
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """Kill it as a power cut of its machine's mains would: it is not asked."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            assert self.process.stderr is not None
            self.process.stderr.close()
            self.process = None

    async def make_stream(self, *subjects: str, url: str | None = None) -> None:
        """Make a stream that takes these subjects."""
        client = await nats.connect(url or self.url)
        await client.jetstream().add_stream(name="events", subjects=list(subjects))
        await client.close()

    async def messages(self) -> list[Any]:
        """All that the stream holds, in order."""
        client = await nats.connect(self.url)
        stream = client.jetstream()
        state = (await stream.stream_info("events")).state
        first = state.first_seq
        found = [await stream.get_msg("events", seq) for seq in range(first, state.last_seq + 1)]
        await client.close()
        return found


@contextmanager
def a_nats_server(folder: Path, *options: str) -> Iterator[NatsServer]:
    """Run one until the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = NatsServer(folder, port, options)
    server.start()
    try:
        yield server
    finally:
        server.kill()


class KafkaBroker:
    """One broker that speaks the real protocol and keeps everything in memory. librdkafka has it
    for its own tests, and runs it beside a producer that asks for it."""

    def __init__(self) -> None:
        self._host = Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "none", "log_level": 0}
        )
        (broker,) = self._host.list_topics(timeout=30).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def messages(self, topic: str, count: int) -> list[Any]:
        """Read so many of a topic from its beginning, by a consumer that is not ours."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "reader",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([topic])
        found = consumer.consume(count, timeout=60)
        consumer.close()
        return found
