"""The data folder: what lies where, and that one process holds it."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from api.errors import DataFolderError
from consent.keys.key_ring import KEY_STORE_FILE, ROOT_KEY_FILE

SOCKET_PATH_LENGTH_MAX = 100
"""Of the 104 or 108 bytes that systems give to the path of a socket."""


class DataFolder:
    """The layout of the folder that ``init`` makes."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.database = root / "cleartosend.sqlite3"
        self.lock = root / "lock"
        self.socket = root / "service.sock"
        self.registries = root / "registries"
        self.vault = root / "vault"
        self.exports = root / "exports"
        self.root_key = root / ROOT_KEY_FILE
        self.key_store = root / KEY_STORE_FILE

    @property
    def database_url(self) -> str:
        """The URL of the SQLite database in this folder."""
        return f"sqlite:///{self.database.absolute()}"

    @contextmanager
    def socket_address(self) -> Iterator[str]:
        """The socket's path as the system takes it, which may not be long.

        A long one is reached through the folder, held open meanwhile.
        """
        path = str(self.socket.absolute())
        if len(os.fsencode(path)) <= SOCKET_PATH_LENGTH_MAX:
            yield path
            return
        descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{descriptor}/{self.socket.name}"
        finally:
            os.close(descriptor)

    def make(self) -> None:
        """Make the folder, for its owner only. One that holds anything is left as it is."""
        if self.root_key.exists() or self.key_store.exists():
            raise DataFolderError(f"{self.root} is a data folder already; nothing was changed")
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self.is_empty():
                raise DataFolderError(
                    f"{self.root} holds something else already; name a folder that is not there yet"
                )
            self.root.chmod(0o700)
        except OSError as error:
            raise DataFolderError(f"{self.root} cannot be made: {error.strerror}") from None

    def is_empty(self) -> bool:
        """Whether there is nothing of ours, nor anything else."""
        return not self.root.exists() or not any(self.root.iterdir())

    def is_served(self) -> bool:
        """Whether a service listens on the socket, and we may talk to it."""
        if not self.root.is_dir():
            return False
        with self.socket_address() as address, socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(address)
            except OSError:
                return False
        return True

    def require(self) -> None:
        """Say what to do when there is no such folder."""
        if not self.root.is_dir():
            raise DataFolderError(
                f"there is no data folder {self.root}; make one with: "
                f"cleartosend init --data {self.root}"
            )


@contextmanager
def hold(folder: DataFolder) -> Iterator[None]:
    """Hold the folder for this process as long as the context lasts.

    SQLite can lose data when two processes write and checkpoint at once, so the second one
    does not start. The lock goes with the process, however it ends; the file stays.
    """
    folder.require()
    try:
        descriptor = os.open(folder.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise DataFolderError(f"{folder.lock} cannot be opened: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip() or "unknown"
            raise DataFolderError(
                f"{folder.root} is held by a running service (process {holder}); stop it first"
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)
