"""An address is parsed once, and what cannot be one says so and never raises."""

from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jurisdictions.addresses import (
    _parse_and_keep,
    address_meant,
    parse_address,
    sender_id_of,
)
from rules.vocabulary import NumberType, SenderForm


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        ("+12125550123", "+12125550123"),
        ("  +1 (212) 555-0123 ", "+12125550123"),
        ("+1.212.555.0123", "+12125550123"),
        ("\u202a+1 212\u00a0555\u20110123\u202c", "+12125550123"),
        (
            "\uff0b\uff11\uff12\uff11\uff12\uff15\uff15\uff15\uff10\uff11\uff12\uff13",
            "+12125550123",
        ),
        ("+\u0661\u0662\u0661\u0662\u0665\u0665\u0665\u0660\u0661\u0662\u0663", "+12125550123"),
        # A national prefix left behind the country code.
        ("+44 (0) 121 232 7778", "+441212327778"),
        ("+54 011 15 2345 6789", "+5491123456789"),
        ("Someone@Example.COM", "someone@example.com"),
        ("someone@bücher.example.com", "someone@xn--bcher-kva.example.com"),
        ("first.last+tag@mail.example.co", "first.last+tag@mail.example.co"),
    ],
)
def test_one_address_has_one_form(text: str, normalised: str) -> None:
    address = parse_address(text)
    assert address.problem is None
    assert address.normalised == normalised
    assert normalised in address.spellings


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "write + and the country code"),
        ("2125550123", "write + and the country code"),
        ("0044 121 232 7778", "write + and the country code"),
        ("nobody", "write + and the country code"),
        ("+", "digits"),
        ("+1212555", "too short"),
        ("+5550123", "too short"),
        ("+15550123", "lacks its area code"),
        ("+121255501234", "too long"),
        ("+999123456", "no country"),
        ("+6100000000", "national prefixes"),
        ("+1212555012A", "digits"),
        ("+1-800-FLOWERS", "digits"),
        ("+12125550123;ext=5", "digits"),
        ("+123456789012345678901", "digits"),
        ("@example.com", "no mailbox"),
        ("a b@example.com", "no mailbox"),
        ("a..b@example.com", "no mailbox"),
        (".a@example.com", "no mailbox"),
        ("a@example.com, b@example.com", "more than one @"),
        ("Acme <a@example.com>", "no mailbox"),
        ("a" * 65 + "@example.com", "no mailbox"),
        ("a@", "no host name"),
        ("a@localhost", "no host name"),
        ("a@192.0.2.1", "no host name"),
        ("a@[192.0.2.1]", "no host name"),
        ("a@exa mple.com", "no host name"),
        ("a@-example.com", "no host name"),
        ("a@example..com", "no host name"),
        ("a@" + "x." * 130 + "com", "longer"),
    ],
)
def test_what_can_be_no_address_says_why_without_repeating_it(text: str, says: str) -> None:
    problem = parse_address(text).problem
    assert problem is not None
    assert says in problem
    assert len(text) < 4 or text not in problem


@given(st.text())
def test_no_text_raises(text: str) -> None:
    address = parse_address(text)
    assert address.normalised in address.spellings
    sender_id_of(text, default_country="US")


@given(st.from_regex(r"\+[1-9][0-9]{3,16}", fullmatch=True))
def test_a_number_is_a_fixed_point(text: str) -> None:
    address = parse_address(text)
    again = parse_address(address.normalised)
    assert again.normalised == address.normalised
    assert set(again.spellings) == set(address.spellings)


