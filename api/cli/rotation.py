"""``keys rotate``, ``keys renew`` and ``keys destroy``: the keys of what is on record."""

from typing import Any

import click

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Output
from api.settings import Settings


@click.command()
@click.option("--index", "is_index", is_flag=True, help="The keys of the index of addresses.")
@click.option("--log", "is_log", is_flag=True, help="The keys that sign the logs.")
@click.option("--root", "is_root", is_flag=True, help="The root key; nothing may be running.")
@click.option(
    "--to",
    metavar="PLACE",
    help="With --root: where the new one is kept, as the setting root_key says it.",
)
@ORGANISATION
@has_folder
@prints
def rotate(
    *,
    is_index: bool,
    is_log: bool,
    is_root: bool,
    to: str | None,
    organisation: str | None,
    settings: Settings,
    out: Output,
) -> None:
    """Put newer keys in the place of older ones, and destroy those.

    Without options: the organisation's keys, monthly. Only then is an erasure complete in old
    backups too. May be broken off and done again at any time. With --log, checkpoints bear both
    signatures, of the new key and of the one before, until the next rotation.
    """
    if sum((is_index, is_log, is_root)) > 1 or (to is not None and not is_root):
        raise click.UsageError(
            "--index, --log and --root exclude each other, and --to goes with --root"
        )
    if is_root:
        out.show({"root_key_id": _rotate_root(settings, to)})
        return
    from api.cli.service import OperatorService, ask

    what = "index" if is_index else "log" if is_log else "organisation"

    async def rotated(service: OperatorService) -> dict[str, Any]:
        one = await service.of_one()
        answer = dict(await one.post("/v1/keys/rotation", {"what": what}))
        done, unreadable = answer["done"], answer["unreadable"]
        with out.progress("persons", answer["total"]) as step:
            step(done)
            while answer["cursor"] is not None:
                body = {"what": what, "version": answer["version"], "cursor": answer["cursor"]}
                answer = dict(await one.post("/v1/keys/rotation", body))
                done += answer["done"]
                unreadable += answer["unreadable"]
                step(done)
        return {
            "version": answer["version"],
            "persons": done,
            "unreadable": unreadable,
            "destroyed": [_named(key) for key in answer["destroyed"]],
            "kept": [_named(key) for key in answer["kept"]],
        }

    out.show(ask(settings, rotated, organisation=organisation))


@click.command()
@click.option("--address", prompt="Address", help="Whose; better typed when asked.")
@ORGANISATION
@has_folder
@prints
def renew(address: str, organisation: str | None, settings: Settings, out: Output) -> None:
    """Give a person a new data key, when the old one is under suspicion."""
    from api.cli.service import OperatorService, ask

    async def renewed(service: OperatorService) -> dict[str, Any]:
        one = await service.of_one()
        return dict(await one.post("/v1/subjects/renew-key", {"address": address}))

    out.show(ask(settings, renewed, organisation=organisation))


@click.command()
@click.option(
    "--decisions", "month", required=True, metavar="YYYY-MM", help="The month whose key goes."
)
@ORGANISATION
@has_folder
@prints
def destroy(month: str, organisation: str | None, settings: Settings, out: Output) -> None:
    """End the retention of a month's decisions, for good: nobody reads them any more."""
    from api.cli.service import OperatorService, ask

    async def destroyed(service: OperatorService) -> dict[str, Any]:
        one = await service.of_one()
        body = {"kind": "decision", "month": month}
        answer = dict(await one.post("/v1/keys/destruction", body))
        return {"destroyed": [_named(key) for key in answer["destroyed"]]}

    out.show(ask(settings, destroyed, organisation=organisation))


def _rotate_root(settings: Settings, to: str | None) -> str:
    import msgspec

    from api.data_folder import DataFolder, hold
    from consent.keys.rotate_root import rotate_root

    folder = DataFolder(settings.data)
    folder.require()
    old = settings.root_key_place()
    new_settings = msgspec.structs.replace(settings, root_key=to or settings.root_key)
    new = new_settings.root_key_place()
    if new.path == old.path:
        new = new_settings.root_key_place(is_next=True)
    with hold(folder):
        return rotate_root(old, new, folder.root)


def _named(key: dict[str, Any]) -> str:
    return f"{key['kind']} {key['version']}"
