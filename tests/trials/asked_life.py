"""A life of an installation as its callers have it: how it is asked, and held against the model."""

from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import httpx
from hypothesis.stateful import RuleBasedStateMachine

from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from tests.trials.consent_model import Act, Expected, Model, Receipt, Word
from tests.trials.living_service import LivingService
from tests.trials.whole_ledger import Sites, a_check

SENDERS = ("acme", "beta")
ADDRESSES = (
    "+12125550123",
    "+12125550124",
    "bob@example.com",
    "eve@example.org",
    # Two spellings of one telephone.
    "+5215555550123",
    "+525555550123",
)
TELL_TALE = ("5550123", "5550124", "bob@", "eve@", "example.com", "example.org")


def person_of(address: str) -> str:
    """Which spelling stands for the person in the model."""
    return "+525555550123" if address == "+5215555550123" else address


class AskedLife(RuleBasedStateMachine):
    """A service with two organisations, and what the model knows of them."""

    sites: Sites
    done: Counter[str]

    def __init__(self) -> None:
        super().__init__()
        self.living = LivingService(self.sites, self.sites.empty())
        self.model = Model()
        self.seen: list[str] = []

    def organisation(self, which: int) -> str:
        self.wait(timedelta(seconds=1))
        return self.living.ledger.organisations[which]

    def wait(self, by: timedelta) -> None:
        self.living.service.clock.move(by)

    def key_versions(self) -> dict[tuple[str, KeyKind], int]:
        """The oldest keys there are, of those that are destroyed once they are not needed."""
        settings = self.living.ledger.settings
        keys = KeyRing.open(settings.data, root=settings.root_key_place())
        kinds = (KeyKind.ORGANISATION, KeyKind.STANDING, KeyKind.INDEX)
        return {
            (organisation, kind): min(keys.versions_of(organisation, kind), default=0)
            for organisation in self.living.ledger.organisations
            for kind in kinds
        }

    def word(self, act: Act, channel: str | None = None, sender: str | None = None) -> Word:
        return Word(act, self.living.service.clock.now(), channel, sender)

    @staticmethod
    def a_grant(address: str, sender: str) -> dict[str, Any]:
        return {
            "address": address,
            "sender": sender,
            "event": "grant",
            "channel": "email" if "@" in address else "sms",
            "purpose": "marketing",
            "level": "express_written",
        }

    def took(self, answer: httpx.Response, organisation: str) -> None:
        assert answer.status_code == 201, answer.text
        self.keep(answer.json(), organisation)

    def keep(self, receipt: dict[str, Any], organisation: str) -> None:
        self.model.receipts.append(
            Receipt(
                organisation, receipt["log"], receipt["index"], receipt["id"], receipt["leaf_hash"]
            )
        )

    def subject_of(self, organisation: str, address: str) -> str | None:
        answer = self.living.post(organisation, "/v1/subjects/lookup", {"address": address})
        assert answer.status_code == 200, answer.text
        found: str | None = answer.json()["subject"]
        return found

    def must_be(
        self,
        expected: Expected,
        organisation: str,
        address: str,
        sender: str,
        *,
        preview: bool = True,
    ) -> dict[str, Any]:
        """Check, and hold the answer against what the model is sure of."""
        told = self.told_of(organisation, address, sender, preview=preview)
        codes = {reason["code"] for reason in told["reasons"]}
        if expected in (Expected.STOPPED, Expected.UNKNOWN):
            assert told["verdict"] == "deny", f"5: {expected}: {told}"
        if expected is Expected.STOPPED:
            assert codes & {"consent_revoked", "erased"}, f"5: for the reason that is: {told}"
        if expected is Expected.GRANTED:
            assert not codes & {"consent_missing", "consent_revoked", "erased"}, told
        self.done[f"checks ({expected.name.lower()})"] += 1
        return told

    def told_of(
        self, organisation: str, address: str, sender: str, *, preview: bool = True
    ) -> dict[str, Any]:
        """What a check says."""
        body = a_check(address) | {"sender": sender, "preview": preview}
        if address.startswith("+52"):
            body["recipient"] = {"address": address}
        answer = self.living.post(organisation, "/v1/checks", body)
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def rows(self, table: str) -> list[dict[str, Any]]:
        return self.living.tables()[table]

    def as_expected(self, organisation: str, people: Iterable[str]) -> None:
        for one in sorted(people):
            for sender in SENDERS:
                self.must_be(
                    self.model.expected(organisation, one, sender), organisation, one, sender
                )


def assert_tells_nobody(text: str) -> None:
    found = [part for part in TELL_TALE if part in text]
    assert not found, f"12: {found} in {text[:500]}"