@pytest.mark.parametrize(
    ("text", "country", "regions", "number_type"),
    [
        ("+12125550123", "US", ("US-NY",), NumberType.FIXED_OR_MOBILE),
        ("+14165550123", "CA", ("CA-ON",), NumberType.FIXED_OR_MOBILE),
        # One area code over two provinces: the law of both binds.
        ("+19025550123", "CA", ("CA-NS", "CA-PE"), NumberType.FIXED_OR_MOBILE),
        ("+18005550123", "US", (), NumberType.TOLL_FREE),
        ("+17875550123", "US", ("US-PR",), NumberType.FIXED_OR_MOBILE),
        ("+16715550123", "US", ("US-GU",), NumberType.FIXED_OR_MOBILE),
        ("+18765550123", "JM", (), NumberType.FIXED_OR_MOBILE),
        ("+33612319859", "FR", (), NumberType.MOBILE),
        ("+590690000000", "FR", ("FR-971",), NumberType.MOBILE),
        ("+441212327778", "GB", (), NumberType.FIXED),
        ("+447400101996", "GB", (), NumberType.MOBILE),
        # The number data guesses Guernsey, but the range is used in Great Britain too.
        ("+447911100000", "GB", (), NumberType.MOBILE),
        ("+447781000000", "GG", (), NumberType.MOBILE),
        ("+447797000000", "JE", (), NumberType.MOBILE),
        ("+447624000000", "IM", (), NumberType.MOBILE),
        ("+6581234567", "SG", (), NumberType.MOBILE),
        # Satellites belong to no country.
        ("+8835100000000", None, (), None),
        ("someone@example.com", None, (), None),
    ],
)
def test_a_number_tells_its_country(
    text: str, country: str | None, regions: tuple[str, ...], number_type: NumberType | None
) -> None:
    address = parse_address(text)
    assert (address.country, address.regions) == (country, regions)
    assert address.number_type is number_type


@pytest.mark.parametrize(
    ("text", "zones"),
    [
        ("+12125550123", {"America/New_York"}),
        # The short prefix of the number data says Eastern only; the area has Central as well.
        ("+12195550123", {"America/New_York", "America/Chicago"}),
        ("+19305550123", {"America/New_York", "America/Chicago"}),
        ("+14235550123", {"America/New_York", "America/Chicago"}),
        ("+19075550123", {"America/Anchorage", "America/Adak"}),
        ("+16045550123", {"America/Vancouver"}),
        ("+18005550123", set()),
        ("+33612319859", {"Europe/Paris"}),
        ("+34612319859", {"Europe/Madrid", "Atlantic/Canary"}),
        ("+351912319859", {"Europe/Lisbon", "Atlantic/Azores"}),
        ("+64211234567", {"Pacific/Auckland", "Pacific/Chatham"}),
        ("+919876543210", {"Asia/Kolkata"}),
        ("+61290123456", {"Australia/Sydney"}),
        # Eight zones tell the country and nothing more.
        ("+61412345678", set()),
        # The number data says Jakarta alone.
        ("+6281234567890", {"Asia/Jakarta", "Asia/Makassar", "Asia/Jayapura"}),
        ("+525512345678", {"America/Mexico_City"}),
        ("+526641234567", {"America/Tijuana"}),
        # The number data says Noronha alone, where two million people of Recife live.
        ("+5581987654321", {"America/Recife", "America/Noronha"}),
        ("+79000000000", set()),
        # Possible, but in no range that the number data knows.
        ("+61100000000", set()),
        # The number data says Bucharest, Canary and London; each of these has one clock.
        ("+37250000000", {"Europe/Tallinn"}),
        ("+212600000000", {"Africa/Casablanca"}),
        ("+353850000000", {"Europe/Dublin"}),
        ("someone@example.com", set()),
    ],
)
def test_a_number_tells_its_possible_zones(text: str, zones: set[str]) -> None:
    assert set(parse_address(text).zones) == zones


def test_three_territories_under_one_area_code_keep_all_their_zones() -> None:
    zones = parse_address("+18675550123").zones
    assert {"America/Whitehorse", "America/Edmonton", "America/Iqaluit"} <= set(zones)
    assert "America/Fort_Nelson" not in zones


