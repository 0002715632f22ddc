"""How well replies are read: every one of the corpus held against what its author expects.

``corpus/`` was written before the word lists, and every third reply of it kept from whoever
mended them. ``second_look/``, ``third_look/`` and ``fourth_look/`` were written after, each before
the lists were mended by what it showed.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from jurisdictions.replies import Reading, read_reply
from jurisdictions.strict_yaml import decode, load

HERE = Path(__file__).parent
PORTIONS = ("corpus", "second_look", "third_look", "fourth_look")
HELD_OUT = 3
"""Every so many-th reply of ``corpus`` was held out."""


class Replies(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One language's file: replies by the reading that is right."""

    language: str
    country: str
    stop: tuple[str, ...] = ()
    uncertain: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    start: tuple[str, ...] = ()
    help: tuple[str, ...] = ()


class Read(msgspec.Struct, frozen=True):
    """A reply, what it means and what we made of it."""

    portion: str
    language: str
    text: str
    expected: Reading
    found: Reading
    matched: str | None
    held_out: bool

    @property
    def is_missed(self) -> bool:
        """An opt-out that would stop nothing at all."""
        return self.expected is Reading.STOP and self.found not in (
            Reading.STOP,
            Reading.UNCERTAIN,
        )

    @property
    def is_false_stop(self) -> bool:
        """Somebody stopped who did not ask to be."""
        return self.found is Reading.STOP and self.expected is not Reading.STOP

    @property
    def is_held_in_vain(self) -> bool:
        """Somebody has to look at a reply that is plain."""
        return self.found is Reading.UNCERTAIN and self.expected is not Reading.UNCERTAIN


def read_all() -> Iterator[Read]:
    """Read every reply that there is."""
    for portion in PORTIONS:
        for path in sorted((HERE / portion).glob("*.yaml")):
            yield from _read(portion, decode(load(path), Replies))


def _read(portion: str, replies: Replies) -> Iterator[Read]:
    count = 0
    for reading in (
        Reading.STOP,
        Reading.UNCERTAIN,
        Reading.OTHER,
        Reading.START,
        Reading.HELP,
    ):
        for text in getattr(replies, reading.value):
            found = read_reply(text, country=replies.country)
            held_out = portion == "corpus" and count % HELD_OUT == 0
            yield Read(
                portion, replies.language, text, reading, found.reading, found.matched, held_out
            )
            count += 1


def table(all_: Sequence[Read]) -> Iterator[str]:
    """The figures by language, in the form of a document."""
    yield "| language | replies | stops | read | held | missed | others | held in vain | false |"
    yield "| --- | --- | --- | --- | --- | --- | --- | --- | --- |"
    for language in (*sorted({one.language for one in all_}), "all"):
        here = [one for one in all_ if language in (one.language, "all")]
        stops = [one for one in here if one.expected is Reading.STOP]
        found = Counter(one.found for one in stops)
        row = (
            len(here),
            len(stops),
            found[Reading.STOP],
            found[Reading.UNCERTAIN],
            sum(one.is_missed for one in here),
            len(here) - len(stops),
            sum(one.is_held_in_vain for one in here if one.expected is not Reading.STOP),
            sum(one.is_false_stop for one in here),
        )
        yield f"| {language} | " + " | ".join(map(str, row)) + " |"
