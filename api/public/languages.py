"""The languages of the recipient's pages: their texts, and which one a visitor reads.

The fifteen most spoken of the world; one file each in ``texts/``, named by its BCP 47 tag.
Egyptian Arabic and Nigerian Pidgin, which are among those by count, are read in Arabic and
English.
"""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final, Literal

import msgspec

from jurisdictions.strict_yaml import decode, load
from rules.vocabulary import Channel, Purpose

FOLDER: Final = Path(__file__).with_name("texts")
ENGLISH: Final = "en"
HEADER_LENGTH_MAX: Final = 500
"""Of ``Accept-Language``, in characters; what comes after is not looked at."""

_READ_IN: Final = {
    "arz": "ar",
    "cmn": "zh-Hans",
    "in": "id",
    "ms": "id",
    "pcm": "en",
    "yue": "zh-Hans",
    "zh": "zh-Hans",
}
"""Other names of a language, and near ones whose readers are better served than by English."""

Text = Annotated[str, msgspec.Meta(min_length=1)]


class Texts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything that the pages say in one language. ``name`` is its own name for itself.

    What stands in braces is put in: ``{sender}``, ``{address}``, ``{what}``, ``{date}`` and
    ``{contact}``.
    """

    name: Text
    direction: Literal["ltr", "rtl"]
    language: Text
    this_sender: Text
    stop_question: Text
    stop_means: Text
    stop_button: Text
    stopped: Text
    stopped_means: Text
    still_to_come: Text
    preferences: Text
    preferences_of: Text
    stop_all: Text
    stop_all_means: Text
    stop_all_button: Text
    all_stopped: Text
    by_channel: Text
    turn_off: Text
    turn_all_off: Text
    turned_off: Text
    only_off: Text
    nothing_means: Text
    old_link: Text
    not_shown: Text
    bad_link: Text
    bad_link_means: Text
    failed: Text
    failed_means: Text
    unsure: Text
    unsure_means: Text
    try_again: Text
    other_ways: Text
    other_ways_reply: Text
    other_ways_write: Text
    other_ways_contact: Text
    answers: Mapping[Literal["yes", "no", "nothing"], Text]
    since: Text
    channels: Mapping[Channel, Text]
    purposes: Mapping[Purpose, Text]


class Language(msgspec.Struct, frozen=True):
    """One language of the pages. ``tag`` is its BCP 47 tag."""

    tag: str
    texts: Texts


@cache
def languages() -> Mapping[str, Language]:
    """All of them by tag, read once. ``RegulationFileError`` names file and line of a mistake."""
    found = sorted(FOLDER.glob("*.yaml"))
    return MappingProxyType(
        {
            path.stem: Language(path.stem, decode(load(path, name=path.name), Texts))
            for path in found
        }
    )


def choose_language(asked: str | None, accepted: str) -> Language:
    """The language that was asked for on the page, else the best of ``Accept-Language``."""
    known = languages()
    for tag in (*([asked] if asked else []), *_wanted(accepted)):
        found = _closest(tag, known)
        if found is not None:
            return found
    return known[ENGLISH]


def _wanted(accepted: str) -> Iterator[str]:
    """The tags of an ``Accept-Language``, the best first; whatever cannot be read is left out."""
    weighed: list[tuple[float, str]] = []
    for part in accepted[:HEADER_LENGTH_MAX].split(","):
        tag, _, parameter = part.partition(";")
        name, _, value = parameter.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            continue
        if tag.strip() and 0 < weight <= 1:
            weighed.append((weight, tag.strip()))
    weighed.sort(key=lambda pair: -pair[0])
    return (tag for _, tag in weighed)


def _closest(tag: str, known: Mapping[str, Language]) -> Language | None:
    """The language of ``tag``, whatever its region or script."""
    for name, language in known.items():
        if name.casefold() == tag.casefold():
            return language
    primary = tag.partition("-")[0].casefold()
    return known.get(_READ_IN.get(primary, primary))
