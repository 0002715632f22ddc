"""The leaf's canonical form, against an implementation of RFC 8785 that is not ours."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from consent.ledger.canonical import canonical
from consent.ledger.errors import DamagedLogError, LeafTooLargeError
from consent.ledger.leaf import LEAF_SIZE_MAX, Leaf, decode_leaf, encode_leaf

AT = datetime(2026, 11, 21, 12, 0, 0, 250_000, tzinfo=UTC)
A_LEAF = Leaf(
    actor="key_1",
    channel="sms",
    commit="ab" * 32,
    event_id="01" * 16,
    level="express_written",
    log="consent",
    occurred_at=AT - timedelta(days=400),
    organisation="org_aaaaaaaaaaaaaaaa",
    prev="cd" * 32,
    purpose="transactional",
    recorded_at=AT,
    release="sha256:" + "5e" * 32,
    statement=None,
    subject="ef" * 16,
    subject_seq=10**6,
    type="grant",
    v=1,
)

ascii_keys = st.text(st.characters(min_codepoint=0, max_codepoint=127))
texts = st.text(st.characters(exclude_categories=["Cs"]))
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
    lambda inner: st.lists(inner) | st.dictionaries(ascii_keys, inner),
    max_leaves=20,
)


@given(values)
def test_canonical_is_rfc_8785_within_our_profile(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(texts, st.integers(0, 2**53 - 1), st.dictionaries(ascii_keys, texts, max_size=2))
def test_a_leaf_is_canonical_whatever_its_fields_say(
    text: str, number: int, statement: dict[str, str | int]
) -> None:
    leaf = msgspec.structs.replace(
        A_LEAF, type=text, actor=None, subject_seq=number, statement=statement
    )
    assert canonical(leaf) == rfc8785.dumps(msgspec.to_builtins(leaf))


def test_a_leaf_reads_back_as_it_was_written() -> None:
    assert decode_leaf(encode_leaf(A_LEAF)) == A_LEAF


def test_a_leaf_in_full_stays_well_under_its_limit() -> None:
    assert len(encode_leaf(A_LEAF)) < 800


def test_the_form_of_a_leaf_is_for_ever() -> None:
    """These very bytes lie in ledgers. Whoever has to change this test needs a new ``v``."""
    assert encode_leaf(A_LEAF) == (
        b'{"actor":"key_1","channel":"sms","commit":"' + b"ab" * 32 + b'",'
        b'"event_id":"' + b"01" * 16 + b'","level":"express_written","log":"consent",'
        b'"occurred_at":"2025-10-17T12:00:00.250000Z","organisation":"org_aaaaaaaaaaaaaaaa",'
        b'"prev":"' + b"cd" * 32 + b'","purpose":"transactional",'
        b'"recorded_at":"2026-11-21T12:00:00.250000Z","release":"sha256:' + b"5e" * 32 + b'",'
        b'"statement":null,"subject":"' + b"ef" * 16 + b'","subject_seq":1000000,'
        b'"type":"grant","v":1}'
    )


def test_a_leaf_over_a_kibibyte_is_refused() -> None:
    room = LEAF_SIZE_MAX - len(encode_leaf(msgspec.structs.replace(A_LEAF, actor="")))
    encode_leaf(msgspec.structs.replace(A_LEAF, actor="x" * room))
    with pytest.raises(LeafTooLargeError):
        encode_leaf(msgspec.structs.replace(A_LEAF, actor="x" * (room + 1)))


def test_a_leaf_in_local_time_is_our_mistake() -> None:
    local = AT.astimezone(timezone(timedelta(hours=2)))
    with pytest.raises(AssertionError):
        encode_leaf(msgspec.structs.replace(A_LEAF, recorded_at=local))


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"{}",
        encode_leaf(A_LEAF)[:-1],
        encode_leaf(A_LEAF).replace(b'"v":1', b'"v":2'),
        encode_leaf(A_LEAF).replace(b'"v":1', b'"v":1,"x":1'),
    ],
    ids=["nothing", "no fields", "cut", "newer", "one field more"],
)
def test_what_is_no_leaf_is_named_as_damage(encoded: bytes) -> None:
    with pytest.raises(DamagedLogError):
        decode_leaf(encoded)
