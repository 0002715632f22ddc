"""Who waits for whom: a line a person, and linked addresses are one person.

A line goes by the id of one of those who stand in it. Who is linked joins their lines to one.
Who parts stays in the line in which something waits that may be about them, until nothing waits
there any more; only then does each stand alone. Who was erased and comes anew is another person,
and nothing leads from the one to the other but their address: the tokens that an erasure leaves of
it lead on into the line. So whatever is told of an address stands in one line at any time, behind
all that was told of it before.

Everything here runs under the lock of the organisation's logs.
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent import suppression
from consent.among import ByMany
from consent.keys.key_ring import KeyRing
from consent.propagation.tables import delivery_line, webhook_delivery
from jurisdictions.addresses import Address

_NONE: Final = b""
_L = delivery_line.c
_C = webhook_delivery.c
_PENDING = _C.state == sa.literal_column("'pending'")
_KEPT = ByMany(
    lambda among: sa.select(_L.subject, _L.line).where(
        _L.organisation == bindparam("organisation"), among(_L.subject, "people")
    )
)
_WAITED_IN = ByMany(
    lambda among: sa.select(_C.subject).where(among(_C.subject, "lines"), _PENDING).distinct()
)
_KEPT_IN = sa.select(_L.subject).where(
    _L.organisation == bindparam("organisation"), _L.line == bindparam("line")
)
_ANY = sa.select(_L.subject).where(_L.organisation == bindparam("organisation")).limit(1)
_OF_LINES = (
    _L.organisation == bindparam("of_organisation"),
    _L.line.in_(bindparam("lines", expanding=True)),
)
_FORGET = sa.delete(delivery_line).where(*_OF_LINES)
_LEAD_TO = sa.update(delivery_line).where(*_OF_LINES).values(line=bindparam("to"))
_LEAVE = sa.delete(delivery_line).where(
    _L.organisation == bindparam("of_organisation"),
    _L.subject.in_(bindparam("people", expanding=True)),
)
_MOVE = (
    sa.update(webhook_delivery)
    .where(_C.subject.in_(bindparam("lines", expanding=True)), _PENDING)
    .values(subject=bindparam("to"))
)


def lines_of(
    connection: Connection, organisation: str, usual: Mapping[bytes, bytes]
) -> dict[bytes, bytes]:
    """The line of each person. ``usual``: where each stands if nothing older waits elsewhere."""
    if not usual:
        return {}
    asked = {"organisation": organisation, "people": sorted(usual)}
    kept: dict[bytes, bytes] = dict(map(tuple, _KEPT.fetch(connection, asked)))
    if kept:
        empty = set(kept.values()) - _waited_in(connection, kept.values())
        if empty:
            values = {"of_organisation": organisation, "lines": sorted(empty)}
            connection.execute(_FORGET, values)
            kept = {person: line for person, line in kept.items() if line not in empty}
    return {person: kept.get(person, line) for person, line in usual.items()}


def join(connection: Connection, organisation: str, groups: Iterable[Collection[bytes]]) -> None:
    """Let those who were several persons, each of these ids, stand in one line from now on."""
    usual = {person: min(group) for group in groups for person in group}
    # What waits under their own ids as well, whatever put it there.
    lines = set(usual) | set(lines_of(connection, organisation, usual).values())
    joined = min(usual)
    left = sorted(lines - {joined})
    if left:
        connection.execute(_MOVE, {"lines": left, "to": joined})
        values = {"of_organisation": organisation, "lines": left, "to": joined}
        connection.execute(_LEAD_TO, values)
    # Somebody else is kept in it: then so are these, or they would leave it before them.
    if connection.execute(_KEPT_IN, {"organisation": organisation, "line": joined}).first():
        _keep(connection, organisation, usual, joined)


def part(connection: Connection, organisation: str, group: Collection[bytes]) -> None:
    """Keep those who were one person until now in one line, as long as something waits there."""
    join(connection, organisation, [group])
    line = min(group)
    if _waited_in(connection, [line]):
        _keep(connection, organisation, group, line)


def leave(
    connection: Connection,
    organisation: str,
    people: Collection[bytes],
    tokens: Collection[bytes],
) -> None:
    """Let whoever comes by the addresses of these, who are erased, go on in their line.

    ``tokens``: of every spelling of their addresses.
    """
    join(connection, organisation, [people])
    line = min(people)
    if _waited_in(connection, [line]):
        _keep(connection, organisation, tokens, line)


def follow(
    connection: Connection,
    organisation: str,
    named: Collection[tuple[bytes, Address]],
    *,
    keys: KeyRing,
) -> None:
    """Let persons, named by an address, stand where those stood who had it and were erased.

    Not only who is made just now: a person may have been on record for long before their address
    is said. The number of statements does not grow with those whom nothing leads anywhere.
    """
    if not named or not connection.execute(_ANY, {"organisation": organisation}).first():
        return
    people = {person for person, _ in named}
    tokens = {
        one: suppression.every_token_of(organisation, [one], keys=keys)
        for one in {address for _, address in named}
    }
    every = {*people, *(token for some in tokens.values() for token in some)}
    found = lines_of(connection, organisation, dict.fromkeys(every, _NONE))
    for person, address in named:
        if {found[token] for token in tokens[address]} <= {_NONE, found[person]}:
            continue
        asked = dict.fromkeys((person, *tokens[address]), _NONE)
        older = set(lines_of(connection, organisation, asked).values()) - {_NONE}
        # Two spellings may have been two persons', whose lines are then one.
        join(connection, organisation, [{person, *older}])


def _keep(
    connection: Connection, organisation: str, people: Collection[bytes], line: bytes
) -> None:
    connection.execute(_LEAVE, {"of_organisation": organisation, "people": sorted(people)})
    connection.execute(
        delivery_line.insert(),
        [
            {"organisation": organisation, "subject": person, "line": line}
            for person in sorted(people)
        ],
    )


def _waited_in(connection: Connection, lines: Iterable[bytes]) -> set[bytes]:
    rows = _WAITED_IN.fetch(connection, {"lines": sorted(set(lines))})
    return {line for (line,) in rows}
