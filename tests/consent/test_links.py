"""Recipients' links: sealed, authentic, and good for as long as somebody keeps the message."""

import base64
import string
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import BadLinkError
from consent.keys.errors import KeyStoreError
from consent.keys.key_ring import KEY_STORE_FILE, KeyRing
from consent.keys.sealing import KeyKind
from consent.links import TOKEN_LENGTH_MAX, VIEW_LASTS, Link, LinkKind, make_token, open_token
from jurisdictions.addresses import parse_address

NOW = datetime(2026, 11, 20, 17, tzinfo=UTC)
OURS, THEIRS = "org_aaaaaaaaaaaaaaaa", "org_bbbbbbbbbbbbbbbb"
NUMBER = "+12125550123"


def a_ring() -> KeyRing:
    keys = KeyRing.passing(at=NOW)
    for organisation in (OURS, THEIRS):
        keys.add_organisation(organisation, at=NOW)
    return keys


KEYS = a_ring()


def a_token(
    kind: LinkKind = LinkKind.ONE_CLICK,
    *,
    organisation: str = OURS,
    sender: str = "acme",
    address: str = NUMBER,
    at: datetime = NOW,
    keys: KeyRing = KEYS,
) -> str:
    return make_token(keys, organisation, kind, sender=sender, address=address, at=at)


senders = st.from_regex(r"[a-z0-9](?:[a-z0-9_-]{0,62}[a-z0-9])?", fullmatch=True)
addresses = st.emails().map(lambda text: parse_address(text).normalised) | st.integers(0, 99).map(
    lambda n: f"+121255501{n:02}"
)


@given(
    sender=senders,
    address=addresses,
    kind=st.sampled_from(LinkKind),
    at=st.timedeltas(timedelta(), timedelta(days=27_000)).map(lambda after: NOW + after),
)
def test_a_token_says_what_it_was_made_for_and_fits_a_url(
    sender: str, address: str, kind: LinkKind, at: datetime
) -> None:
    token = a_token(kind, sender=sender, address=address, at=at)
    assert len(token) <= TOKEN_LENGTH_MAX
    assert token.isascii()
    assert token.replace("-", "").replace("_", "").isalnum()
    assert open_token(KEYS, kind, token) == Link(OURS, sender, address, at.date())


@given(address=addresses)
def test_nothing_of_a_person_can_be_read_in_a_token(address: str) -> None:
    token = a_token(sender="a-rare-brand", address=address)
    raw = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
    for secret in (address.encode(), address[-6:].encode(), b"a-rare-brand"):
        assert secret not in raw
        assert secret not in token.encode()


def test_two_messages_to_one_person_carry_tokens_with_nothing_in_common() -> None:
    first, second = a_token(), a_token()
    before_the_key = len(f"_{OURS}") * 4 // 3 + 6
    assert len({first, second}) == 2
    same = sum(a == b for a, b in zip(first, second, strict=True))
    assert same < before_the_key + 30


@pytest.mark.parametrize("longer", ["+1212555012", "+121255501234", "+12125550123456"])
def test_addresses_of_like_length_make_tokens_of_one_length(longer: str) -> None:
    assert len(a_token(address=longer)) == len(a_token())


@given(place=st.integers(0, 10_000), sign=st.characters(codec="ascii"))
def test_one_changed_character_makes_it_nobodys(place: int, sign: str) -> None:
    token = a_token()
    place %= len(token)
    changed = token[:place] + sign + token[place + 1 :]
    if changed != token:
        with pytest.raises(BadLinkError):
            open_token(KEYS, LinkKind.ONE_CLICK, changed)


def test_a_token_has_one_spelling() -> None:
    token = a_token()
    raw = base64.urlsafe_b64decode(token + "==")
    spelled = {token[:-1] + sign for sign in string.ascii_letters + string.digits + "-_"}
    same = {one for one in spelled if base64.urlsafe_b64decode(one + "==") == raw}
    assert len(same) > 1, "its last sign has bits that say nothing"
    for other in same - {token}:
        with pytest.raises(BadLinkError):
            open_token(KEYS, LinkKind.ONE_CLICK, other)


@given(st.text() | st.text("AEIOabcdxyz0189-_", min_size=60, max_size=1100))
def test_whatever_is_sent_is_refused_and_breaks_nothing(token: str) -> None:
    with pytest.raises(BadLinkError):
        open_token(KEYS, LinkKind.ONE_CLICK, token)


