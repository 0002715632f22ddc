"""Which machines a webhook may reach."""

import asyncio
import ipaddress
from collections.abc import Sequence

import httpcore
import pytest

from consent.propagation.errors import EndpointRefusedError
from consent.propagation.guard import (
    GuardedBackend,
    RefusedAddressError,
    UnknownNameError,
    check_url,
    is_public,
)

NOT_PUBLIC = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "192.0.0.192",
    "192.0.2.1",
    "198.18.0.1",
    "168.63.129.16",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b::7f00:1",
    "64:ff9b:1::808:808",
    "2002:7f00:1::",
    "2001::1",
    "2001:db8::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "fc00::1",
    "ff02::1",
]
PUBLIC = ["8.8.8.8", "1.1.1.1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2606:4700::1111"]


@pytest.mark.parametrize("text", NOT_PUBLIC)
def test_no_webhook_goes_into_a_private_network(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", PUBLIC)
def test_public_machines_may_be_reached(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.com/x",
        "ftp://hooks.example.com/x",
        "hooks.example.com/x",
        "https://",
        "https:///x",
        "https://localhost/x",
        "https://intranet/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://[::ffff:10.0.0.1]/x",
        "https://127.1/x",
        "https://2130706433/x",
        "https://0x7f000001/x",
        "https://0x7f.1/x",
        "https://169.254.169.254/latest/meta-data/",
        "https://user:word@hooks.example.com/x",
        "https://hooks.example.com/x#part",
        "https://hooks.example.com:0/x",
        "https://hooks.example.com:99999/x",
        "https://hooks.example.com/a b",
        "https://hooks.example.com/\r\nx",
        "https://[::1/x",
        "https://hooks.example.com/" + "x" * 2000,
    ],
)
def test_a_url_that_could_never_be_sent_to_is_refused(url: str) -> None:
    with pytest.raises(EndpointRefusedError):
        check_url(url, to_loopback=False)


@pytest.mark.parametrize(
    "url",
    ["https://hooks.example.com/x?y=z", "https://hooks.example.com:8443/", "https://8.8.8.8/"],
)
def test_public_urls_are_taken(url: str) -> None:
    check_url(url, to_loopback=False)


def test_only_the_setting_for_development_lets_webhooks_go_to_this_machine() -> None:
    for url in ("http://127.0.0.1:9000/x", "http://localhost/x", "https://[::1]:9/x"):
        check_url(url, to_loopback=True)
        with pytest.raises(EndpointRefusedError):
            check_url(url, to_loopback=False)
    for url in ("http://10.0.0.1/x", "http://hooks.example.com/x", "https://192.168.1.1/x"):
        with pytest.raises(EndpointRefusedError):
            check_url(url, to_loopback=True)


def connect(backend: GuardedBackend, host: str, port: int = 443) -> None:
    asyncio.run(backend.connect_tcp(host, port, timeout=1))


def resolving_to(*addresses: str) -> GuardedBackend:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return addresses

    return GuardedBackend(resolver=resolve)


@pytest.mark.parametrize(
    "addresses",
    [("127.0.0.1",), ("10.0.0.1",), ("8.8.8.8", "169.254.169.254"), ("::ffff:127.0.0.1",)],
)
def test_a_name_that_leads_into_a_private_network_is_not_connected_to(
    addresses: tuple[str, ...],
) -> None:
    """One private address among public ones is enough: no connection is made at all."""
    with pytest.raises(RefusedAddressError):
        connect(resolving_to(*addresses), "hooks.example.com")


def test_a_name_without_address_is_told_apart() -> None:
    with pytest.raises(UnknownNameError):
        connect(resolving_to(), "hooks.example.com")


def test_in_development_another_name_for_this_machine_is_still_refused() -> None:
    async def resolve(host: str, port: int) -> Sequence[str]:
        return ("127.0.0.1",)

    backend = GuardedBackend(to_loopback=True, resolver=resolve)
    with pytest.raises(RefusedAddressError):
        connect(backend, "hooks.example.com")


def test_the_connection_goes_to_the_address_that_was_looked_at() -> None:
    """A name is resolved once a connection: a second answer could be another."""
    asked: list[str] = []
    reached: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ("2606:4700::1111", "8.8.8.8")

    class Network(httpcore.AsyncMockBackend):
        async def connect_tcp(self, host: str, *_: object, **__: object):  # type: ignore[no-untyped-def]
            reached.append(host)
            if len(reached) == 1:
                raise httpcore.ConnectError
            return httpcore.AsyncMockStream([])

    backend = GuardedBackend(resolver=resolve)
    backend._inner = Network([])
    connect(backend, "hooks.example.com")
    assert asked == ["hooks.example.com"]
    assert reached == ["2606:4700::1111", "8.8.8.8"]


def test_no_webhook_goes_to_a_socket_of_this_machine() -> None:
    with pytest.raises(RefusedAddressError):
        asyncio.run(GuardedBackend(to_loopback=True).connect_unix_socket("/run/service.sock"))
