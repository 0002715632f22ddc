"""Rule kinds that ask something of the sender and refuse no message."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from rules.facts import Facts, Message, Recipient, Sender
from rules.kinds.duties import RecordKeeping
from rules.rule import Case
from rules.vocabulary import Channel, ObligationCode, Purpose

AT = datetime.fromisoformat("2026-11-20T12:00:00+00:00")
CASE = Case(
    Facts(
        sender=Sender(name="Acme", country="XA", jurisdictions=("XA",)),
        recipient=Recipient(
            key="1", country="XA", jurisdictions=("XA",), time_zones=(ZoneInfo("Etc/UTC"),)
        ),
        message=Message(channel=Channel.SMS, purpose=Purpose.MARKETING, send_at=AT),
    ),
    AT,
)


@pytest.mark.parametrize(("months", "detail"), [(36, (("months", 36),)), (None, ())])
def test_records_are_kept_so_long_or_as_long_as_they_are_relied_on(
    months: int | None, detail: tuple[tuple[str, int], ...]
) -> None:
    (owed,) = RecordKeeping(months=months).obligations(CASE)
    assert owed.code is ObligationCode.KEEP_RECORD
    assert owed.detail == detail
