"""What a person has on record, sorted once by what it is, before any law looks at it."""

from datetime import datetime

from rules.history import Event
from rules.vocabulary import EventKind

_GRANT, _SENT, _REVOKE = EventKind.GRANT, EventKind.SENT, EventKind.REVOKE
_COMPLAINT, _CONFIRM, _ERASE = EventKind.COMPLAINT, EventKind.CONFIRM, EventKind.ERASE
_HOLD, _RELEASE = EventKind.HOLD, EventKind.RELEASE
_NONE: tuple[Event, ...] = ()


class Person:
    """The events at or before an instant, by kind, in their order.

    ``erased``: there is an erasure among them. ``future``: the history has later ones.
    ``plain``: no grant has a quality, and no opt-out was made. ``held``: a reply was put
    before a reviewer once.
    """

    __slots__ = (
        "erased",
        "events",
        "future",
        "grants",
        "held",
        "opt_outs",
        "plain",
        "relations",
        "sent",
    )

    def __init__(self, events: tuple[Event, ...], at: datetime) -> None:
        grants = relations = opt_outs = sent = _NONE
        plain, erased, future, held = True, False, False, False
        for event in events:
            kind = event.event
            if event.at > at:
                future = True
            elif kind is _GRANT:
                grants = (*grants, event)
                if event.qualities:
                    plain = False
            elif kind is _SENT:
                sent = (*sent, event)
            elif kind is _REVOKE or kind is _COMPLAINT:
                opt_outs = (*opt_outs, event)
                plain = False
            elif kind is _ERASE:
                erased = True
            elif kind is _HOLD or kind is _RELEASE:
                held = True
            elif kind is not _CONFIRM:
                relations = (*relations, event)
        self.events = tuple(event for event in events if event.at <= at) if future else events
        self.grants, self.relations, self.opt_outs, self.sent = grants, relations, opt_outs, sent
        self.plain, self.erased, self.future, self.held = plain, erased, future, held
