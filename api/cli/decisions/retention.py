"""``retention``: for how long decisions are kept, and letting go of those that have outlived it."""

from typing import Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Output
from api.settings import Settings

COLUMNS = ("month", "due", "kept_until", "held_until", "held_by", "expired_at")
FOR_GOOD = "for-good"


@click.group()
def retention() -> None:
    """How long decisions are kept, and letting go of those that have outlived it."""


@retention.command()
@ORGANISATION
@has_folder
@prints
def show(organisation: str | None, settings: Settings, out: Output) -> None:
    """The setting in force, and what it and the laws say of each month. Changes nothing."""
    from api.cli.service import OperatorService, ask

    async def looked(service: OperatorService) -> None:
        one = await service.of_one()
        setting = await one.get("/v1/retention")
        _tell(setting, await _months(one, setting, out, dry_run=True), out)

    ask(settings, looked, organisation=organisation)


@retention.command("set")
@click.option(
    "--decisions",
    required=True,
    metavar="MONTHS",
    help=f"Whole months that decisions are kept after their own; {FOR_GOOD} ends that.",
)
@ORGANISATION
@has_folder
@prints
def set_(decisions: str, organisation: str | None, settings: Settings, out: Output) -> None:
    """Set for how long decisions are kept. No month goes sooner than a law permits."""
    from api.cli.service import OperatorService, ask

    if decisions != FOR_GOOD and not (decisions.isascii() and decisions.isdecimal()):
        raise click.UsageError(f"--decisions takes a number of months, or {FOR_GOOD}")
    body = {"decision_months": None if decisions == FOR_GOOD else int(decisions)}

    async def put(service: OperatorService) -> dict[str, Any]:
        one = await service.of_one()
        return dict(await one.put("/v1/retention", body))

    out.show(_setting_of(ask(settings, put, organisation=organisation)))


@retention.command()
@click.option("--yes", is_flag=True, help="Do it. Without this, only say what would be done.")
@ORGANISATION
@has_folder
@prints
def apply(*, yes: bool, organisation: str | None, settings: Settings, out: Output) -> None:
    """Let go of every month that is due, for good. Without --yes a dry run.

    A running service does the same every hour.
    """
    from api.cli.service import OperatorService, ask

    async def applied(service: OperatorService) -> None:
        one = await service.of_one()
        setting = await one.get("/v1/retention")
        _tell(setting, await _months(one, setting, out, dry_run=not yes), out)

    ask(settings, applied, organisation=organisation)


async def _months(
    service: Any, setting: dict[str, Any], out: Output, *, dry_run: bool
) -> list[dict[str, Any]]:
    told = []
    with out.progress("Months", len(setting["months"])) as step:
        for done, month in enumerate(setting["months"], start=1):
            body = {"month": month, "dry_run": dry_run}
            told.append(await service.post("/v1/retention/months", body))
            step(done)
    return told


def _setting_of(setting: dict[str, Any]) -> dict[str, Any]:
    longest = setting["longest_duty"]
    return {
        "decision_months": setting["decision_months"],
        "since": setting["since"],
        "longest_duty": None if longest is None else f"{longest['months']} ({longest['cite']})",
    }


def _tell(setting: dict[str, Any], months: list[dict[str, Any]], out: Output) -> None:
    if not out.for_people:
        out.record(_setting_of(setting))
        for month in months:
            out.record(month)
        return
    out.show(_setting_of(setting))
    rows: list[dict[str, object]] = [
        {**month, "held_by": None if month["held_by"] is None else month["held_by"]["cite"]}
        for month in months
    ]
    if rows:
        out.show_many(rows, COLUMNS)
