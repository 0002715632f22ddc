"""``scenarios``: messages with the verdict that the law asks for, each by the whole path."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.options import prints
from api.cli.output import Exit, Output, say_error

if TYPE_CHECKING:
    from jurisdictions.scenario_files import Scenario
    from jurisdictions.scenario_runs import Outcome


@click.command()
@click.argument("paths", nargs=-1, metavar="PATH…", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--database-url",
    metavar="URL",
    help="Run them on this PostgreSQL database; nothing of them stays there.",
)
@prints
def scenarios(paths: tuple[Path, ...], database_url: str | None, out: Output) -> Exit:
    """Run scenario files, or folders of them; without a PATH those that ship with this version.

    Each runs through the whole path of a check, on a database of its own, with the clock set to
    the time of each event. Exits with 1 if any falls short.
    """
    from api.operations.run_scenarios import run_scenarios
    from jurisdictions.releases import bundled_release

    found = read(paths)
    short: list[Outcome] = []
    with out.progress("scenarios", len(found)) as step:
        ran = run_scenarios(found, release=bundled_release(), database_url=database_url)
        for done, outcome in enumerate(ran, start=1):
            if not out.for_people:
                out.record(_record_of(outcome))
            if not outcome.passed:
                short.append(outcome)
            step(done)
    if out.for_people:
        _tell(found, short, out)
    else:
        for outcome in short:
            say_error(f"{outcome.scenario.id}: {'; '.join(outcome.shortfalls)}")
    return Exit.NO if short else Exit.DONE


def read(paths: tuple[Path, ...]) -> "list[Scenario]":
    """Read files and folders, or the bundled ones."""
    from jurisdictions.scenario_files import BUNDLED, read_folder, read_scenarios

    found: list[Scenario] = []
    for path in paths or (BUNDLED,):
        if path.is_dir():
            found += (one for file in read_folder(path).values() for one in file)
        else:
            found += read_scenarios(path)
    return found


def _record_of(outcome: "Outcome") -> dict[str, Any]:
    return {
        "id": outcome.scenario.id,
        "pass": outcome.passed,
        "verdict": outcome.verdict,
        "not_before": outcome.not_before,
        "reasons": outcome.reasons,
        "obligations": outcome.obligations,
    }


def _tell(found: "list[Scenario]", short: "list[Outcome]", out: Output) -> None:
    rows: list[dict[str, object]] = [
        {
            "scenario": outcome.scenario.id,
            "falls short": "\n".join(outcome.shortfalls),
            "source": outcome.scenario.source,
        }
        for outcome in short
    ]
    if rows:
        out.show_many(rows, ("scenario", "falls short", "source"))
        out.say()
    style = "bold red" if short else "bold green"
    out.say(f"{len(found) - len(short)} of {len(found)} scenarios pass", style=style)
