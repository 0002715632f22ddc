"""The preference page: what one sender may send by which channel, and how to turn it off.

It only turns off. Turning on again is a grant, which needs its own words and evidence under nearly
every law, so it is for the sender to ask for. After some months a link shows no more what is on
record, for mail is passed on and mailboxes change hands; it stops messages for good.
"""

from urllib.parse import parse_qs

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template
from sqlalchemy import Connection

from api.call import Call
from api.errors import BodyTooLargeError
from api.operations.read_preferences import Preferences, read_preferences
from api.public.languages import Language, Texts
from api.public.pages import fill_plain, language_of, masked, page
from api.public.stopping import (
    STOP_ALL,
    Stopping,
    answer_trouble,
    name_of,
    sender_of,
    trouble,
)
from api.roles import public
from consent.keys.key_ring import KeyRing
from consent.links import Link, LinkKind, open_token
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose

_PATH = "/p/{token:str}"
_FORM_SIZE_MAX = 4096

Scope = tuple[Channel | None, Purpose | None]


@get(
    _PATH,
    opt=public(any_parameters=True),
    include_in_schema=False,
    exception_handlers={Exception: answer_trouble},
)
async def get_preferences(
    token: FromPath[str], request: Call, key_ring: NamedDependency[KeyRing]
) -> Template:
    """Show it. Nothing changes before a button is pressed."""
    link = open_token(key_ring, LinkKind.PREFERENCES, token)
    return await _shown(request, key_ring, link, language_of(request))


@post(
    _PATH,
    status_code=200,
    opt=public(any_parameters=True),
    include_in_schema=False,
    exception_handlers={Exception: answer_trouble},
    request_max_body_size=_FORM_SIZE_MAX,
)
async def post_preferences(
    token: FromPath[str],
    request: Call,
    stopping: NamedDependency[Stopping],
) -> Template:
    """Turn off what was chosen, and show what is left.

    A choice that cannot be read narrows nothing: everything is stopped.
    """
    link = open_token(stopping.keys, LinkKind.PREFERENCES, token)
    language, chosen = language_of(request), await _chosen(request)
    channel, purpose = _scope_of(chosen)
    try:
        await stopping.stop(request, link, LinkKind.PREFERENCES, channel=channel, purpose=purpose)
    except ComplianceError as error:
        sender = await sender_of(request, link)
        return trouble(
            request, error, stop=chosen, contact=None if sender is None else sender.contact
        )
    return await _shown(request, stopping.keys, link, language, stopped=(channel, purpose))


async def _shown(
    request: Call,
    keys: KeyRing,
    link: Link,
    language: Language,
    *,
    stopped: Scope | None = None,
) -> Template:
    texts, now = language.texts, request.now
    is_old = now.date() >= link.viewable_until
    found = await _read(request, keys, link, with_choices=not is_old)
    name = name_of(found.sender, language)
    problem = None
    if is_old:
        problem = texts.old_link
    elif found.channels is None:
        problem = texts.not_shown
    return page(
        "preferences",
        language,
        sender=name,
        address=masked(link.address),
        channels=found.channels,
        is_unanswered=found.is_unanswered,
        is_all_off=found.is_all_off or stopped == (None, None),
        done=None if stopped is None else _done(texts, name, stopped),
        problem=problem,
    )


async def _read(request: Call, keys: KeyRing, link: Link, *, with_choices: bool) -> Preferences:
    """What to show. What cannot be read is left out: the way to stop is always there."""
    unread = Preferences(None, parse_address(link.address), None)
    if not with_choices:
        sender = await sender_of(request, link)
        return Preferences(sender, unread.address, None)
    now = request.now

    def read(connection: Connection) -> Preferences:
        return read_preferences(connection, link, keys=keys, now=now)

    try:
        return await request.exchange.service.reader.run(read)
    except ComplianceError:
        return unread


async def _chosen(request: Call) -> str:
    """What the form says, as it came; everything where it says nothing that we know."""
    try:
        form = parse_qs((await request.body()).decode("utf-8", "replace"))
    except (BodyTooLargeError, ValueError):
        return STOP_ALL
    chosen = form.get("stop", [STOP_ALL])
    return chosen[0] if len(chosen) == 1 and _scope_of(chosen[0]) != (None, None) else STOP_ALL


def _scope_of(chosen: str) -> Scope:
    """``sms`` or ``sms:marketing``; anything else is everything."""
    channel, _, purpose = chosen.partition(":")
    try:
        return Channel(channel), Purpose(purpose) if purpose else None
    except ValueError:
        return None, None


def _done(texts: Texts, name: str, stopped: Scope) -> str:
    channel, purpose = stopped
    if channel is None:
        return fill_plain(texts.all_stopped, sender=name)
    what = texts.channels[channel]
    if purpose is not None and purpose in texts.purposes:
        what = f"{what} – {texts.purposes[purpose]}"
    return fill_plain(texts.turned_off, what=what)
