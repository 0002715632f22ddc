"""What looks like an address is kept out; what only resembles one is left alone."""

import pytest

from api.redaction import carries_address, url_carries_address, without_addresses

ADDRESSES = [
    "+12125550123",
    "12125550123",
    "+1 (212) 555-0123",
    "(212) 555-0123",
    "212-555-0123",
    "212.555.0123",
    "ada@example.com",
    "Ada <ada.l+x@mail.example.org>",
]
OTHERS = [
    "2026-11-21",
    "2026-11-21 08:00:00",
    "2026-11-21T08:00:00+05:00",
    "47 CFR 64.1200(c)(1)",
    "index 123456",
    "evt_01a1f9e692807000b66edacbc10c3ef2",
    "1107160000000012345",
    "sha256:0123456789",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_an_address_is_taken_out_of_a_sentence(address: str) -> None:
    told = without_addresses(f"the address {address} is odd")
    assert "555" not in told
    assert "example" not in told
    assert told.startswith("the address ")
    assert told.endswith(" is odd")


@pytest.mark.parametrize("text", OTHERS[:-1])
def test_what_is_no_address_stays(text: str) -> None:
    assert without_addresses(text) == text
    assert not carries_address(text)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/subjects/+12125550123", b""),
        ("/v1/subjects/12125550123", b""),
        ("/v1/subjects/ada@example.com", b""),
        ("/v1/x", b"address=%2B12125550123"),
        ("/v1/x", b"address=+12125550123"),
        ("/v1/x", b"address=(212)%20555-0123"),
        ("/v1/x", b"a=ada%40example.com"),
    ],
)
def test_an_address_in_a_url_is_seen(path: str, query: bytes) -> None:
    assert url_carries_address(path, query)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/v1/checks/chk_01234567890123456789012345678901", b""),
        ("/v1/registries/us-national-dnc/snapshots/2026-11-01", b"covers=%2B1212"),
        ("/v1/logs/consent/tile/0/x001/234", b""),
        ("/v1/logs/consent/proofs/inclusion", b"index=123456789&size=223456789"),
        ("/v1/x", b"from=2026-01-05T10:00:00-05:00&to=2026-11-20T00:00:00%2B00:00"),
        ("/v1/keys", b"cursor=ca2V5XzMzNGMwNjhjNGZkYjAzZDI&limit=200"),
    ],
)
def test_a_url_without_one_passes(path: str, query: bytes) -> None:
    assert not url_carries_address(path, query)


def test_a_url_of_any_length_is_read_once() -> None:
    long = "a" * 1_000_000
    assert not url_carries_address(f"/{long}", long.encode())
    assert not carries_address(long)
    assert url_carries_address(f"/{long}@example.com", b"")


@pytest.mark.parametrize("text", ["+12125550123.ada@example.com", "+1 212 555 0123-@example.com"])
def test_addresses_that_touch_are_both_taken_out(text: str) -> None:
    assert without_addresses(text) == "[removed]"
