"""Builders for reports: a person with thirty events in four countries, under the real law."""

import json
import re
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from html import unescape
from typing import Any

from pypdfium2 import PdfDocument

from consent.events import Disclosure, Evidence, RecordedKind
from consent.senders import RegistrationRecord, SenderRecord
from consent.senders import put as put_sender
from jurisdictions.releases import bundled_release
from rules.vocabulary import Channel, Level, Purpose, Quality, Via
from tests.support.bundles import Members, members_of
from tests.support.consents import ANN, DAY, an_event
from tests.support.gates import BY_DAY, Desk

COUNTRIES = {
    "US-NY": "By ticking this box you agree to receive advertising texts from Acme at the number"
    " given. Consent is not a condition of purchase. Reply STOP to end.",
    "FR": "En cochant cette case, vous acceptez de recevoir des offres d’Acme par SMS. Répondez"
    " STOP pour vous désinscrire.",
    "DE": "Mit Ihrem Häkchen willigen Sie ein, dass Acme Ihnen Werbung per SMS schickt. Sie können"
    " jederzeit mit STOP widerrufen.",
    "JP": "このボックスにチェックを入れると、Acmeからの広告SMSの受信に同意したことになります。",
}
"""Where she lived, one after the other, and what she was shown there."""

WORDS = ("STOP", "ARRET svp", "Bitte keine Werbung mehr! STOP", "配信停止 STOP")


def live_in_four_countries(one: Desk) -> Desk:
    """Thirty events and twenty decisions of Ann: about half a year in each country."""
    one = one.under(bundled_release())
    acme = SenderRecord(
        id="acme",
        name="Acme",
        country="US",
        postal_address="1 Example Street, New York, NY 10001",
        contact="privacy@example.com",
        registrations=(RegistrationRecord(scheme="us-10dlc", id="C0FFEE"),),
    )
    put_sender(one.connection, one.organisation, acme, now=one.now)
    start = BY_DAY - 4 * 180 * DAY
    for number, (region, shown) in enumerate(COUNTRIES.items()):
        arrived = one.at(start + number * 180 * DAY)
        _live_in(arrived, region, shown, WORDS[number])
    return one.at(BY_DAY)


def _live_in(one: Desk, region: str, shown: str, word: str) -> None:
    _check(one, region, 0)
    evidence = Evidence(
        method="web_form",
        source_url=f"https://example.com/{region.casefold()}/join",
        ip="192.0.2.17",
        user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        language={"US-NY": "en", "FR": "fr", "DE": "de", "JP": "ja"}[region],
        disclosure=Disclosure(version=f"{region}-2026-01", text=shown),
    )
    grant: dict[str, Any] = {"evidence": evidence, "qualities": frozenset({Quality.SEPARATE})}
    _say(one, 1, **grant)
    _say(one, 3, RecordedKind.PURCHASE, sender="acme")
    _check(one, region, 5)
    _say(one, 6, RecordedKind.SENT, channel=Channel.SMS, purpose=Purpose.MARKETING)
    _check(one, region, 6, hour=12)
    chat = {"channel": Channel.WHATSAPP, "level": Level.EXPRESS, "expires_at": _when(one, 150)}
    _say(one, 20, **(grant | chat))
    _check(one, region, 40, channel=Channel.WHATSAPP)
    _say(one, 90, RecordedKind.REVOKE, sender=None, channel=None, via=Via.KEYWORD, text=word)
    _check(one, region, 91)
    if region in {"US-NY", "FR"}:
        _say(one, 119, RecordedKind.DONATION)
        _say(one, 120, RecordedKind.INQUIRY)
        _say(one, 121, RecordedKind.COMPLAINT, sender="acme", channel=Channel.SMS)
    _say(one, 130, RecordedKind.CONTRACT, ends_at=_when(one, 400))


def _when(one: Desk, days: int) -> Any:
    return one.now + days * DAY


def _say(one: Desk, days: int, kind: RecordedKind = RecordedKind.GRANT, **given: Any) -> None:
    later = one.at(_when(one, days))
    happened = {"at": later.now - timedelta(minutes=2)}
    later.recorder.record_one(ANN, an_event(kind, **(happened | given)))


def _check(one: Desk, region: str, days: int, hour: int = 0, **given: Any) -> None:
    later = one.at(_when(one, days) + timedelta(hours=hour))
    later.check_one(later.a_check(region=region, **given))


@dataclass(frozen=True)
class Lived:
    """The bundle of a person, the keys that signed it, and its files as people read them."""

    bundle: bytes
    keys: list[str]

    @cached_property
    def members(self) -> Members:
        """Its files."""
        return members_of(self.bundle)

    @cached_property
    def story(self) -> list[dict[str, Any]]:
        """What programs read of the trail, an entry each."""
        return [json.loads(line) for line in self.members["trail.jsonl"].splitlines()]

    @cached_property
    def screen(self) -> str:
        """The words of ``report.html``."""
        return words_of_screen(self.members["report.html"])

    @cached_property
    def paper(self) -> str:
        """The words of ``report.pdf``."""
        return words_of_paper(self.members["report.pdf"])


def words_of_screen(html: bytes) -> str:
    """What a browser shows of a page, without its marks."""
    return unescape(re.sub(r"<[^>]*>", " ", html.decode()))


def words_of_paper(pdf: bytes) -> str:
    """What is on the pages, as another's program reads it, without spaces and ends of lines."""
    with PdfDocument(pdf) as document:
        texts = []
        for page in document:
            text = page.get_textpage()
            texts.append(text.get_text_range())
            text.close()
            page.close()
    return packed_words("".join(texts))


def packed_words(text: str) -> str:
    """A text as ``words_of_paper`` gives it: lines break elsewhere on paper."""
    return re.sub(r"[\s\ufffe\u00ad-]+", "", text)
