"""``ledger``: is what is on record still what was recorded?"""

from typing import Any

import click
import msgspec

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Exit, Output
from api.settings import Settings


@click.group()
def ledger() -> None:
    """The logs themselves: look them through, rebuild from them, see what is signed."""


@ledger.command()
@click.option(
    "--tail", type=click.IntRange(min=0), metavar="N", help="Only the last N entries of each log."
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    metavar="N",
    help="How many share the work; by itself one a processor, up to 4.",
)
@ORGANISATION
@has_folder
@prints
def fsck(
    tail: int | None,
    processes: int | None,
    organisation: str | None,
    settings: Settings,
    out: Output,
) -> Exit:
    """Recompute every log, and name each damage by log and index.

    Leaves, tiles, heads, checkpoints, the vault, each person's chain, payloads, standings and
    suppressions. A service may go on running. Exits with 1 if anything is damaged.
    """
    from api.operations.upkeep.check_ledger import inspection

    found = 0
    look_through = inspection(settings, organisation=organisation, tail=tail, processes=processes)
    with look_through as look:
        done = 0
        with out.progress("Entries and persons", look.total) as step:

            def progress(more: int) -> None:
                nonlocal done
                done += more
                step(done)

            for damage in look.damages(progress):
                found += 1
                if out.for_people:
                    place = "" if damage.index is None else f" at {damage.index}"
                    where = f"{damage.organisation or 'ledger'} {damage.log or ''}{place}"
                    out.say(f"{where}: {damage.kind}: {damage.detail}", style="bold red")
                else:
                    out.record(damage)
    expired = [
        {"organisation": one, "month": ended.month, "at": ended.at, "index": ended.index}
        for one, of_one in look.expired.items()
        for ended in of_one
    ]
    if out.for_people:
        for ended in expired:
            told = f"decisions of {ended['month']}: destroyed by retention at {ended['at']}"
            out.say(f"{ended['organisation']} decisions at {ended['index']}: {told}")
        style = "bold red" if found else "bold green"
        out.say(f"{done} entries and persons looked at; damages: {found or 'none'}", style=style)
    else:
        out.record({"done": done, "damages": found, "expired": expired})
    return Exit.NO if found else Exit.DONE


@ledger.command()
@ORGANISATION
@has_folder
@prints
def rebuild(organisation: str | None, settings: Settings, out: Output) -> Exit:
    """Write standings, suppressions and reviews anew from the log.

    Nothing is made looser by it. Stop the service first. Exits with 1 if entries of somebody
    cannot be read, so that their standing stays as it is.
    """
    from api.clock import SystemClock
    from api.operations.upkeep.check_ledger import inspection, rebuild_ledger

    done = 0
    with inspection(settings, organisation=organisation, tail=None) as look:
        total = look.total
    with out.progress("Entries and persons", total) as step:

        def progress(more: int) -> None:
            nonlocal done
            done += more
            step(done)

        rebuilt = rebuild_ledger(
            settings, now=SystemClock().now(), progress=progress, organisation=organisation
        )
    columns = (
        "organisation",
        "subjects",
        "standings",
        "suppressions",
        "reviews",
        "unreadable",
    )
    out.show_many([msgspec.to_builtins(one) for one in rebuilt], columns)
    return Exit.NO if any(one.unreadable for one in rebuilt) else Exit.DONE


@ledger.command()
@ORGANISATION
@has_folder
@prints
def checkpoint(organisation: str | None, settings: Settings, out: Output) -> None:
    """Print the last signed checkpoint of each log, to be kept where this machine cannot reach."""
    from api.cli.service import OperatorService, ask

    async def signed(service: OperatorService) -> list[dict[str, Any]]:
        if organisation is not None:
            return await _notes(service, organisation)
        known = [item["id"] async for item in service.all_of("/v1/organisations")]
        return [note for one in known for note in await _notes(service.of(one), one)]

    for record in ask(settings, signed, organisation=organisation):
        if out.for_people:
            out.say(record["note"])
        else:
            out.record(record)


@ledger.command()
@click.option("--reason", required=True, metavar="TEXT", help="Why; it is sealed in the log.")
@has_folder
@prints
def fork(reason: str, settings: Settings, out: Output) -> None:
    """Go on from a database that is not the one that was signed last.

    Each log that does not fit the vault gets a new origin, with the old checkpoint in its first
    leaf. Whoever holds older checkpoints or receipts will see that. Restore a newer copy instead
    if there is one.
    """
    from api.clock import SystemClock
    from api.operations.upkeep.fork_ledger import fork_ledger

    forked = fork_ledger(settings, reason=reason, now=SystemClock().now())
    columns = ("organisation", "log", "origin", "index", "why")
    out.show_many([msgspec.to_builtins(one) for one in forked], columns)


async def _notes(service: Any, organisation: str) -> list[dict[str, Any]]:
    logs = (await service.get("/v1/logs"))["items"]
    return [
        {
            "organisation": organisation,
            "log": one["log"],
            "size": one["signed_size"],
            "note": await service.text(f"/v1/logs/{one['log']}/checkpoint"),
            "verifier_keys": one["verifier_keys"],
        }
        for one in logs
        if one["signed_size"] is not None
    ]
