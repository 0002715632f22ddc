"""What a service must know of people's will, kept beside it as simply as can be.

A person's words are a list. The last one that covers a message decides; nothing else is known
here of the law, so where people have stopped nothing the model only says what it is sure of.
"""

from bisect import bisect_right
from collections.abc import Collection, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from operator import attrgetter


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
    """One thing that a person said. None covers every channel, or every sender.

    ``elsewhere``: at another address, which was linked with this one.
    """

    act: Act
    at: datetime
    channel: str | None = None
    sender: str | None = None
    elsewhere: bool = False

    def covers(self, channel: str, sender: str) -> bool:
        return self.channel in (None, channel) and self.sender in (None, sender)


def heard_elsewhere(word: Word) -> Word:
    """How a stop counts at another address of the person: an erasure erases nothing there."""
    return replace(word, act=Act.STOP, elsewhere=True)


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


Place = tuple[str, str]
"""An organisation, and an address there."""


@dataclass
class Model:
    """All of it, of every organisation. ``groups``: which addresses are one person's."""

    words: dict[Place, list[Word]] = field(default_factory=dict)
    groups: dict[Place, frozenset[str]] = field(default_factory=dict)
    ever_linked: set[Place] = field(default_factory=set)
    unsure: set[Place] = field(default_factory=set)
    receipts: list[Receipt] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    erased_subjects: set[str] = field(default_factory=set)

    def say(self, organisation: str, address: str, word: Word) -> None:
        """Somebody says something; an opt-out is heard at every address of theirs."""
        self._hear(organisation, address, word)
        if word.act is not Act.GRANT:
            for other in self.group(organisation, address) - {address}:
                self._hear(organisation, other, heard_elsewhere(word))

    def erase(self, organisation: str, address: str, word: Word) -> None:
        """Erase somebody, at every address of theirs; no two of them are linked any more."""
        for one in self.group(organisation, address):
            self._hear(organisation, one, word)
            self.groups.pop((organisation, one), None)

    def link(self, organisation: str, addresses: Collection[str]) -> frozenset[str]:
        """Make them one person's, with all who are theirs already; each hears the others' stops."""
        together = frozenset().union(*(self.group(organisation, one) for one in addresses))
        said = {one: list(self.of(organisation, one)) for one in together}
        for one in together:
            apart = together - self.group(organisation, one)
            for other in apart:
                for word in said[other]:
                    if word.act is not Act.GRANT:
                        self._hear(organisation, one, heard_elsewhere(word))
        for one in together:
            self.groups[organisation, one] = together
            self.ever_linked.add((organisation, one))
        if any((organisation, one) in self.unsure for one in together):
            self.unsure |= {(organisation, one) for one in together}
        return together

    def unlink(self, organisation: str, addresses: Collection[str]) -> None:
        """Let each of these stand alone. What was heard was heard."""
        for address in addresses:
            staying = self.group(organisation, address) - {address}
            self.groups.pop((organisation, address), None)
            for one in staying:
                self.groups[organisation, one] = staying
                if len(staying) == 1:
                    del self.groups[organisation, one]

    def group(self, organisation: str, address: str) -> frozenset[str]:
        return self.groups.get((organisation, address), frozenset({address}))

    def of(self, organisation: str, address: str) -> list[Word]:
        return self.words.get((organisation, address), [])

    def expected(self, organisation: str, address: str, sender: str) -> Expected:
        """Of a message by the address's own channel."""
        channel = "email" if "@" in address else "sms"
        said = self.of(organisation, address)
        covering = [word for word in said if word.covers(channel, sender)]
        if covering and covering[-1].act is not Act.GRANT:
            return (
                Expected.OPEN
                if covering[-1].elsewhere and self._may_open(organisation, address, covering[-1])
                else Expected.STOPPED
            )
        if (organisation, address) in self.unsure:
            return Expected.OPEN
        if not any(word.act is Act.GRANT for word in covering):
            is_known = channel == "sms" and not self._granted_elsewhere(organisation, address)
            return Expected.UNKNOWN if is_known else Expected.OPEN
        if all(word.act is Act.GRANT for word in said):
            return Expected.GRANTED
        return Expected.OPEN

    def _may_open(self, organisation: str, address: str, stop: Word) -> bool:
        """Whether a later grant at another address may permit again what was not stopped here."""
        stopped_here = any(
            word.act is not Act.GRANT and not word.elsewhere
            for word in self.of(organisation, address)
        )
        return not stopped_here and any(
            word.at >= stop.at for word in self._granted_elsewhere(organisation, address)
        )

    def _granted_elsewhere(self, organisation: str, address: str) -> list[Word]:
        return [
            word
            for other in self.group(organisation, address) - {address}
            for word in self.of(organisation, other)
            if word.act is Act.GRANT
        ]

    def _hear(self, organisation: str, address: str, word: Word) -> None:
        words = self.words.setdefault((organisation, address), [])
        words.insert(bisect_right(words, word.at, key=attrgetter("at")), word)

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
        then = earlier.copy()
        self.words, self.groups = then.words, then.groups
        self.ever_linked, self.unsure = then.ever_linked, then.unsure
        for organisation, address, word in sorted(erased, key=lambda one: one[2].at):
            if (organisation, address, word) not in known:
                # Whoever is linked here, and was not when it happened, may hear of it.
                left = self.group(organisation, address) - {address}
                self.unsure |= {(organisation, one) for one in left}
                self.unlink(organisation, [address])
                self._hear(organisation, address, word)
        self.receipts = [
            one for one in self.receipts if one.index < sizes[one.organisation, one.log]
        ]
        self.notes = [one for one in self.notes if one.size <= sizes[one.organisation, one.log]]
