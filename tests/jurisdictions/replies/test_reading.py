"""How a reply is read: its letters, its words, what stands around them, and how long it takes."""

from pathlib import Path

import pytest

from jurisdictions.replies import NO_SCOPE, Reading, Scope, read_reply
from jurisdictions.replies.folding import TEXT_READ
from rules.vocabulary import Channel, Purpose

STOP, HELD, OTHER = Reading.STOP, Reading.UNCERTAIN, Reading.OTHER


def reading(text: str, country: str | None = "US") -> Reading:
    return read_reply(text, country=country).reading


@pytest.mark.parametrize(
    "text",
    [
        "stop",
        "  StOp\n",
        "STOP.",
        "«stop»",
        "(stop)",
        "STOP!!!???",
        "STÓP",
        "ＳＴＯＰ",
        "𝐒𝐓𝐎𝐏",
        "ⓢⓣⓞⓟ",
        "🆂🆃🅾🅿",
        "S\u200bT\u200dO\u2060P\ufeff",
        "s\u0336t\u0336o\u0336p\u0336",
        "\u202eSTOP\u202c",
        "SТОP",  # The two in the middle are Cyrillic.
        "5t0p",
        "S-T-O-P",
        "s t o p",
        "sssstttooopppp",
        "stop 👍🏽",
        "👩‍👩‍👧 stop",
        "stop\u00a0please",
        "stop 12345",
    ],
)
def test_a_plain_stop_is_one_however_it_is_written(text: str) -> None:
    assert reading(text) is STOP


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("stop", STOP),
        ("stop please, thank you", STOP),
        ("stop texting me", STOP),
        ("STOP. who is this", STOP),
        ("stop or I call the police", STOP),
        ("stop by tomorrow?", HELD),
        ("stop by tomorrow", HELD),
        ("can you stop by tomorrow", HELD),
        ("is there a stop near the shop", HELD),
        ("the bus stop is closed", OTHER),
        ("please don't stop", OTHER),
        ("if you don't stop texting me I will sue", STOP),
        ("don't stop there. stop texting me", STOP),
        ("cancel", STOP),
        ("cancel, please", STOP),
        ("cancel everything on Friday at noon", HELD),
        ("cancel my appointment", OTHER),
        ("the end", STOP),
        ("at the end of the day", OTHER),
        ("", OTHER),
        ("   ", OTHER),
        ("?", OTHER),
        ("12125550123", OTHER),
    ],
)
def test_what_stands_around_a_word_decides(text: str, expected: Reading) -> None:
    assert reading(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Take this off your list", STOP),
        ("Spam. Take this off your list", STOP),
        ("No more. Take this off your list", STOP),
        ("I want out, take this off the list", STOP),
        ("Do not contact. Cross it off your list", STOP),
        ("unsubscribe take this off your list", STOP),
        ("STOP take me there", STOP),
        ("stop cancel my appointment", STOP),
        ("I want out. knock it off the list", HELD),
        ("не пишите код, хватит", HELD),
        ("больше не пишите код и рекламу", HELD),
        ("لا ترسلوا الطلب ولا الرسائل", HELD),
        ("Quando smettete di scrivermi", HELD),
        ("Koniec promocji. Przestańcie!", HELD),
        ("Koniec promocji, nie piszcie", HELD),
    ],
)
def test_words_that_are_no_stop_swallow_none(text: str, expected: Reading) -> None:
    assert reading(text) is expected


def test_a_reply_of_words_is_one_whatever_the_language_of_the_country() -> None:
    for text in ("BAJA", "arrêt", "退订", "הסר", "отпишите меня", "ยกเลิก"):
        assert reading(text, "US") is STOP
        assert reading(text, None) is STOP


@pytest.mark.parametrize(
    ("text", "country", "expected"),
    [
        ("RED", "TR", STOP),
        ("RED", "US", HELD),
        ("RED", None, HELD),
        ("T", "CN", STOP),
        ("T", "US", OTHER),
        ("EI", "FI", STOP),
        ("acha", "KE", STOP),
        ("off", "PH", STOP),
    ],
)
def test_a_word_of_one_country_means_so_only_there(
    text: str, country: str | None, expected: Reading
) -> None:
    assert reading(text, country) is expected


