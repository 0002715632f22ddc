"""No test leaves this machine: sockets may reach Unix sockets and loopback, nothing else."""

import ipaddress
import sys

_NAMES_OF_THIS_MACHINE = frozenset({"", "localhost", "0.0.0.0", "::", "testserver"})


class NetworkUsedError(AssertionError):
    """A test tried to reach another machine."""


def refuse() -> None:
    """Refuse from now on, for as long as the process runs.

    An audit hook sees every connection that Python makes, whatever library asks for it.
    """
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        # An address that is no pair belongs to a Unix socket, or to none that can leave.
        if isinstance(address, tuple):
            _check(address[0])
    elif event == "socket.getaddrinfo":
        _check(arguments[0])


def _check(host: object) -> None:
    if host is None:
        return
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in _NAMES_OF_THIS_MACHINE:
        return
    try:
        is_loopback = ipaddress.ip_address(name).is_loopback
    except ValueError:
        is_loopback = False
    if not is_loopback:
        raise NetworkUsedError(f"a test tried to reach {name}; tests use no network")
