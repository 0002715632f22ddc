"""The list of commands, and what becomes of an error: one clear line and an exit code."""

import os
import sys
import traceback
from collections.abc import Sequence

import click

from api.cli.access import access
from api.cli.check import check
from api.cli.database_role import database_role
from api.cli.decisions.replay import replay
from api.cli.decisions.retention import retention
from api.cli.erase import erase
from api.cli.export import export
from api.cli.init import init
from api.cli.keys import keys
from api.cli.ledger import ledger
from api.cli.organisations import organisations
from api.cli.output import Exit, say_error
from api.cli.propagation import propagation
from api.cli.registries import registries
from api.cli.rules import rules
from api.cli.scenarios import scenarios
from api.cli.serve import serve
from api.cli.verify import verify
from rules.errors import ComplianceError

NAME = "cleartosend"
_WRONG_USE_STATUSES = frozenset({400, 404, 413, 415})
_UNREADABLE = "registry_file_error"


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name=NAME)
def cleartosend() -> None:
    """May this message go to this person, now?

    On a terminal commands print tables, elsewhere or with --json a JSON record a line. Exit codes:
    0 done, 1 the answer is no, 2 wrong use, 3 could not do it.
    """


for _command in (
    init,
    serve,
    organisations,
    keys,
    check,
    scenarios,
    registries,
    rules,
    ledger,
    erase,
    replay,
    retention,
    export,
    access,
    propagation,
    verify,
    database_role,
):
    cleartosend.add_command(_command)


def main() -> None:
    """Run the command that this process was started for."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command, and give its exit code. What goes wrong is told on standard error."""
    try:
        answer = cleartosend.main(args=list(arguments), prog_name=NAME, standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return Exit.WRONG_USE
    except (click.Abort, KeyboardInterrupt):
        say_error(f"{NAME}: stopped")
        return Exit.FAILED
    except (BrokenPipeError, SystemExit):
        # Click ends the process by itself when a pipe breaks, and with another code than ours.
        # Who read has gone; what Python still wants to write at its end must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    except Exception as error:
        return _told(error)
    return int(answer or Exit.DONE)


def _told(error: Exception) -> Exit:
    from api.cli.service import RefusedError
    from api.errors import SettingsError

    if isinstance(error, RefusedError):
        say_error(f"{NAME}: " + "\n".join(error.lines))
        is_wrong_use = error.status in _WRONG_USE_STATUSES and error.code != _UNREADABLE
        return Exit.WRONG_USE if is_wrong_use else Exit.FAILED
    if isinstance(error, ComplianceError):
        say_error(f"{NAME}: {error.detail}")
        return Exit.WRONG_USE if isinstance(error, SettingsError) else Exit.FAILED
    if isinstance(error, OSError):
        where = f"{error.filename}: " if error.filename else ""
        say_error(f"{NAME}: {where}{error.strerror or error}")
        return Exit.FAILED
    traceback.print_exception(error)
    return Exit.FAILED
