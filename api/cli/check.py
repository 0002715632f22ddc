"""``check``: may this message go to this person?"""

import sys
from typing import Any

import click
import msgspec

from api.cli.options import ORGANISATION, has_folder, prints
from api.cli.output import Exit, Output
from api.settings import Settings

STYLES = {"allow": "bold green", "defer": "bold yellow", "deny": "bold red"}
OF_RECIPIENT = ("address", "region", "time_zone", "kind", "age")
OF_MESSAGE = ("channel", "purpose", "topic", "from", "text", "automated", "send_at")
NEEDED = ("sender", "address", "channel", "purpose")


@click.command()
@click.option("--sender", metavar="ID", help="In whose name.")
@click.option("--to", "address", metavar="ADDRESS", help="E.164 number or e-mail address.")
@click.option("--channel", metavar="CHANNEL", help="sms, email, voice, whatsapp, …")
@click.option("--purpose", metavar="PURPOSE", help="marketing, service, authentication, …")
@click.option("--region", metavar="CODE", help="Where the person is, such as US-NY.")
@click.option("--time-zone", metavar="ZONE", help="Such as America/New_York.")
@click.option("--kind", metavar="KIND", help="consumer or business.")
@click.option("--age", type=int, help="In years.")
@click.option("--topic", help="What it is about.")
@click.option("--from", "from_", metavar="SENDER_ID", help="The sender id that is shown.")
@click.option("--text", help="What it says.")
@click.option("--template", metavar="SCHEME:ID", help="The registered template that it follows.")
@click.option("--automated/--by-hand", default=None, help="Who or what dials; else automated.")
@click.option("--send-at", metavar="TIME", help="RFC 3339 with an offset; else now.")
@click.option("--discard-after", metavar="TIME", help="When it is of no use any more.")
@click.option("--reference", help="Yours; it comes back.")
@click.option("--preview", is_flag=True, default=None, help="Decide, and leave nothing on record.")
@ORGANISATION
@has_folder
@prints
def check(organisation: str | None, settings: Settings, out: Output, **fields: Any) -> Exit:
    """Decide on one message, given by options or as JSON on standard input.

    Exits with 0 if it may go now, with 1 if it may not.
    """
    from api.cli.service import OperatorService, ask

    body = _body_of(fields)

    async def decided(service: OperatorService) -> dict[str, Any]:
        return dict(await (await service.of_one()).post("/v1/checks", body))

    answer = ask(settings, decided, organisation=organisation)
    if out.for_people:
        _tell(answer, out)
    else:
        out.record(answer)
    return Exit.DONE if answer["verdict"] == "allow" else Exit.NO


def _body_of(fields: dict[str, Any]) -> dict[str, Any] | bytes:
    fields["from"] = fields.pop("from_")
    said = {name: value for name, value in fields.items() if value is not None}
    if not said:
        return _from_standard_input()
    missing = [name for name in NEEDED if name not in said]
    if missing:
        options = ", ".join("--to" if name == "address" else f"--{name}" for name in missing)
        raise click.UsageError(f"these are missing: {options}")
    message = {name: said[name] for name in (*OF_MESSAGE, "discard_after") if name in said}
    if "template" in said:
        scheme, _, template = said["template"].partition(":")
        message["template"] = {"scheme": scheme, "id": template}
    body: dict[str, Any] = {
        name: said[name] for name in ("sender", "reference", "preview") if name in said
    }
    recipient = {name: said[name] for name in OF_RECIPIENT if name in said}
    return {**body, "recipient": recipient, "message": message}


def _from_standard_input() -> bytes:
    if sys.stdin.isatty():
        raise click.UsageError("say which message: by options, or as JSON on standard input")
    body = sys.stdin.buffer.read()
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"standard input holds no JSON: {error}") from None
    return body


def _tell(answer: dict[str, Any], out: Output) -> None:
    verdict = answer["verdict"]
    until = {"allow": answer["valid_until"], "defer": answer["not_before"]}.get(verdict)
    words = {"allow": "until", "defer": "until"}.get(verdict, "")
    out.say(f"{verdict} {words} {until}" if until else verdict, style=STYLES[verdict])
    out.say(
        f"asked: {', '.join(answer['jurisdictions'])}; on record as {answer['id'] or 'nothing'}"
    )
    if answer["forecast"]:
        out.say("A forecast: there is no permit yet, ask again when it is to go.")
    for reason in answer["reasons"]:
        out.say(f"\n{reason['effect']}: {reason['detail']}")
        doubt = "" if reason["certainty"] == "verified" else f", {reason['certainty']}"
        out.say(f"  {reason['code']} · {reason['cite']}{doubt} · {reason['rule']}", style="dim")
    for duty in answer["obligations"] if verdict != "deny" else ():
        out.say(f"\nto do: {duty['detail']}")
        out.say(f"  {duty['code']} · {duty['cite']} · {duty['rule']}", style="dim")
