"""What the pages do: stop, tell the truth about it, and say how else to stop when it failed."""

from dataclasses import dataclass, field
from typing import Any

from litestar.response import Template
from sqlalchemy import Connection

from api.call import Call
from api.errors import OutcomeUnknownError
from api.operations.read_preferences import Preferences, read_preferences, read_sender
from api.operations.record_events import EventBatch, Said
from api.problems import headers_of, problem_of
from api.public.languages import Language
from api.public.pages import language_of, page
from api.public.presses import Presses
from api.v1.consent_events import EventWorks
from consent.errors import BadLinkError
from consent.events import ConsentEvent, Evidence, RecordedKind
from consent.keys.key_ring import KeyRing
from consent.links import Link, LinkKind
from consent.senders import SenderRecord
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError
from rules.vocabulary import Channel, Purpose, Via

STOP_ALL = "all"


@dataclass(frozen=True, slots=True)
class Stopping:
    """What stopping needs, made once at the start."""

    works: EventWorks
    keys: KeyRing
    presses: Presses = field(default_factory=Presses)

    async def stop(
        self,
        request: Call,
        link: Link,
        kind: LinkKind,
        *,
        channel: Channel | None = None,
        purpose: Purpose | None = None,
    ) -> None:
        """Record the opt-out; it is durable, and seen by every later check, when this returns.

        Of the visitor nothing is recorded: not where they clicked from, nor with what.
        """
        now = request.now
        is_often = self.presses.count(link, now=now)
        if is_often and await self._is_stopped(request, link, channel, purpose):
            return
        event = ConsentEvent(
            event=RecordedKind.REVOKE,
            at=now,
            sender=link.sender,
            channel=channel,
            purpose=purpose,
            via=Via.LINK,
            evidence=Evidence(method=kind.value),
        )
        said = Said(parse_address(link.address), event)
        await request.exchange.service.writer.submit(
            self.works.opt_outs,
            EventBatch(link.organisation, kind.value, [said]),
            organisation=link.organisation,
        )

    async def _is_stopped(
        self, request: Call, link: Link, channel: Channel | None, purpose: Purpose | None
    ) -> bool:
        """Whether it is on record already, and nothing since says otherwise."""
        now = request.now

        def read(connection: Connection) -> Preferences:
            return read_preferences(connection, link, keys=self.keys, now=now)

        try:
            found = await request.exchange.service.reader.run(read)
        except ComplianceError:
            return False
        return found.is_off(channel, purpose)


async def sender_of(request: Call, link: Link) -> SenderRecord | None:
    """Whose link it is. None too while that cannot be read: no page waits for it."""

    def read(connection: Connection) -> SenderRecord | None:
        return read_sender(connection, link)

    try:
        return await request.exchange.service.reader.run(read)
    except ComplianceError:
        return None


def name_of(sender: SenderRecord | None, language: Language) -> str:
    """What the page calls the sender."""
    return language.texts.this_sender if sender is None else sender.name


def trouble(
    request: Call,
    error: Exception,
    *,
    stop: str | None = None,
    contact: str | None = None,
) -> Template:
    """Say that it did not work, and how else to stop. ``stop``: what trying again asks for."""
    language = language_of(request)
    texts, problem = language.texts, problem_of(error)
    request.exchange.code = problem.code
    if problem.status == 500:
        request.exchange.failed(error)
    title, means = texts.failed, texts.failed_means
    if isinstance(error, BadLinkError):
        title, means = texts.bad_link, texts.bad_link_means
    elif isinstance(error, OutcomeUnknownError):
        title, means = texts.unsure, texts.unsure_means
    told = page(
        "trouble",
        language,
        status=problem.status,
        title=title,
        means=means,
        stop=stop,
        contact=contact,
    )
    told.headers |= {k: v for k, v in headers_of(error, problem).items() if k == "retry-after"}
    return told


def answer_trouble(request: Any, error: Exception) -> Template:
    """The pages' exception handler: a person is told in words, whatever it was."""
    return trouble(request, error)
