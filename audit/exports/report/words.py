"""Every code of a record in words for somebody who never saw the product."""

from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from typing import Final

import pycountry

from audit.opened import Withheld
from rules.rule import ANYWHERE
from rules.vocabulary import (
    Certainty,
    Channel,
    Force,
    Level,
    Purpose,
    Quality,
    Verdict,
    Via,
)

CHANNELS: Final = {
    Channel.SMS: "text message (SMS)",
    Channel.MMS: "picture message (MMS)",
    Channel.RCS: "rich text message (RCS)",
    Channel.WHATSAPP: "WhatsApp message",
    Channel.EMAIL: "e-mail",
    Channel.VOICE: "telephone call",
    Channel.PUSH: "notification of an app",
}
PURPOSES: Final = {
    Purpose.MARKETING: "advertising",
    Purpose.SERVICE: "service messages about a dealing",
    Purpose.TRANSACTIONAL: "carrying out a dealing, such as an order",
    Purpose.AUTHENTICATION: "one-time codes",
    Purpose.EMERGENCY: "emergencies",
    Purpose.POLITICAL: "political messages",
    Purpose.CHARITY: "charity",
    Purpose.SURVEY: "surveys",
    Purpose.COLLECTIONS: "collecting a debt",
    Purpose.GOVERNMENT: "messages of a public authority",
}
EVENTS: Final = {
    "grant": "Consent given",
    "confirm": "Consent confirmed",
    "revoke": "Opt-out: the person asked not to be contacted",
    "purchase": "Purchase by the person",
    "contract": "Contract with the person",
    "inquiry": "Inquiry by the person",
    "donation": "Donation by the person",
    "membership": "Membership of the person",
    "publication": "Address made public by the person",
    "sent": "Message sent",
    "complaint": "Complaint by the person about a message",
    "erase": "Erasure: the data recorded until then was destroyed",
    "link": "Addresses recorded as one person's",
    "unlink": "Addresses recorded as no longer one person's",
    "hold": "Reply put aside for somebody to read; advertising waited meanwhile",
    "release": "Reply that had been put aside was read",
    "check": "Decision on a message",
}
LEVELS: Final = {
    Level.IMPLIED: "implied, by what the person did",
    Level.EXPRESS: "express, by what the person said",
    Level.EXPRESS_WRITTEN: "express and in writing",
}
QUALITIES: Final = {
    Quality.DOUBLE_OPT_IN: "asked to be confirmed (double opt-in)",
    Quality.NIGHT: "also for the night",
    Quality.SEPARATE: "asked for apart from other matters",
    Quality.GUARDIAN: "given by a parent or guardian",
    Quality.CROSS_BORDER: "also for taking data abroad",
    Quality.ONE_TO_ONE: "given to this sender alone",
    Quality.OPT_OUT_OFFERED: "a way to opt out was offered",
    Quality.SIMILAR_PRODUCTS: "for similar products",
}
VIAS: Final = {
    Via.KEYWORD: "a reply to a message",
    Via.LINK: "a link in a message",
    Via.CALL: "a telephone call",
    Via.EMAIL: "an e-mail",
    Via.LETTER: "a letter",
    Via.REGISTRY: "a public register",
    Via.AGENT: "somebody acting for the person",
}
VERDICTS: Final = {
    Verdict.ALLOW: "Allowed",
    Verdict.DEFER: "Had to wait",
    Verdict.DENY: "Not allowed",
}
FORCES: Final = {
    Force.LAW: "law",
    Force.CODE: "code of an industry or regulator",
    Force.CARRIER: "rule of telephone companies",
    Force.CUSTOM: "own rule of the operator, stricter than the law",
}
CERTAINTIES: Final = {
    Certainty.VERIFIED: "read in the source",
    Certainty.LIKELY: "likely reading of the source",
    Certainty.UNSURE: "unsure reading; the stricter one was taken",
}
WITHHELD: Final = {
    Withheld.ERASED: "The data was destroyed when the person was erased. The entry itself stands.",
    Withheld.KEY_DESTROYED: "The data was destroyed when the time to keep it was over. The entry"
    " itself stands.",
    Withheld.CONFIDENTIAL: "Only the secret marks by which an erased person is still never"
    " written to, which nobody is shown.",
    Withheld.DAMAGED: "What is stored is not what was recorded. It cannot be read.",
    Withheld.NOT_ASKED: "It concerns another sender than the one asked for.",
}
FLAGS_MEAN: Final = "part of it could not be read or believed, and was taken in the widest sense"
COMPLAINT_COUNTS: Final = (
    "an opt-out of advertising, by this way of contact, or by every one if none was named"
)
NOTHING_AGAINST: Final = (
    "None of the rules that bound this message, where the person was held to be and at that time,"
    " stood against it."
)
MISWRITTEN: Final = "If another was meant, ask again: this report tells of that one nothing."
OTHERS_NAMED: Final = (
    "words are quoted in which an address of somebody else may stand. They are shown as they were"
    " recorded: look at them before you hand this on."
)
PRECONDITION: Final = "No law, but a precondition of every decision of this service"
_UNIONS: Final = {
    "EU": "European Union",
    "EEA": "European Economic Area",
    "EU-BASE": "European Union, what all member states have in common",
}


@lru_cache(maxsize=4096)
def place(code: str) -> str:
    """A country, a part of one or a union by name, its code in brackets."""
    if code == ANYWHERE:
        return "everywhere"
    name = _UNIONS.get(code)
    if name is None:
        found = (
            pycountry.subdivisions.get(code=code)  # type: ignore[no-untyped-call]
            if "-" in code
            else pycountry.countries.get(alpha_2=code)
        )
        if found is None:
            return code
        name = str(found.name)
        around = pycountry.countries.get(alpha_2=code.partition("-")[0]) if "-" in code else None
        if around is not None:
            name = f"{name}, {around.name}"
    return f"{name} ({code})"


def moment(at: datetime, zone: tzinfo | None = None) -> str:
    """An instant to the second, with its zone: UTC unless another is given."""
    local = at.astimezone(zone or UTC)
    name = str(zone).replace("_", " ") if zone is not None else "UTC"
    return f"{local.day} {local:%B %Y, %H:%M:%S} {name}"


def spread(words: list[str]) -> str:
    """``a, b and c``."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
