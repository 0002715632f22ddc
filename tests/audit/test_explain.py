"""Every code has a sentence that tells a marketer what is wrong and what cures it."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from audit.explain import OBLIGATIONS, REASONS, sentence
from rules.decision import Detail
from rules.vocabulary import ObligationCode, ReasonCode

FULL: Detail = (
    ("age", 13),
    ("age_days", 40),
    ("approvals", 0),
    ("as_of", "2026-10-12"),
    ("at", "2026-01-05T10:00:00-05:00"),
    ("business_days", 10),
    ("country", "ZZ"),
    ("days", 1),
    ("example", "Reply STOP to opt out"),
    ("form", "short_code"),
    ("hours", "08:00-12:00 14:00-20:00"),
    ("label", "ADV:"),
    ("level", "express"),
    ("limit", 3),
    ("local_date", "2026-11-20"),
    ("local_time", "21:30"),
    ("missing", "phone/email, postal_address"),
    ("months", 48),
    ("needed", "express_written"),
    ("problem", "too short"),
    ("prefix", "AD-"),
    ("registry", "us-national-dnc"),
    ("scheme", "us-10dlc"),
    ("series", "140, 160"),
    ("suffix", "-P"),
    ("weeks", 1),
    ("zone", "America/New_York"),
)
UNTIL = datetime(2026, 11, 21, 13, 0, tzinfo=UTC)
NEW_YORK = ZoneInfo("America/New_York")


def without(*names: str) -> Detail:
    return tuple(pair for pair in FULL if pair[0] not in names)


DETAILS: tuple[Detail, ...] = (
    (),
    FULL,
    *(without(name) for name, _ in FULL),
    *((pair,) for pair in FULL),
)


@pytest.mark.parametrize("code", [*ReasonCode, *ObligationCode])
def test_every_code_has_its_sentence_whatever_is_known(code: ReasonCode | ObligationCode) -> None:
    for detail in DETAILS:
        for until in (None, UNTIL):
            said = sentence(code, detail, until=until, zone=NEW_YORK)
            assert re.fullmatch(r"[A-Z0-9].*\S", said), said
            assert "  " not in said
            assert "None" not in said
            # What a caller is told to set goes by the name that it has in the API.
            words = said.replace("discard_after", "")
            assert "_" not in words, "a code is no word of a marketer's"


def test_the_tables_hold_no_other_codes() -> None:
    assert set(REASONS) == set(ReasonCode)
    assert set(OBLIGATIONS) == set(ObligationCode)


@pytest.mark.parametrize(
    ("code", "detail", "words"),
    [
        ("quiet_hours", FULL, ["21:30", "New York", "08:00 to 12:00 and 14:00 to 20:00"]),
        ("quiet_hours", FULL, ["08:00 on 21 November 2026"]),
        ("forbidden_day", FULL, ["20 November 2026", "08:00 on 21 November 2026"]),
        ("frequency_cap", without("hours"), ["3 messages in 1 day,"]),
        ("frequency_cap", (("hours", 24), ("limit", 1)), ["1 message in 24 hours"]),
        ("registry_listed", FULL, ["us-national-dnc", "12 October 2026", "not to be contacted"]),
        ("registry_listed", (("approvals", 1), ("registry", "tr-iys")), ["tr-iys", "approve"]),
        ("registry_stale", FULL, ["us-national-dnc", "12 October 2026", "40 days", "Load"]),
        ("registry_stale", (("registry", "uk-tps"),), ["uk-tps", "No copy", "Load"]),
        ("consent_insufficient", FULL, ["express consent given on 5 January 2026", "too weak"]),
        ("consent_insufficient", (("level", "express"), ("needed", "express")), ["lacks"]),
        ("consent_revoked", FULL, ["5 January 2026", "new consent"]),
        ("consent_missing", FULL, ["express written consent"]),
        ("missing_opt_out", FULL, ["Reply STOP to opt out"]),
        ("missing_contact", FULL, ["phone or email, postal address"]),
        ("frequency_cap", (("limit", 2), ("weeks", 1)), ["2 messages in 1 week"]),
        ("frequency_cap", (("limit", 2), ("years", 1)), ["as many messages as the law allows"]),
        ("template_mismatch", (("problem", "purpose"),), ["another purpose"]),
        ("template_mismatch", (("problem", "text"),), ["registered text"]),
        ("template_mismatch", (("problem", "url"),), ["variable url"]),
        ("sender_id_invalid", (("form", "number"),), ["form (number)", "another form"]),
        ("sender_id_invalid", (("prefix", "1-"), ("suffix", "-S")), ["1- and ends with -S"]),
        ("minor", FULL, ["13", "guardian"]),
        ("unknown_jurisdiction", (("country", ""),), ["recipient.region"]),
        ("unknown_jurisdiction", FULL, ["ZZ", "recipient.region"]),
    ],
)
def test_a_reason_names_its_particulars_and_its_cure(
    code: str, detail: Detail, words: list[str]
) -> None:
    said = sentence(ReasonCode(code), detail, until=UNTIL, zone=NEW_YORK)
    for word in words:
        assert word in said, said


@pytest.mark.parametrize(
    ("detail", "span"),
    [
        ((("business_days", 10),), "within 10 business days"),
        ((("days", 1),), "within 1 day;"),
        ((("days", 0),), "at once"),
    ],
)
def test_a_deadline_is_told_in_its_own_days(detail: Detail, span: str) -> None:
    assert span in sentence(ObligationCode.HONOUR_OPT_OUT_WITHIN, detail)
