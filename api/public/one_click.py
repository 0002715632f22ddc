"""One click to stop: what ``List-Unsubscribe`` names (RFC 8058), and its page for people.

``POST`` acts whatever its body: a mailbox provider sends ``List-Unsubscribe=One-Click`` as a form
or in parts, our own page the same, and an opt-out is not refused for its wrapping. ``GET`` only
shows a button, for scanners of mail follow every link that they find.
"""

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Template

from api.call import Call
from api.public.pages import language_of, masked, page
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
from consent.links import LinkKind, open_token
from rules.errors import ComplianceError

_PATH = "/u/{token:str}"


@get(
    _PATH,
    opt=public(any_parameters=True),
    include_in_schema=False,
    exception_handlers={Exception: answer_trouble},
)
async def get_one_click(
    token: FromPath[str], request: Call, key_ring: NamedDependency[KeyRing]
) -> Template:
    """Ask whether to stop. Nothing happens before the button is pressed."""
    link = open_token(key_ring, LinkKind.ONE_CLICK, token)
    language = language_of(request)
    name = name_of(await sender_of(request, link), language)
    return page("one_click", language, sender=name, address=masked(link.address))


@post(
    _PATH,
    status_code=200,
    opt=public(any_parameters=True),
    include_in_schema=False,
    exception_handlers={Exception: answer_trouble},
)
async def post_one_click(
    token: FromPath[str],
    request: Call,
    stopping: NamedDependency[Stopping],
) -> Template:
    """Stop everything that this sender sends, by every channel: in doubt the wider reading."""
    link = open_token(stopping.keys, LinkKind.ONE_CLICK, token)
    language = language_of(request)
    try:
        await stopping.stop(request, link, LinkKind.ONE_CLICK)
    except ComplianceError as error:
        sender = await sender_of(request, link)
        return trouble(
            request, error, stop=STOP_ALL, contact=None if sender is None else sender.contact
        )
    name = name_of(await sender_of(request, link), language)
    return page("stopped", language, sender=name)
