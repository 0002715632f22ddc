"""``rules``: what the law says here, whether it is whole, and what a change of it changes."""

from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.cli.decisions.replay import ROWS_SHOWN, SINCE, UNTIL
from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Exit, Output
from api.settings import Settings

if TYPE_CHECKING:
    from jurisdictions.comparison import Change
    from jurisdictions.mutation import Score
    from jurisdictions.releases import Release

FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
DAY = click.DateTime(["%Y-%m-%d"])


@click.group()
def rules() -> None:
    """The law that this version ships, or that of a folder of regulation files."""


@rules.command()
@click.argument("regulation")
@click.option("--at", type=DAY, help="As in force on that day; else today.")
@prints
def show(regulation: str, at: datetime | None, out: Output) -> None:
    """Write REGULATION out as a person reads it."""
    from jurisdictions.reading import text_of
    from jurisdictions.releases import bundled_release

    known = {one.head.id: one for one in bundled_release().regulations}
    if regulation not in known:
        raise click.UsageError(f"there is no {regulation}; there are: {', '.join(sorted(known))}")
    on = _day(at)
    text = text_of(known[regulation], on)
    if out.for_people:
        from rich.markdown import Markdown

        out.say(Markdown(text))
    else:
        out.record({"regulation": regulation, "at": on, "text": text})


@rules.command()
@click.argument("folder", required=False, type=FOLDER)
@click.option("--at", type=DAY, help="As the law stands on that day; else today.")
@click.option(
    "--coverage",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    metavar="FILE",
    help="Write what the law asks, country by channel by purpose, as Markdown.",
)
@click.option(
    "--mutants",
    is_flag=True,
    help="Move every parameter by one step, and see whether a bundled scenario falls short.",
)
@click.option(
    "--at-least",
    type=click.FloatRange(0, 1),
    default=0.9,
    show_default=True,
    help="The share of mutants that has to be caught.",
)
@prints
def check(
    folder: Path | None,
    *,
    at: datetime | None,
    coverage: Path | None,
    mutants: bool,
    at_least: float,
    out: Output,
) -> Exit:
    """Look for what is wrong with the law here, or with that in FOLDER.

    Gaps, duplicates, places that do not exist. Exits with 1 if anything is found.
    """
    from jurisdictions.errors import RegulationFileError
    from jurisdictions.loader import DATA
    from jurisdictions.releases import bundled_release

    root = folder or DATA
    try:
        release = bundled_release(root)
    except RegulationFileError as error:
        file, _, detail = error.detail.partition(": ")
        _tell_faults([{"place": file, "detail": detail}], out)
        return Exit.NO
    found = _faults_of(release, _day(at))
    _tell_faults(found, out)
    if coverage is not None:
        _write_coverage(release, _day(at), coverage)
    if not mutants:
        return Exit.NO if found else Exit.DONE
    scored = _score_of(release, root, out)
    _tell_score(scored, out)
    return Exit.NO if found or scored.share < at_least else Exit.DONE


@rules.command()
@click.argument("before", type=FOLDER)
@click.argument("after", type=FOLDER)
@click.option("--at", type=DAY, help="As the law stands on that day; else today.")
@prints
def diff(before: Path, after: Path, at: datetime | None, out: Output) -> None:
    """Say which messages the law in folder AFTER answers differently from that in BEFORE."""
    from jurisdictions.comparison import changes, rule_changes
    from jurisdictions.releases import bundled_release

    old, new = bundled_release(before), bundled_release(after)
    moved: list[dict[str, object]] = [
        {"record": "rule", "rule": rule, "change": how} for rule, how in rule_changes(old, new)
    ]
    if out.for_people:
        out.say(f"rules: {len(moved) or 'the same'}", style="bold")
    if moved or not out.for_people:
        out.show_many(moved, ("rule", "change"))
    found = list(changes(old, new, _day(at)))
    columns = ("country", "channel", "purpose", "situation", "before", "after", "reasons")
    for looser, title in ((False, "stricter"), (True, "looser")):
        records = [_change_of(change) for change in found if change.is_looser is looser]
        if out.for_people:
            style = "bold yellow" if looser and records else "bold"
            out.say(f"{title}: {len(records) or 'nothing'}", style=style)
        if records or not out.for_people:
            out.show_many(records, columns)


