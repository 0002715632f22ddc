"""Which machines a webhook may reach: public ones, over TLS, and the one that was looked at.

A URL is the organisation's to choose, and the request comes from inside the operator's network.
So a name is resolved here, every address that it has must be public, and the connection goes to
the very address that was looked at: a second look-up could give another.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final
from urllib.parse import urlsplit

import httpcore

from consent.propagation.errors import EndpointRefusedError

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives every address of a name."""

URL_LENGTH_MAX: Final = 2000
_LOOPBACK_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_NEVER: Final = tuple(
    map(
        ipaddress.ip_network,
        (
            # Their IPv4 address is where the packet ends, whatever the rest says.
            "2002::/16",
            "2001::/32",
            "64:ff9b:1::/48",
            "::/96",
            # Not everywhere told as private by the standard library, whose table has grown.
            "192.0.0.0/24",
            "198.18.0.0/15",
            "100.64.0.0/10",
            # Public by its number, and the host's own service at a cloud provider.
            "168.63.129.16/32",
            # Formerly site-local, and still routed in some networks.
            "fec0::/10",
        ),
    )
)


class RefusedAddressError(httpcore.ConnectError):
    """The name leads to a machine that no webhook may reach."""


class UnknownNameError(httpcore.ConnectError):
    """The name leads nowhere."""


def is_public(address: IpAddress) -> bool:
    """Whether a webhook may be sent there."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return is_public(address.ipv4_mapped)
        if address in _NAT64:
            return is_public(ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF))
        if address.scope_id is not None:
            return False
    if any(address.version == net.version and address in net for net in _NEVER):
        return False
    return address.is_global and not (
        address.is_multicast
        or address.is_private
        or address.is_reserved
        or address.is_link_local
        or address.is_loopback
        or address.is_unspecified
    )


def check_url(url: str, *, to_loopback: bool) -> None:
    """Refuse a URL that could never be sent to. ``EndpointRefusedError`` says why.

    ``to_loopback`` is the setting for development: this machine may then be named, and without
    TLS. What a name leads to is looked at again at every attempt.
    """
    if len(url) > URL_LENGTH_MAX or not url.isascii() or any(c <= " " for c in url):
        raise EndpointRefusedError("a URL has ASCII letters only, no spaces, and 2000 at most")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise EndpointRefusedError("the URL cannot be read") from None
    if not host or port == 0:
        raise EndpointRefusedError("the URL names no host")
    if parts.username is not None or parts.password is not None:
        raise EndpointRefusedError("a URL holds no password: messages are signed")
    if parts.fragment:
        raise EndpointRefusedError("a URL that is sent to has no fragment")
    is_own = to_loopback and host in _LOOPBACK_NAMES
    if parts.scheme != "https" and not (is_own and parts.scheme == "http"):
        raise EndpointRefusedError("webhooks are sent over https:// only")
    literal = _literal(host)
    if literal is not None and not is_public(literal) and not is_own:
        raise EndpointRefusedError("the URL names a machine that is not on the public internet")
    if literal is None and not is_own and "." not in host.rstrip("."):
        raise EndpointRefusedError("the URL names a machine of the local network")


async def resolve(host: str, port: int) -> Sequence[str]:
    """Every address that this machine's resolver knows of a name."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens connections for one client, and only to where a webhook may go."""

    def __init__(self, *, to_loopback: bool = False, resolver: Resolve = resolve) -> None:
        self._to_loopback = to_loopback
        self._resolve = resolver
        self._inner: httpcore.AsyncNetworkBackend = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the shape is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Connect to an address that was looked at. TLS is still held against the name."""
        addresses = await self._allowed(host, port)
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except httpcore.ConnectError:
                continue
        return await self._inner.connect_tcp(
            addresses[-1], port, timeout, local_address, socket_options
        )

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109 - the shape is httpcore's
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """No webhook goes to a file."""
        raise RefusedAddressError("a webhook goes to no socket of this machine")

    async def sleep(self, seconds: float) -> None:
        """Wait between attempts to connect; we make one."""
        await self._inner.sleep(seconds)

    async def _allowed(self, host: str, port: int) -> list[str]:
        literal = _literal(host)
        try:
            found = [str(literal)] if literal is not None else await self._resolve(host, port)
        except OSError:
            raise UnknownNameError("the name is not known") from None
        if not found:
            raise UnknownNameError("the name has no address")
        for text in found:
            address = ipaddress.ip_address(text)
            if not is_public(address) and not self._is_own(host, address):
                # One of several is enough: whoever answers so is not to be trusted with the rest.
                raise RefusedAddressError("the name leads into a network that is not public")
        return list(found)[:3]

    def _is_own(self, host: str, address: IpAddress) -> bool:
        return self._to_loopback and host in _LOOPBACK_NAMES and address.is_loopback


def _literal(host: str) -> IpAddress | None:
    """The address that a URL names outright, also in the odd spellings that resolvers take."""
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        pass
    try:
        # 127.1, 2130706433 and 0x7f000001 are addresses to a resolver.
        return ipaddress.IPv4Address(socket.inet_aton(host)) if _is_numeric(host) else None
    except OSError:
        return None


def _is_numeric(host: str) -> bool:
    return all(
        part[:2].lower() == "0x" or part.isdigit() for part in host.rstrip(".").split(".") if part
    )
