"""``serve``: run the service; on a machine that has none yet, as a trial that can be asked."""

import click
import msgspec

from api.cli.folders import SAMPLE_SENDER, Founded
from api.cli.options import DATA, DATABASE_URL, prints
from api.cli.output import Output
from api.settings import Settings

SAMPLE_CHECK = {
    "sender": SAMPLE_SENDER,
    "recipient": {"address": "ada@example.com", "region": "US-NY"},
    "message": {"channel": "email", "purpose": "marketing"},
}
"""May go at any hour to whom nobody has heard of: e-mail within the United States."""


@click.command()
@DATA
@DATABASE_URL
@click.option("--host", help="The address to listen on. Also CLEARTOSEND_HOST; else 127.0.0.1.")
@click.option("--port", help="The port. Also CLEARTOSEND_PORT; else 8000.")
@click.option("--workers", help="Processes; more than one needs PostgreSQL.")
@prints
def serve(out: Output, **options: str | None) -> None:
    """Run the service until it is told to stop.

    Where there is no data folder yet it makes one for a trial: an organisation, the sample sender
    `acme`, and a key that holds until the next start.
    """
    from api.cli.folders import start_trial
    from api.serving import serve as serve_until_stopped

    settings = Settings.from_environment(options=options)
    trial = start_trial(settings)

    def started(address: str, read_only: str | None) -> None:
        announce(out, address, trial, read_only=read_only)

    serve_until_stopped(settings, on_start=started)


def announce(
    out: Output, address: str, trial: Founded | None, *, read_only: str | None = None
) -> None:
    """Say where it answers, how to ask it, and why it writes nothing if so."""
    if not out.for_people:
        started: dict[str, object] = {"address": address}
        if read_only is not None:
            started["read_only"] = read_only
        if trial is not None:
            started |= {
                "organisation": trial.organisation,
                "key": trial.admin_key,
                "curl": curl_of(address, trial.admin_key),
            }
        out.record(started)
        return
    out.say(f"\nClear to Send answers at {address}", style="bold")
    if read_only is not None:
        out.say(read_only, style="bold red")
    elif trial is None:
        out.say("Make a key with: cleartosend keys create --role sender --person NAME")
    else:
        out.say(f"\nA key for this start:\n\n    KEY={trial.admin_key}\n")
        out.say("May this message go, now? Paste this into a second terminal:\n")
        out.say(f"    {curl_of(address, trial.admin_key)}\n")
    out.say("Ctrl-C stops it.\n", style="dim")


def curl_of(address: str, key: str) -> str:
    """A command that asks about the sample message, whole on one line."""
    body = msgspec.json.encode(SAMPLE_CHECK).decode()
    return (
        f"curl -s {address}/v1/checks -H 'Authorization: Bearer {key}' "
        f"-H 'Content-Type: application/json' -d '{body}'"
    )
