"""What a service must know of people's will, kept beside it as simply as can be.

A person's words are a list. The last one that covers a message decides; nothing else is known
here of the law, so where people have stopped nothing the model only says what it is sure of.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Act(StrEnum):
    GRANT = "grant"
    STOP = "stop"
    ERASE = "erase"


class Expected(StrEnum):
    """What a check of a marketing message must find."""

    STOPPED = "the last word that covers it is an opt-out or an erasure"
    UNKNOWN = "nobody ever granted it"
    GRANTED = "it was granted, and nothing was ever stopped"
    OPEN = "for the law to say"


@dataclass(frozen=True)
class Word:
    """One thing that a person said. None covers every channel, or every sender."""

    act: Act
    at: datetime
    channel: str | None = None
    sender: str | None = None

    def covers(self, channel: str, sender: str) -> bool:
        return self.channel in (None, channel) and self.sender in (None, sender)


@dataclass(frozen=True)
class Receipt:
    """What was acknowledged: worth something for ever."""

    organisation: str
    log: str
    index: int
    id: str
    leaf_hash: str


@dataclass(frozen=True)
class Note:
    """A checkpoint that was signed and shown."""

    organisation: str
    log: str
    size: int
    root: bytes


@dataclass
class Model:
    """All of it, of every organisation."""

    words: dict[tuple[str, str], list[Word]] = field(default_factory=dict)
    receipts: list[Receipt] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    erased_subjects: set[str] = field(default_factory=set)

    def say(self, organisation: str, address: str, word: Word) -> None:
        self.words.setdefault((organisation, address), []).append(word)

    def of(self, organisation: str, address: str) -> list[Word]:
        return self.words.get((organisation, address), [])

    def expected(self, organisation: str, address: str, sender: str) -> Expected:
        """Of a message by the address's own channel."""
        channel = "email" if "@" in address else "sms"
        said = self.of(organisation, address)
        covering = [word for word in said if word.covers(channel, sender)]
        if covering and covering[-1].act is not Act.GRANT:
            return Expected.STOPPED
        if not any(word.act is Act.GRANT for word in covering):
            return Expected.UNKNOWN if channel == "sms" else Expected.OPEN
        if all(word.act is Act.GRANT for word in said):
            return Expected.GRANTED
        return Expected.OPEN

    def erasures(self) -> Iterator[tuple[str, str, Word]]:
        for (organisation, address), words in self.words.items():
            for word in words:
                if word.act is Act.ERASE:
                    yield organisation, address, word

    def copy(self) -> "Model":
        return deepcopy(self)

    def back_to(self, earlier: "Model", sizes: dict[tuple[str, str], int]) -> None:
        """Forget what an older copy of the database does not have, but for its erasures.

        Those are carried out again. ``sizes``: how far each log had come then.
        """
        erased = list(self.erasures())
        known = set(earlier.erasures())
        self.words = deepcopy(earlier.words)
        for organisation, address, word in sorted(erased, key=lambda one: one[2].at):
            if (organisation, address, word) not in known:
                self.say(organisation, address, word)
        self.receipts = [
            one for one in self.receipts if one.index < sizes[one.organisation, one.log]
        ]
        self.notes = [one for one in self.notes if one.size <= sizes[one.organisation, one.log]]
