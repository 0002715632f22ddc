"""``verify``: an export bundle, offline, by the very file that lies in it."""

from pathlib import Path

import click

from api.cli.options import prints
from api.cli.output import Exit, Output


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--key",
    "keys",
    metavar="PUBLIC",
    multiple=True,
    help="The operator's public key of a log, or a file of them. Without it, the bundle's own.",
)
@click.option(
    "--checkpoint",
    "notes",
    metavar="NOTE",
    multiple=True,
    help="A checkpoint of a log that you kept: the bundle must begin with what it signed.",
)
@prints
def verify(bundle: Path, keys: tuple[str, ...], notes: tuple[str, ...], out: Output) -> Exit:
    """Verify BUNDLE, a zip file from an export, with no access to the service.

    Exit code 0: genuine, 1: damage was found and each is named, 3: it could not be read.
    """
    from audit.verify import main

    given = [argument for key in keys for argument in ("--key", key)]
    given += [argument for note in notes for argument in ("--checkpoint", note)]
    # The file decides by itself whether people read; --json forces it in the same way.
    forced = [] if out.for_people else ["--json"]
    return Exit(main([*given, *forced, "--", str(bundle)]))
