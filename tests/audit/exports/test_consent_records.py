"""Consent records as another's JSON-LD processor reads them, and the terms that they use."""

import json
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from pyld import jsonld

from audit.exports.consent_records import CONTEXT, ConsentRecords, records_of
from audit.opened import Opened
from audit.trail import Person, TrailEntry
from consent.events import ConsentEvent, Disclosure, Evidence, RecordedKind, encode_payload
from consent.ledger.leaf import Leaf, Log
from consent.senders import SenderRecord
from rules.vocabulary import Channel, Level, Purpose, Quality, Via
from tests.support.consents import DAY, NOW, an_event

DPV = CONTEXT["dpv"]
# The terms of the Data Privacy Vocabulary 2.3 that a record after ISO/IEC TS 27560 has.
TERMS = {
    "ConsentExpired", "ConsentGiven", "ConsentNotice", "ConsentRecord", "ConsentRequested",
    "ConsentWithdrawn", "CommunicationForCustomerCare", "CommunicationManagement", "DataSubject",
    "DirectMarketing", "ExplicitlyExpressedConsent", "ExpressedConsent", "ImpliedConsent",
    "InformedConsent", "Process", "RenewedConsentGiven", "WithdrawConsent", "hasAddress",
    "hasConsentControl", "hasConsentStatus", "hasContact", "hasDataController", "hasDataSubject",
    "hasIndicationMethod", "hasJurisdiction", "hasName", "hasNotice", "hasPersonalData",
    "hasProcess", "hasPurpose", "isExercisedAt", "isIndicatedAtTime", "isIndicatedBy",
}  # fmt: skip
SUBJECT = "07" * 16
ACME = SenderRecord(id="acme", name="Acme", country="US", contact="privacy@example.com")
SHOWN = Evidence(
    method="web_form", language="en", disclosure=Disclosure(version="1", text="You agree.")
)


def trail_of(*events: ConsentEvent) -> list[TrailEntry]:
    return [_entry(index, event) for index, event in enumerate(events)]


def _entry(index: int, event: ConsentEvent) -> TrailEntry:
    leaf = Leaf(
        log=Log.CONSENT,
        event_id=f"{index:032x}",
        organisation="org_test",
        type=event.event.value,
        subject=SUBJECT,
        subject_seq=index + 1,
        prev=None,
        occurred_at=event.at,
        recorded_at=event.at,
        channel=None if event.channel is None else event.channel.value,
        purpose=None if event.purpose is None else event.purpose.value,
        level=None,
        release=None,
        actor="key_1",
        statement=None,
        v=1,
        commit="00",
    )
    opened = Opened(encode_payload(event, "+12125550123"), b"")
    return TrailEntry(
        log=Log.CONSENT,
        index=index,
        id=index.to_bytes(16, "big"),
        leaf=leaf,
        leaf_bytes=b"",
        leaf_hash=b"",
        opened=opened,
    )


def made_of(*events: ConsentEvent, as_of: datetime = NOW) -> ConsentRecords:
    person = Person(erased={}, others={})
    return records_of(trail_of(*events), person, senders={"acme": ACME}, as_of=as_of)


def records(*events: ConsentEvent, as_of: datetime = NOW) -> list[dict[str, Any]]:
    graph: list[dict[str, Any]] = json.loads(made_of(*events, as_of=as_of).content)["@graph"]
    return graph


def kinds(record: dict[str, Any]) -> list[str]:
    return [one["@type"][0].removeprefix("dpv:") for one in record["dpv:hasConsentStatus"]]


def iris(expanded: object) -> Iterator[str]:
    """Every name in an expanded document."""
    if isinstance(expanded, list):
        for one in expanded:
            yield from iris(one)
    elif isinstance(expanded, dict):
        for key, value in expanded.items():
            yield key
            if key in {"@id", "@type"}:
                yield from [value] if isinstance(value, str) else value
            else:
                yield from iris(value)


def no_network(url: str, _options: object) -> object:
    raise AssertionError(f"a record must be read without {url}")