@rules.command()
@click.argument("folder", type=FOLDER)
@SINCE
@UNTIL
@ORGANISATION
@has_folder
@prints
def simulate(
    folder: Path,
    *,
    since: datetime,
    until: datetime | None,
    organisation: str | None,
    settings: Settings,
    out: Output,
) -> None:
    """Say which recorded decisions would be others under the law in FOLDER.

    On the facts on record, stricter ones and looser ones, and how many. Changes nothing; a
    service may go on running.
    """
    from api.operations.replays.past_checks import past_decisions, simulate_past
    from audit.simulate import Counts
    from jurisdictions.releases import bundled_release

    release, counts = bundled_release(folder), Counts()
    rows: list[dict[str, object]] = []
    with past_decisions(settings, since=since, until=until, organisation=organisation) as past:
        done = 0
        with out.progress("Decisions", past.total) as step:

            def progress(more: int) -> None:
                nonlocal done
                done += more
                step(done)

            for turned in simulate_past(past, release, counts, progress=progress):
                if not out.for_people:
                    out.record(turned)
                elif turned["way"] != "otherwise" and len(rows) < ROWS_SHOWN:
                    rows.append(turned)
    if rows:
        out.show_many(rows, ("id", "way", "before", "after", "reasons"))
    out.show(asdict(counts))


@rules.command()
@prints
def schema(out: Output) -> None:
    """Print the JSON Schema of a regulation file, for editors."""
    import msgspec

    from jurisdictions.format import RegulationFile

    made = msgspec.json.schema(RegulationFile)
    if out.for_people:
        out.say(msgspec.json.format(msgspec.json.encode(made)).decode())
    else:
        out.record(made)


def _day(at: datetime | None) -> date:
    from api.clock import SystemClock

    return (at or SystemClock().now()).date()


def _faults_of(release: "Release", on: date) -> list[dict[str, object]]:
    from jurisdictions.static_checks import faults

    return [{"place": fault.place, "detail": fault.detail} for fault in faults(release, on)]


def _tell_faults(found: list[dict[str, object]], out: Output) -> None:
    if not out.for_people:
        for fault in found:
            out.record({"record": "fault", **fault})
        return
    if found:
        out.show_many(found, ("place", "detail"))
    out.say(f"{len(found) or 'no'} faults", style="bold red" if found else "bold green")


def _write_coverage(release: "Release", on: date, file: Path) -> None:
    from jurisdictions.coverage import document

    file.write_text(document(release, on), encoding="utf-8")


def _score_of(release: "Release", root: Path, out: Output) -> "Score":
    from api.cli.scenarios import read
    from jurisdictions.mutation import score

    scenarios = read(())
    with out.progress("regulations", len(release.regulations)) as step:
        return score(release, scenarios, root=root, progress=lambda done, _: step(done))


def _tell_score(scored: "Score", out: Output) -> None:
    survivors: list[dict[str, object]] = [
        {
            "place": f"{mutant.file}:{mutant.line}",
            "rule": mutant.rule,
            "parameter": mutant.path,
            "was": mutant.was,
            "now": mutant.now,
        }
        for mutant in scored.survivors
    ]
    total = scored.caught + len(survivors)
    if not out.for_people:
        for survivor in survivors:
            out.record({"record": "survivor", **survivor})
        counts = {"caught": scored.caught, "total": total, "share": round(scored.share, 4)}
        out.record({"record": "score", **counts})
        return
    if survivors:
        out.show_many(survivors, ("place", "rule", "parameter", "was", "now"))
    out.say(f"{scored.caught} of {total} mutants caught, {scored.share:.1%}", style="bold")


def _change_of(change: "Change") -> dict[str, Any]:
    # A stricter answer says why by its own reasons, a looser one by those that are gone.
    telling = change.before if change.is_looser else change.after
    return {
        "record": "change",
        "direction": "looser" if change.is_looser else "stricter",
        "country": change.country,
        "channel": change.channel,
        "purpose": change.purpose,
        "situation": change.situation,
        "before": change.before.verdict,
        "after": change.after.verdict,
        "reasons": list(dict.fromkeys(finding.provision.rule for finding in telling.findings)),
    }