@pytest.mark.parametrize(
    ("text", "country", "form", "digits"),
    [
        ("ACME", "GB", SenderForm.ALPHANUMERIC, ""),
        ("VM-ACMEIN-P", "IN", SenderForm.ALPHANUMERIC, ""),
        ("1ACME", "GB", SenderForm.ALPHANUMERIC, ""),
        ("#AcmeHK", "HK", SenderForm.ALPHANUMERIC, ""),
        ("云杉商城", "CN", SenderForm.ALPHANUMERIC, ""),
        ("news@mail.example.com", "JP", SenderForm.EMAIL, ""),
        ("28849", "US", SenderForm.SHORT_CODE, "28849"),
        ("244", "EG", SenderForm.SHORT_CODE, "244"),
        # Finland has landlines of five digits; a code is more likely.
        ("26262", "FI", SenderForm.SHORT_CODE, "26262"),
        ("67345678", "SG", SenderForm.NUMBER, "67345678"),
        # As long as a number of Singapore, and none.
        ("12345678", "SG", SenderForm.SHORT_CODE, "12345678"),
        ("12", "US", SenderForm.NUMBER, "12"),
        ("+18885550100", "US", SenderForm.TOLL_FREE, "18885550100"),
        ("8005550100", "CA", SenderForm.TOLL_FREE, "8005550100"),
        ("0800123456", "TW", SenderForm.TOLL_FREE, "0800123456"),
        ("(800) 555-0100", "US", SenderForm.TOLL_FREE, "8005550100"),
        ("+16145550100", "US", SenderForm.NUMBER, "16145550100"),
        ("0221231234", "KR", SenderForm.NUMBER, "0221231234"),
        ("1069012345", "CN", SenderForm.NUMBER, "1069012345"),
        ("525512340000", "US", SenderForm.NUMBER, "525512340000"),
    ],
)
def test_a_sender_id_has_a_form(text: str, country: str, form: SenderForm, digits: str) -> None:
    sender_id = sender_id_of(text, default_country=country)
    assert (sender_id.form, sender_id.digits, sender_id.text) == (form, digits, text)


@pytest.mark.parametrize(
    ("text", "default_country", "country", "number_type"),
    [
        ("+34612328700", "FR", "ES", NumberType.MOBILE),
        ("0221231234", "KR", "KR", NumberType.FIXED),
        ("525512340000", "US", "MX", NumberType.FIXED_OR_MOBILE),
        ("919898989898", "IN", "IN", NumberType.MOBILE),
        ("+17875550123", "US", "US", NumberType.FIXED_OR_MOBILE),
        ("28849", "US", None, None),
        ("ACME", "US", None, None),
    ],
)
def test_a_numeric_sender_id_tells_its_country(
    text: str, default_country: str, country: str | None, number_type: NumberType | None
) -> None:
    sender_id = sender_id_of(text, default_country=default_country)
    assert (sender_id.country, sender_id.number_type) == (country, number_type)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("mailto:ann@example.com", "ann@example.com"),
        ("mailto:ann@example.com?subject=stop", "ann@example.com"),
        ("Ann Example <ann@example.com>", "ann@example.com"),
        ("<mailto:ann@example.com>", "ann@example.com"),
        ("'ann@example.com',", "ann@example.com"),
        ("ann\u200b@example.com", "ann@example.com"),
        ("tel:0012125550123", "+12125550123"),
        ("00 44 20 7946 0018", "+ 44 20 7946 0018"),
        # What is an address, or means none that is sure, stays as it is.
        ("ann@example.com", "ann@example.com"),
        ("+1 212 555 0123", "+1 212 555 0123"),
        ("2125550123", "2125550123"),
        ("mailto:nobody", "mailto:nobody"),
        ("\u200b", "\u200b"),
    ],
)
def test_an_odd_spelling_means_the_plain_address(written: str, meant: str) -> None:
    assert address_meant(written) == meant


def test_an_address_with_signs_that_nobody_sees_is_no_other_persons() -> None:
    assert parse_address("ann\u200b@example.com").problem is not None


def test_what_is_too_long_to_be_an_address_is_not_kept_in_memory() -> None:
    before = _parse_and_keep.cache_info().currsize
    for length in (321, 1_000_000):
        assert parse_address("a" * length).problem is not None
    assert _parse_and_keep.cache_info().currsize == before
    parse_address("b" * 320)
    assert _parse_and_keep.cache_info().currsize == before + 1


@pytest.mark.parametrize("run", ["\u0301", "\u0301\u0316", "<", "%41", "mailto:", "a@", "(", "+1"])
def test_an_address_of_any_length_is_read_in_a_time_that_grows_with_it_alone(run: str) -> None:
    began = process_time()
    for text in (run * (2**19 // len(run)), "a" + run * (2**19 // len(run)) + "@example.com"):
        assert parse_address(text).problem is not None
        address_meant(text)
    assert process_time() - began < 20
