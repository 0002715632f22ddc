"""What a consent record would be worth as proof: what it lacks of evidence, in plain words.

What the law asks of the consent itself is worked out in ``rules/worth.py``. Of the evidence laws
say that consent has to be proven; what a proof consists of is named here, once for all of them.
"""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

from consent.events import UNREFUSED, ConsentEvent, Evidence, RecordedKind
from rules.kinds.lacks import Lack, LackCode
from rules.vocabulary import Quality


class EvidenceLack(StrEnum):
    """What a record lacks as proof, whatever the law says of the consent."""

    TIME_MISSING = "time_missing"
    SOURCE_MISSING = "source_missing"
    DISCLOSURE_MISSING = "disclosure_missing"
    LANGUAGE_MISSING = "language_missing"


NO_EVIDENCE: Final = Evidence()
_NOT_ASKED: Final = UNREFUSED | {RecordedKind.SENT, RecordedKind.RELEASE}
"""An opt-out, or its doubt, has to be honoured and not proven; the rest is our own record."""


def evidence_lacks(event: ConsentEvent, *, is_dated: bool) -> tuple[EvidenceLack, ...]:
    """Say what nobody could prove with this record. ``is_dated``: it says when it happened."""
    if event.event in _NOT_ASKED:
        return ()
    evidence = event.evidence or NO_EVIDENCE
    lacks = []
    if not is_dated:
        lacks.append(EvidenceLack.TIME_MISSING)
    if not (evidence.method or evidence.source_url or event.via):
        lacks.append(EvidenceLack.SOURCE_MISSING)
    if event.event is RecordedKind.GRANT:
        shown = evidence.disclosure
        if shown is None or not (shown.text or "").strip():
            lacks.append(EvidenceLack.DISCLOSURE_MISSING)
        if not evidence.language:
            lacks.append(EvidenceLack.LANGUAGE_MISSING)
    return tuple(lacks)


def evidence_sentence(lack: EvidenceLack) -> str:
    """Say what is missing, and what would cure it."""
    return _EVIDENCE[lack]


def lack_sentence(lack: Lack) -> str:
    """Say what the consent lacks under a law, and what would cure it."""
    words = _LACKS[lack.code]
    return words if isinstance(words, str) else words(lack)


_EVIDENCE: Final[Mapping[EvidenceLack, str]] = {
    EvidenceLack.TIME_MISSING: (
        "The record does not say when the person consented, so only the time of recording could be"
        " shown. Give the time in at."
    ),
    EvidenceLack.SOURCE_MISSING: (
        "The record does not say by what means or where the person consented. Give the method or"
        " the source_url."
    ),
    EvidenceLack.DISCLOSURE_MISSING: (
        "The record does not hold what the person was shown, so nobody can show what they agreed"
        " to. Give the text of the disclosure, as it stood then."
    ),
    EvidenceLack.LANGUAGE_MISSING: (
        "The record does not say in which language the person was asked. Give the language."
    ),
}
_QUALITIES: Final[Mapping[str, str]] = {
    Quality.DOUBLE_OPT_IN: "confirmed by an answer to a message (double opt-in)",
    Quality.NIGHT: "given for the night hours as well",
    Quality.SEPARATE: "asked for apart from other matters",
    Quality.GUARDIAN: "given by a guardian",
    Quality.CROSS_BORDER: "given for the transfer of data abroad",
    Quality.ONE_TO_ONE: "given to this one sender by name",
    Quality.OPT_OUT_OFFERED: "collected with the offer to opt out",
    Quality.SIMILAR_PRODUCTS: "for products similar to those that were bought",
}
_LEVELS: Final = {
    "implied": "implied consent",
    "express": "express consent",
    "express_written": "express written consent",
}


def _level(lack: Lack) -> str:
    has, needed = _LEVELS.get(lack.has or "", "consent"), _LEVELS.get(lack.needed or "", "more")
    return f"It is {has}, and the law asks for {needed}."


def _quality(lack: Lack) -> str:
    return f"The law asks that it was {_QUALITIES.get(lack.needed or '', lack.needed)}."


def _scope(lack: Lack) -> str:
    return f"The law asks that it names its {lack.needed}; it names none."


def _lapsed(lack: Lack) -> str:
    return f"It lapsed on {(lack.has or '')[:10]}. Ask the person again."


def _before(lack: Lack) -> str:
    return f"The law takes only what happened on {lack.needed} or later."


def _kind(lack: Lack) -> str:
    return f"The law takes it from a {lack.needed}; the recipient is a {lack.has}."


_LACKS: Final[Mapping[LackCode, Callable[[Lack], str] | str]] = {
    LackCode.LEVEL_TOO_LOW: _level,
    LackCode.QUALITY_MISSING: _quality,
    LackCode.SCOPE_NOT_NAMED: _scope,
    LackCode.OTHER_SCOPE: "It was given for another brand, channel or purpose.",
    LackCode.UNCONFIRMED: "A double opt-in was asked for and is not answered yet.",
    LackCode.LAPSED: _lapsed,
    LackCode.ENDED: "The contract has ended, and the law takes its end as an opt-out.",
    LackCode.BEFORE_THE_LAW: _before,
    LackCode.OTHER_RECIPIENT_KIND: _kind,
}
