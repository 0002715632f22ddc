"""Registers' files: every line is read, or the file is refused."""

import io
import zipfile
from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.errors import RegistryFileError
from consent.registries import formats
from consent.registries.formats import Parsed, Row, layout_of, parse
from rules.vocabulary import Channel

XML = """<list type='full' level='all' val=''><ac val='212'><ph val='5550123'/></ac>
<ac val='416'> <ph val='5550124'/></ac></list>"""


def read(text: str | bytes, registry: str = "xa-list") -> Parsed:
    content = text.encode() if isinstance(text, str) else text
    return parse(io.BytesIO(content), layout_of(registry))


def zipped(**members: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as writing:
        for name, text in members.items():
            writing.writestr(name, text)
    return archive.getvalue()


@pytest.mark.parametrize(
    "text",
    [
        "212,5550123\n416,5550124\n",
        "212,5550123\r\n416,5550124\r\n",
        "\ufeff2125550123\n\n4165550124",
        zipped(a="212,5550123\n", b="4165550124"),
        XML,
        # As the published leaflet has it: the opening tag closed as if it were empty.
        "<?xml version='1.0'?>\n" + XML.replace("val=''>", "val='' />"),
        XML.replace("'", '"'),
        "address\n+12125550123\n+14165550124\n",
        "+12125550123\n+14165550124",
    ],
)
@pytest.mark.parametrize("registry", ["us-national-dnc", "us-la-dnc", "ca-dncl"])
def test_numbers_are_read_however_they_are_written(text: str | bytes, registry: str) -> None:
    parsed = read(text, registry)
    assert list(parsed.numbers) == [12125550123, 14165550124]
    assert (parsed.is_change, parsed.emails, parsed.rows) == (False, [], [])


@pytest.mark.parametrize(
    ("registry", "text", "number"),
    [
        ("uk-tps", "01134960123\n", 441134960123),
        ("uk-ctps", "0169772345\n", 44169772345),
        ("au-dncr", "0255500123\n", 61255500123),
        ("mx-repep", "5555500123\n", 525555500123),
        ("sg-dnc", "65550123\n", 6565550123),
    ],
)
def test_each_register_writes_in_its_own_national_form(
    registry: str, text: str, number: int
) -> None:
    assert list(read(text, registry).numbers) == [number]


@pytest.mark.parametrize(
    ("registry", "text", "line"),
    [
        ("us-national-dnc", "212,5550123\n212,555012\n", "line 2"),
        ("us-national-dnc", "212,5550123\n212,55501234\n", "line 2"),
        ("us-national-dnc", "212,5550123\n\n212 5550123\n", "line 3"),
        ("us-national-dnc", "212,5550123\n" * 500_000 + "?\n", "line 500001"),
        ("uk-tps", "01134960123\n1134960123\n", "line 2"),
        ("xa-list", "address,listed\n+12125550123,true\n12125550123,true\n", "line 3"),
        ("xa-list", "address,listed\n+12125550123,maybe\n", "line 2"),
        ("xa-list", "address,channel\n+12125550123,fax\n", "line 2"),
        ("xa-list", "address,date\n+12125550123,01/02/2026\n", "line 2"),
        ("xa-list", "address,listed\n+12125550123,true,x\n", "line 2"),
        ("xa-list", "address,colour\n+12125550123,red\n", "line 1"),
        ("xa-list", "address,address\n+12125550123,red\n", "line 1"),
        ("xa-list", "address\nbob@@example.com\n", "line 2"),
        ("xa-list", b"address\n+1212555\xff\n", "UTF-8"),
        ("xa-list", 'address\n"+12125550123\n', "CSV"),
        ("xa-list", "<list><ac val='212'/></list>", "XML"),
        ("us-national-dnc", "<list><ac val='212'><ph val='555012'/></ac></list>", "too short"),
        ("us-national-dnc", "<list><ph val='5550123'/></list>", "too short"),
        ("us-national-dnc", "<list><ac val='212'><ph val='5550123'/></ac>", "ends before"),
        ("us-national-dnc", "<list><ac val='212'><ph val='5550123'/></ac></list><", "ends before"),
        ("us-national-dnc", "212,5550123,2026-11-01,A\n212,5550124,2026-11-01\n", "line 2"),
        ("us-national-dnc", "212,5550123,2026-11-01,A\n212,5550124,A,D\n", "line 2"),
        ("us-national-dnc", zipped(a="212,5550123\n", b="2125550124,A\n"), "mixes"),
        ("us-national-dnc", b"PK\x03\x04 no archive", "archive"),
        ("us-national-dnc", zipped(a="\n" * (8 << 20)), "unpacks to more"),
        ("us-national-dnc", zipped(), "line 1"),
    ],
)
def test_a_line_that_cannot_be_read_refuses_the_file(
    registry: str, text: str | bytes, line: str
) -> None:
    with pytest.raises(RegistryFileError) as refused:
        read(text, registry)
    assert line in refused.value.detail
    assert "555" not in refused.value.detail.replace("+15555550123", "")


def test_our_csv_says_more_than_listed() -> None:
    parsed = read(
        "date,address,listed,sender,channel\n"
        ",+12125550123,,,\n"
        "2026-11-01,+12125550124,no,acme,SMS\n"
        ",Bob@Example.com,yes,,\n"
        ",ann@example.com,no data,,\n"
    )
    assert list(parsed.numbers) == [12125550123]
    assert parsed.emails == ["bob@example.com"]
    assert parsed.rows == [
        Row("+12125550124", False, "acme", Channel.SMS, date(2026, 11, 1)),
        Row("ann@example.com", None, None, None, None),
    ]


def test_columns_without_a_head_stand_in_our_order() -> None:
    assert read("+12125550123,false,acme\n").rows == [
        Row("+12125550123", False, "acme", None, None)
    ]


def test_an_empty_file_lists_nobody() -> None:
    assert len(read("", "us-national-dnc").numbers) == 0


def test_of_a_list_of_changes_the_last_word_on_a_number_holds() -> None:
    parsed = read(
        "212,5550123,2026-11-01 10:00,A\n"
        "2125550124,D,2026-11-01\n"
        "212,5550123,2026-11-02 10:00,D\n"
        "212,5550124,2026-11-02 10:00,A\n",
        "us-national-dnc",
    )
    assert parsed.is_change
    assert (list(parsed.numbers), list(parsed.removed)) == ([12125550124], [12125550123])


@given(st.lists(st.integers(2_000_000_000, 9_999_999_999)), st.sampled_from([7, 64, 1 << 22]))
def test_no_number_is_lost_at_the_edge_of_a_piece(numbers: list[int], size: int) -> None:
    text = "".join(f"{str(n)[:3]},{str(n)[3:]}\r\n" for n in numbers)
    tags = "".join(f"<ac val='{str(n)[:3]}'><ph val='{str(n)[3:]}'/></ac>" for n in numbers)
    before = formats._CHUNK
    formats._CHUNK = max(size, 64)  # type: ignore[misc]
    try:
        wanted = sorted({10_000_000_000 + n for n in numbers})
        assert list(read(text, "us-national-dnc").numbers) == wanted
        assert list(read(f"<list>{tags}</list>", "us-national-dnc").numbers) == wanted
    finally:
        formats._CHUNK = before  # type: ignore[misc]


@given(st.binary(max_size=300), st.sampled_from(["us-national-dnc", "uk-tps", "xa-list"]))
def test_any_bytes_are_read_or_refused(content: bytes, registry: str) -> None:
    with suppress(RegistryFileError):
        read(content, registry)


@given(st.text(alphabet="<>/ acphlistv='0123\n", max_size=200))
def test_any_xml_is_read_or_refused(text: str) -> None:
    with suppress(RegistryFileError):
        read(f"<{text}", "us-national-dnc")
