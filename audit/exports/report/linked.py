"""What an entry says of other entries and ids: who is one person, which stops go with that."""

from collections.abc import Collection, Iterator

from audit.exports.report import words
from consent.events import MEMBERSHIPS, CarriedStop, ConsentEvent, RecordedKind


def sentences_of(
    event: ConsentEvent, subject: str | None, here: Collection[str]
) -> Iterator[tuple[str, str]]:
    """What it says, each under a label; of most kinds nothing.

    ``subject``: the id of the person whose entry it is; ``here``: those whose entries are told.
    """
    if event.event in MEMBERSHIPS:
        yield "What it means", _membership(event, subject, here)
    for stop in event.carried:
        yield "Opt-out taken over", _carried(stop)
    if event.answers is not None:
        yield "Decides on", f"the reply put aside in entry {event.answers} of the consent log"


def _membership(event: ConsentEvent, subject: str | None, here: Collection[str]) -> str:
    own = "this person" if subject is None else f"person {subject}"
    if not event.linked:
        return f"From then on {own} is nobody else: no other address counts as theirs."
    others = words.spread([_named(id_, here) for id_ in event.linked])
    return (
        f"From then on {own} and {others} are one person: what was said at the address of one"
        " counts for each."
    )


def _named(id_: str, here: Collection[str]) -> str:
    return f"person {id_}" if id_ in here else f"person {id_} (parted since; not told of here)"


def _carried(stop: CarriedStop) -> str:
    what = "erasure" if stop.event is RecordedKind.ERASE else "opt-out"
    where = ", said at another address of the same person then" if stop.elsewhere else ""
    return (
        f"The {what} of {words.moment(stop.at)} (consent log, entry {stop.index}){where}. It"
        f" reaches {_reach(stop)}, and holds for this person from then on."
    )


def _reach(stop: CarriedStop) -> str:
    who = stop.brand or stop.sender or "every sender"
    how = "every way of contact" if stop.channel is None else words.CHANNELS[stop.channel]
    what = "" if stop.purpose is None else f", for {words.PURPOSES[stop.purpose]}"
    return f"{who}, by {how}{what}"
