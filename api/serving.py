"""Serve the application: on the network, and on a socket in the data folder for commands."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from api.app import Components, Doors, create_app, open_components
from api.data_folder import DataFolder
from api.errors import DataFolderError, ListenError
from api.settings import Settings
from api.telemetry import capture_libraries

STOP_SECONDS = 20
SOCKET_BACKLOG = 128
GC_THRESHOLD = 10_000
"""A turn makes thousands of objects that are gone with it; looking for rings among them pays
only now and then."""
_OWNER_ONLY = 0o177

Started = Callable[[str, str | None], None]
"""Told once requests are taken: the address, and why nothing is written if so."""


def serve(settings: Settings, *, on_start: Started | None = None) -> None:
    """Serve until a signal says stop. What waits for the writer is answered first."""
    settings = settings.checked()
    if settings.workers > 1:
        _serve_by_several(settings, on_start)
        return
    with open_components(settings) as components:
        capture_libraries(components.service.telemetry)
        run(create_app(components), components, on_start=on_start)


def run(doors: Doors, components: Components, *, on_start: Started | None = None) -> None:
    """Serve an application that is put together already, in this one process."""
    settings = components.settings
    config = _config(doors.network, settings, lifespan="on")
    socket_for_commands = None
    if settings.database_url is None:
        folder = DataFolder(settings.data)
        socket_for_commands = _CommandSocket(folder, _config(doors.operator, settings))

    def started(address: str) -> None:
        if on_start is not None:
            on_start(address, components.service.writer.read_only)

    server = TwoDoorServer(config, socket_for_commands, started)
    try:
        server.run()
    except SystemExit:
        # The server's own way to say that it could not start; its log has the error's name.
        raise _not_served(settings) from None


class OneOfSeveral:
    """The application of one of several processes, open as long as the server's lifespan.

    Its settings come by the environment.
    """

    def __init__(self) -> None:
        self._network: ASGIApp | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Open everything for the lifespan, which comes first, and serve what comes in it."""
        kind: str = scope["type"]
        if kind != "lifespan":
            assert self._network is not None, "the server sends nothing before the lifespan began"
            await self._network(scope, receive, send)
            return
        with open_components(Settings.from_environment()) as components:
            capture_libraries(components.service.telemetry)
            self._network = create_app(components).network
            await self._network(scope, receive, send)


class TwoDoorServer(uvicorn.Server):
    """A server that also listens on the data folder's socket, with the same life."""

    def __init__(
        self,
        config: uvicorn.Config,
        command_socket: "_CommandSocket | None",
        on_start: Callable[[str], None],
    ) -> None:
        super().__init__(config)
        self._command_socket = command_socket
        self._on_start = on_start

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on a signal, and then go on: what the service holds is still to be closed."""
        signals = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self.handle_exit) for number in signals}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then open both doors."""
        await super().startup(sockets)
        if self._command_socket is not None:
            self.servers.append(await self._command_socket.listen(self.server_state))
        # What start-up made stays for good. Left to the collector it is walked again and again,
        # and each walk holds every request up for longer than a check takes.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GC_THRESHOLD)
        self._on_start(_address_of(self.servers[0].sockets[0]))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close both doors, let what is under way end, stop the application."""
        await super().shutdown(sockets)
        if self._command_socket is not None:
            self._command_socket.remove()


class _CommandSocket:
    """The door for commands: whoever may open the socket owns the data folder."""

    def __init__(self, folder: DataFolder, config: uvicorn.Config) -> None:
        self._folder = folder
        self._config = config

    async def listen(self, server_state: Any) -> asyncio.Server:
        self._config.load()
        # One that a killed process left behind; the folder's lock says that nobody uses it.
        self.remove()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(_OWNER_ONLY)
        try:
            with self._folder.socket_address() as address:
                listener.bind(address)
        except OSError as error:
            raise DataFolderError(
                f"{self._folder.socket} cannot be made: {error.strerror or error}"
            ) from None
        finally:
            os.umask(mask)
        return await asyncio.get_running_loop().create_unix_server(
            lambda: self._config.http_protocol_class(  # type: ignore[call-arg]
                config=self._config, server_state=server_state, app_state={}
            ),
            sock=listener,
            backlog=SOCKET_BACKLOG,
        )

    def remove(self) -> None:
        self._folder.socket.unlink(missing_ok=True)


def _serve_by_several(settings: Settings, on_start: Started | None) -> None:
    assert settings.database_url is not None, "checked: SQLite takes one process"
    # What is wrong with the ledger is told once, and migrated is by one.
    with open_components(settings) as components:
        why_not = components.service.writer.read_only
        capture_libraries(components.service.telemetry)
    os.environ.update(settings.to_environment())
    config = uvicorn.Config(
        "api.serving:OneOfSeveral",
        factory=True,
        workers=settings.workers,
        lifespan="on",
        **_options(settings),
    )
    try:
        bound = config.bind_socket()
    except SystemExit:
        raise _not_served(settings) from None
    with bound:
        # From here on whoever asks waits until the first process is ready.
        bound.listen(config.backlog)
        if on_start is not None:
            on_start(_address_of(bound), why_not)
        supervisor = Multiprocess(config, sockets=[bound])
        supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        raise ListenError("a process could not start; serve with one worker, which says why")


def _not_served(settings: Settings) -> ListenError:
    return ListenError(
        f"nothing could be served on {settings.host}:{settings.port}; "
        "if something else listens there, stop it or choose another --port"
    )


def _address_of(bound: socket.socket) -> str:
    name = bound.getsockname()
    host = f"[{name[0]}]" if ":" in name[0] else name[0]
    return f"http://{host}:{name[1]}"


def _config(app: ASGIApp, settings: Settings, *, lifespan: str = "off") -> uvicorn.Config:
    return uvicorn.Config(app, lifespan=lifespan, **_options(settings))  # type: ignore[arg-type]


def _options(settings: Settings) -> dict[str, Any]:
    return {
        "host": settings.host,
        "port": settings.port,
        "loop": "uvloop",
        "http": "httptools",
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": STOP_SECONDS,
    }