@pytest.mark.parametrize(
    ("text", "scope"),
    [
        ("STOP", NO_SCOPE),
        ("stop all", NO_SCOPE),
        ("stop texting me", NO_SCOPE),
        ("don't call me", NO_SCOPE),
        ("STOP SMS", NO_SCOPE),
        ("STOP marketing", Scope(purpose=Purpose.MARKETING)),
        ("please stop promotional texts", Scope(purpose=Purpose.MARKETING)),
        ("stop pub svp", Scope(purpose=Purpose.MARKETING)),
        ("stop only the calls", Scope(channel=Channel.VOICE)),
        ("stop emails only please", Scope(channel=Channel.EMAIL)),
        ("stop marketing and stop emails only", NO_SCOPE),
        ("stop marketing. stop everything", NO_SCOPE),
    ],
)
def test_a_stop_is_narrowed_only_where_it_says_so_plainly(text: str, scope: Scope) -> None:
    assert read_reply(text, country="US")[0::2] == (STOP, scope)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("START", Reading.START),
        ("unstop please", Reading.START),
        ("start sending the parcels", OTHER),
        ("yes", OTHER),
        ("START\nSTOP", STOP),
        ("start? no, stop texting me", STOP),
        ("HELP", Reading.HELP),
        ("can you help me find my order", OTHER),
        ("help! stop texting me", STOP),
    ],
)
def test_start_and_help_are_whole_messages_and_stop_goes_before_them(
    text: str, expected: Reading
) -> None:
    assert reading(text) is expected


@pytest.mark.parametrize(
    "text",
    [
        "Nope, opt in",
        "nah subscribe",
        "naw. start",
        "im done, restart",
        "START nope",
        "no start",
        "nope. unstop",
        "nah resume",
        "wrong number, start",
        "for gods sake start",
    ],
)
def test_a_refusal_starts_nothing(text: str) -> None:
    assert reading(text) in (OTHER, HELD)


REFUSALS = (
    "no nope nah not never dont nein nicht kein non pas jamais nie não ni nej ikke inte ei niet "
    "нет не ні لا не नहीं nahi mat 不 不要 いいえ 아니요 ไม่ hayır "
    "tidak jangan không hindi לא όχι nu"
)


@pytest.mark.parametrize("start", ["start", "anmelden", "СТАРТ", "订阅", "再開", "ALTA"])
def test_no_language_says_no_and_starts(start: str) -> None:
    said = [f"{no} {start}" for no in REFUSALS.split()]
    said += [f"{start}, {no}" for no in REFUSALS.split()]
    assert [one for one in said if reading(one) is Reading.START] == []


@pytest.mark.parametrize(
    "text", ["start please", "ok, START", "bitte anmelden", "请 订阅", "再開してください"]
)
def test_politeness_may_stand_around_a_start(text: str) -> None:
    assert reading(text) is Reading.START


def test_what_decided_is_a_word_of_ours_and_never_the_text() -> None:
    reply = read_reply("Stop texting my friend Zebulon", country="US")
    assert reply.reading is STOP
    assert reply.matched is not None
    assert reply.matched.startswith("en:")
    assert "zebulon" not in reply.matched.casefold()


def test_our_own_notice_quoted_back_is_no_stop() -> None:
    assert reading("ok\n> Acme: 20% off. Reply STOP to opt out") is OTHER
    assert reading("STOP\n> Acme: 20% off. Reply STOP to opt out") is STOP


@pytest.mark.parametrize("count", [10_000, 1_000_000])
@pytest.mark.parametrize(
    "unit",
    [
        "😀",
        "a",
        " ",
        "\n",
        "?",
        "\u0301\u0316",
        "ﷺ",
        "不要",
        "stop by the ",
        "dont ",
        "want ",
        "หยุ",
    ],
)
def test_a_long_text_is_read_without_an_end_in_sight(unit: str, count: int) -> None:
    """No reading takes the square of the length: these end at once, or not before the night."""
    text = unit * (count // len(unit))
    expected = {OTHER, HELD, STOP} if len(text) <= TEXT_READ else {HELD, STOP}
    assert reading(text) in expected
    assert reading(f"please stop texting me\n{text}") is STOP


def test_what_is_too_long_to_be_read_is_held() -> None:
    filler = "a " * TEXT_READ
    assert reading(filler + "stop texting me") is HELD
    assert reading(filler) is HELD


def test_half_a_surrogate_pair_is_no_reason_to_fail() -> None:
    assert reading("stop \ud83d") is STOP
    assert reading("\udc00" * 10) is OTHER


def test_reading_needs_no_file_of_the_current_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert reading("STOP") is STOP