def test_every_term_is_one_of_the_vocabulary() -> None:
    grant = an_event(evidence=SHOWN, expires_at=NOW - DAY / 2)
    stop = an_event(RecordedKind.REVOKE, sender=None, via=Via.KEYWORD, at=NOW)
    service = an_event(purpose=Purpose.SERVICE, level=Level.IMPLIED, topic="orders")
    content = json.loads(made_of(grant, service, stop).content)
    expanded = jsonld.expand(content, {"documentLoader": no_network})
    names = set(iris(expanded))
    assert {name.removeprefix(DPV) for name in names if name.startswith(DPV)} <= TERMS
    assert not [name for name in names if re.match(r"(dpv|pd|loc|dct|skos|cts):", name)]
    assert not [name for name in names if ":" not in name and not name.startswith("@")]
    found = [one for one in expanded[0]["@graph"] if DPV + "ConsentRecord" in one["@type"]]
    assert len(found) == 2
    assert found[0][DPV + "hasDataController"][0][DPV + "hasName"] == [{"@value": "Acme"}]
    assert found[0][DPV + "hasNotice"][0]["http://purl.org/dc/terms/language"]


def test_a_consent_is_one_record_from_its_grant_to_its_end() -> None:
    (record,) = records(
        an_event(at=NOW - 5 * DAY),
        an_event(RecordedKind.REVOKE, at=NOW - 4 * DAY, sender=None),
        an_event(at=NOW - 3 * DAY, expires_at=NOW - 2 * DAY),
    )
    assert kinds(record) == [
        "ConsentGiven",
        "ConsentWithdrawn",
        "RenewedConsentGiven",
        "ConsentExpired",
    ]
    places = [one["cts:place"] for one in record["dpv:hasConsentStatus"]]
    assert places == [f"consent log, entry {index}" for index in (0, 1, 2, 2)]


@pytest.mark.parametrize(
    ("stop", "stopped"),
    [
        ({}, [True, True, True]),
        ({"sender": "acme"}, [True, False, True]),
        ({"channel": Channel.EMAIL}, [False, False, True]),
        ({"purpose": Purpose.MARKETING}, [True, True, True]),
        ({"purpose": Purpose.SURVEY}, [False, False, False]),
    ],
)
def test_an_opt_out_ends_what_it_speaks_of(stop: dict[str, Any], stopped: list[bool]) -> None:
    found = records(
        an_event(),
        an_event(sender="beta"),
        an_event(channel=Channel.EMAIL),
        an_event(RecordedKind.REVOKE, at=NOW, **({"sender": None} | stop)),
    )
    assert ["ConsentWithdrawn" in kinds(record) for record in found[:3]] == stopped
    # Nothing a person said is left out: what ends no consent here is a record of its own.
    assert len(found) == (3 if any(stopped) else 4)


def test_what_asked_to_be_confirmed_is_given_when_it_was() -> None:
    asked = an_event(qualities=frozenset({Quality.DOUBLE_OPT_IN}))
    assert kinds(records(asked)[0]) == ["ConsentRequested"]
    confirm = an_event(RecordedKind.CONFIRM, at=NOW)
    assert kinds(records(asked, confirm)[0]) == ["ConsentRequested", "ConsentGiven"]


def test_what_nobody_recorded_is_missing_and_not_invented() -> None:
    (bare,), (full,) = records(an_event()), records(an_event(evidence=SHOWN))
    assert "notice (the text shown)" in bare["cts:missing"]
    assert "dpv:hasNotice" not in bare
    assert "address of the controller" in full["cts:missing"]
    assert "notice (the text shown)" not in full["cts:missing"]
    assert "jurisdiction" in full["cts:missing"]
    assert "notice (the text shown): in 1 of 1 records" in made_of(an_event()).gaps


def test_of_nothing_there_are_no_records() -> None:
    assert records() == []
    assert records(an_event(RecordedKind.PURCHASE)) == []


def test_the_same_trail_gives_the_same_bytes(tmp_path: Path) -> None:
    assert made_of(an_event()).content == made_of(an_event()).content
