"""Sealing: what is sealed opens in its place, and nowhere else."""

import hmac
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.keys import sealing
from consent.keys.errors import BrokenSealError
from consent.keys.sealing import Algorithm, KeyKind, PayloadContext, SealingKey
from consent.ledger.canonical import canonical
from consent.ledger.log import SealedPayload

PLAIN = canonical({"address": "+12125550123", "sender": "acme"})
CONTEXT = PayloadContext("org_a", b"e" * 16, "grant", b"s" * 16)
RAW = bytes(range(32))


def a_key(kind: KeyKind = KeyKind.SUBJECT, version: int = 1, raw: bytes = RAW) -> SealingKey:
    return SealingKey.of(kind, version, raw)


def reopen(
    sealed: SealedPayload, key: SealingKey | None = None, context: PayloadContext = CONTEXT
) -> sealing.OpenedPayload:
    return sealing.open_payload(
        key or a_key(),
        context,
        nonce=sealed.nonce,
        ciphertext=sealed.ciphertext,
        commit=sealed.commit,
    )


@given(st.binary(max_size=3000), st.sampled_from(KeyKind))
def test_a_payload_opens_to_what_was_sealed(plain: bytes, kind: KeyKind) -> None:
    opened = reopen(sealing.seal_payload(a_key(kind), CONTEXT, plain), a_key(kind))
    assert opened.canonical == plain


def test_a_leaf_commits_to_the_payload_under_the_salt_within() -> None:
    sealed = sealing.seal_payload(a_key(), CONTEXT, PLAIN)
    opened = reopen(sealed)
    assert len(opened.salt) == 32
    assert sealed.commit == hmac.new(opened.salt, PLAIN, "sha256").digest()


def test_sealing_twice_gives_nothing_in_common() -> None:
    one, other = (sealing.seal_payload(a_key(), CONTEXT, PLAIN) for _ in range(2))
    assert one.commit != other.commit
    assert one.nonce != other.nonce
    assert one.ciphertext != other.ciphertext


@pytest.mark.parametrize(
    "change",
    [
        {"organisation": "org_b"},
        {"event_id": b"f" * 16},
        {"type": "revoke"},
        {"subject": b"t" * 16},
        {"subject": None},
        {"schema_version": 2},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_payload_does_not_open_in_another_place(change: dict[str, Any]) -> None:
    sealed = sealing.seal_payload(a_key(), CONTEXT, PLAIN)
    with pytest.raises(BrokenSealError):
        reopen(sealed, context=msgspec.structs.replace(CONTEXT, **change))


@pytest.mark.parametrize(
    "key",
    [
        a_key(version=2),
        a_key(raw=bytes(32)),
        a_key(KeyKind.DECISION),
    ],
    ids=["version", "key", "kind"],
)
def test_a_payload_does_not_open_under_another_key(key: SealingKey) -> None:
    with pytest.raises(BrokenSealError):
        reopen(sealing.seal_payload(a_key(), CONTEXT, PLAIN), key)


@given(st.text(max_size=20), st.binary(max_size=20), st.text(max_size=20))
def test_no_two_places_share_a_binding(organisation: str, event_id: bytes, type_: str) -> None:
    """Parts that run into each other would let a payload move between such neighbours."""
    context = PayloadContext(organisation, event_id, type_, None)
    moved = PayloadContext(organisation + "x", event_id, type_, None)
    shifted = PayloadContext(organisation, b"", event_id.hex() + type_, None)
    sealed = sealing.seal_payload(a_key(), context, PLAIN)
    for other in (moved, shifted):
        if other != context:
            with pytest.raises(BrokenSealError):
                reopen(sealed, context=other)


@given(st.lists(st.binary(max_size=8), max_size=5), st.lists(st.binary(max_size=8), max_size=5))
def test_framing_tells_any_two_lists_apart(one: list[bytes], other: list[bytes]) -> None:
    assert (sealing.framed(*one) == sealing.framed(*other)) is (one == other)


@given(st.data())
def test_a_changed_payload_does_not_open(data: st.DataObject) -> None:
    sealed = sealing.seal_payload(a_key(), CONTEXT, PLAIN)
    field = data.draw(st.sampled_from(["nonce", "ciphertext", "commit"]))
    value: bytes = getattr(sealed, field)
    place = data.draw(st.integers(0, len(value) - 1))
    bit = data.draw(st.integers(0, 7))
    flipped = value[:place] + bytes((value[place] ^ 1 << bit,)) + value[place + 1 :]
    with pytest.raises(BrokenSealError):
        reopen(msgspec.structs.replace(sealed, **{field: flipped}))


@pytest.mark.parametrize("length", [0, 15, 16, 47])
def test_a_cut_payload_does_not_open(length: int) -> None:
    sealed = sealing.seal_payload(a_key(), CONTEXT, b"")
    with pytest.raises(BrokenSealError):
        reopen(msgspec.structs.replace(sealed, ciphertext=sealed.ciphertext[:length]))


def test_a_person_has_gcm_and_an_organisation_gcm_siv() -> None:
    for kind in KeyKind:
        expected = Algorithm.AES_256_GCM if kind == "subject" else Algorithm.AES_256_GCM_SIV
        sealed = sealing.seal_payload(a_key(kind), CONTEXT, PLAIN)
        assert (sealed.algorithm, sealed.key_kind) == (expected, kind.value)


@given(st.binary(max_size=500), st.lists(st.binary(max_size=20), max_size=3))
def test_a_sealed_value_opens_with_its_context(plain: bytes, context: list[bytes]) -> None:
    key = a_key(KeyKind.STANDING, 202611)
    sealed = sealing.seal(key, "org_a", plain, *context)
    assert sealing.key_version_of(sealed) == 202611
    assert sealing.open_sealed(key, "org_a", sealed, *context) == plain
    for organisation, other in (("org_b", context), ("org_a", [*context, b""])):
        with pytest.raises(BrokenSealError):
            sealing.open_sealed(key, organisation, sealed, *other)


@given(st.data())
def test_a_changed_value_does_not_open(data: st.DataObject) -> None:
    key = a_key(KeyKind.STANDING, 202611)
    sealed = sealing.seal(key, "org_a", b"history")
    place = data.draw(st.integers(0, len(sealed) - 1))
    flipped = sealed[:place] + bytes((sealed[place] ^ 1,)) + sealed[place + 1 :]
    with pytest.raises(BrokenSealError):
        sealing.open_sealed(key, "org_a", flipped)


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x02" + bytes(40), bytes(40)])
def test_what_was_never_sealed_names_no_key(sealed: bytes) -> None:
    with pytest.raises(BrokenSealError):
        sealing.key_version_of(sealed)


def test_a_key_does_not_show_itself() -> None:
    shown = repr(a_key())
    assert RAW.hex() not in shown
    assert repr(RAW) not in shown