@given(st.binary(min_size=48, max_size=200))
def test_well_formed_nonsense_is_refused_as_well(raw: bytes) -> None:
    name = OURS.encode()
    framed = bytes((len(name),)) + name + b"\x01" + (202611).to_bytes(4, "big") + raw
    with pytest.raises(BadLinkError):
        open_token(KEYS, LinkKind.ONE_CLICK, base64.urlsafe_b64encode(framed).decode().rstrip("="))


def test_every_refusal_reads_alike() -> None:
    token, other = a_token(), a_ring()
    told = set()
    for keys, wrong in (
        (KEYS, ""),
        (KEYS, token[:-1]),
        (KEYS, token[:-1] + ("A" if token[-1] != "A" else "B")),
        (KEYS, a_token(LinkKind.PREFERENCES)),
        (other, token),
        (KEYS, token + "="),
        (KEYS, "A" * 100),
    ):
        with pytest.raises(BadLinkError) as refused:
            open_token(keys, LinkKind.ONE_CLICK, wrong)
        told.add(str(refused.value))
    assert len(told) == 1


def test_what_shows_choices_and_what_stops_are_not_taken_for_each_other() -> None:
    for made, asked in ((LinkKind.ONE_CLICK, LinkKind.PREFERENCES), tuple(LinkKind)[::-1]):
        with pytest.raises(BadLinkError):
            open_token(KEYS, asked, a_token(made))


def test_no_organisation_can_put_its_name_on_anothers_token() -> None:
    raw = base64.urlsafe_b64decode(a_token(organisation=THEIRS) + "==")
    moved = base64.urlsafe_b64encode(raw.replace(THEIRS.encode(), OURS.encode()))
    with pytest.raises(BadLinkError):
        open_token(KEYS, LinkKind.ONE_CLICK, moved.decode().rstrip("="))


def test_a_token_opens_after_years_of_rotated_keys_and_a_restart(tmp_path: Path) -> None:
    before = KeyRing.create(tmp_path, at=NOW)
    before.add_organisation(OURS, at=NOW)
    token = a_token(keys=before)
    later = NOW
    for _ in range(30):
        later += timedelta(days=31)
        for kind in (KeyKind.ORGANISATION, KeyKind.INDEX):
            newest = before.renew(OURS, kind, at=later)
            older = [v for v in before.versions_of(OURS, kind) if v < newest]
            before.destroy(OURS, kind, older)
        a_token(keys=before, at=later)
    after = KeyRing.open(tmp_path)
    assert len(after.versions_of(OURS, KeyKind.LINK)) > 24
    for keys in (before, after):
        assert open_token(keys, LinkKind.ONE_CLICK, token).address == NUMBER


def test_another_process_opens_what_lies_under_a_key_made_since(tmp_path: Path) -> None:
    KeyRing.create(tmp_path, at=NOW).add_organisation(OURS, at=NOW)
    one, other = KeyRing.open(tmp_path), KeyRing.open(tmp_path)
    token = a_token(keys=one, at=NOW + timedelta(days=40))
    assert open_token(other, LinkKind.ONE_CLICK, token).sender == "acme"


def test_an_unknown_organisation_or_month_reads_no_file(tmp_path: Path) -> None:
    """Whoever sends nonsense costs a look at memory and at a file's date, not a file."""
    KeyRing.create(tmp_path, at=NOW).add_organisation(OURS, at=NOW)
    keys = KeyRing.open(tmp_path)
    # From now on reading it is an error: others may read it too. Its date is as before.
    (tmp_path / KEY_STORE_FILE).chmod(0o644)
    with pytest.raises(KeyStoreError):
        keys.opening_key(OURS, KeyKind.LINK, 1)
    wrong = [
        a_token(organisation=THEIRS),
        a_token(at=NOW + timedelta(days=400)),
        a_token(),
    ]
    for token in wrong:
        with pytest.raises(BadLinkError):
            open_token(keys, LinkKind.ONE_CLICK, token)


def test_how_long_a_page_shows_is_counted_from_the_day_it_was_made() -> None:
    link = Link(OURS, "acme", NUMBER, date(2026, 11, 20))
    assert link.viewable_until == date(2026, 11, 20) + VIEW_LASTS
    # Checked 90 days ahead, and 60 days after that still shown.
    assert timedelta(days=150) <= VIEW_LASTS
