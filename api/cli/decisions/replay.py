"""``replay``: do the decisions of a stretch of time still come to what they came to?"""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Exit, Output
from api.settings import Settings

if TYPE_CHECKING:
    from api.operations.replays.one_check import ReplayAnswer
    from api.operations.replays.past_checks import Gone

COLUMNS = ("id", "before", "after", "differed", "reasons")
ROWS_SHOWN = 1000
"""A table of more is read by nobody; JSON has them all."""

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


class InstantOption(click.ParamType[datetime]):
    """An instant with its offset, or a date, which begins in UTC."""

    name = "instant"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read it, or refuse it."""
        if isinstance(value, datetime):
            return value
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail("write a date, or an instant such as 2026-11-01T00:00:00Z", param, ctx)
        if at.tzinfo is None and len(str(value)) > len("2026-11-01"):
            self.fail("an instant needs its offset: 2026-11-01T00:00:00Z", param, ctx)
        return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


SINCE = click.option(
    "--since", type=InstantOption(), required=True, metavar="T", help="From then on."
)
UNTIL = click.option(
    "--until", type=InstantOption(), metavar="T", help="Until before then; else to the end."
)


@click.command()
@SINCE
@UNTIL
@click.option(
    "--law",
    "folders",
    multiple=True,
    type=FOLDER,
    metavar="FOLDER",
    help="Regulation files of another release, for decisions made under it. Again for more.",
)
@ORGANISATION
@has_folder
@prints
def replay(
    *,
    since: datetime,
    until: datetime | None,
    folders: tuple[Path, ...],
    organisation: str | None,
    settings: Settings,
    out: Output,
) -> Exit:
    """Make the decisions since T again, from the logs as they then stood.

    Names each that differs, what was not as then, and what that changed. A service may go on
    running. Exits with 1 if any differs; those of erased persons are counted, not made again.
    """
    from api.operations.replays.past_checks import Gone, past_decisions, replay_past
    from jurisdictions.releases import bundled_release

    releases = [bundled_release(), *map(bundled_release, folders)]
    counts: Counter[str] = Counter(replayed=0, same=0, differed=0, verdicts_changed=0, gone=0)
    rows: list[dict[str, object]] = []
    with past_decisions(settings, since=since, until=until, organisation=organisation) as past:
        done = 0
        with out.progress("Decisions", past.total) as step:

            def progress(more: int) -> None:
                nonlocal done
                done += more
                step(done)

            for answer in replay_past(past, releases=releases, progress=progress):
                _count(answer, counts)
                if isinstance(answer, Gone) or answer.same:
                    continue
                if not out.for_people:
                    out.record(answer)
                elif len(rows) < ROWS_SHOWN:
                    rows.append(_row_of(answer))
    if rows:
        out.show_many(rows, COLUMNS)
    out.show(dict(counts))
    return Exit.NO if counts["differed"] else Exit.DONE


def _count(answer: "ReplayAnswer | Gone", counts: Counter[str]) -> None:
    from api.operations.replays.past_checks import Gone

    if isinstance(answer, Gone):
        counts["gone"] += 1
        return
    counts["replayed"] += 1
    counts["same" if answer.same else "differed"] += 1
    counts["verdicts_changed"] += answer.before.verdict is not answer.after.verdict


def _row_of(answer: "ReplayAnswer") -> dict[str, object]:
    changed = answer.changed
    came = [f"+{one['code']}" for one in changed.reasons_added]
    went = [f"-{one['code']}" for one in changed.reasons_removed]
    return {
        "id": answer.id,
        "before": answer.before.verdict.value,
        "after": answer.after.verdict.value,
        "differed": [one.what.value for one in answer.differed],
        "reasons": [*came, *went],
    }
