"""Tests reach this machine only, so they say the same without a network."""

import socket

import pytest

from tests.support.no_network import NetworkUsedError


def test_a_name_of_another_machine_is_refused() -> None:
    with pytest.raises(NetworkUsedError):
        socket.getaddrinfo("example.com", 443)


def test_an_address_of_another_machine_is_refused() -> None:
    with socket.socket() as client, pytest.raises(NetworkUsedError):
        client.connect(("192.0.2.1", 443))


def test_this_machine_is_reached() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
