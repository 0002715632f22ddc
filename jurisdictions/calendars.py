"""Public holidays, fixed and movable, by country and region."""

from collections.abc import Callable, Collection
from datetime import date

HolidayCalendar = Callable[[date, str | None], bool]
"""Is this local date a holiday there? The text is the recipient's ISO 3166-2 region, or None."""


def holiday_calendar(
    country: str,
    *,
    subdivision: str | None = None,
    categories: Collection[str] = ("public",),
    observed: bool = False,
    by_region: bool = False,
    only: Collection[str] | None = None,
) -> HolidayCalendar:
    """A calendar that works out a year when it is first asked for it.

    ``subdivision`` (ISO 3166-2) fixes one region's holidays; ``by_region`` takes those of the
    recipient's region where it is known. ``only`` limits to holidays of these English names.
    """
    raise NotImplementedError
