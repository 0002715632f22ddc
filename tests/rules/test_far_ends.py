"""Spans of time whose ends lie beyond the calendar."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from rules.compiled.routes import lapse_on
from rules.periods import FAR_OFF, Period, Unit, anniversary_of, lapse_of

ZONES = (ZoneInfo("Pacific/Kiritimati"), ZoneInfo("Pacific/Pago_Pago"))


@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("year", [1900, 2026, 8999, 9000, 9999])
def test_whoever_writes_9999_means_never_and_breaks_nothing(unit: Unit, year: int) -> None:
    since = datetime(year, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    lapse = lapse_of(since, Period(36, unit), ZONES)
    assert lapse > since or lapse == FAR_OFF
    assert lapse_on(since, Period(36, unit), ZONES) == lapse
    if unit in (Unit.DAYS, Unit.MONTHS):
        assert anniversary_of(since, Period(36, unit), ZONES) <= lapse
