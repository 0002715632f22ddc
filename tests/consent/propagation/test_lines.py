"""Whatever is told, linked, parted and erased meanwhile: nothing goes out of order for an address.

That holds where nothing leaves while something older about one of its addresses has neither arrived
nor been given up: on the road, two that are under way at once may overtake each other.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent.erasure import ErasureInput, erase
from consent.events import RecordedKind
from consent.ledger import identifiers
from consent.linking import LinkInput, link, unlink
from consent.propagation import attempts, deliveries, endpoints, outbox, overtaken
from consent.propagation.attempts import Attempt, Claimed
from consent.propagation.tables import delivery_line, webhook_delivery
from consent.propagation.words import Problem, Proof, State, WebhookEvent
from consent.subjects import Stranger, blind_indexes_of
from jurisdictions.addresses import Address, parse_address
from tests.support import consents
from tests.support.consents import NOW, Recorder, an_event

PEOPLE = tuple(parse_address(f"+1212555012{number}") for number in range(4))
KINDS = [WebhookEvent.GRANTED, WebhookEvent.REVOKED, WebhookEvent.ERASED]
STEP = timedelta(minutes=1)
_C = webhook_delivery.c


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


class Play:
    """An organisation with one endpoint, whose receiver does what it is told."""

    def __init__(self, desk: Recorder) -> None:
        self.desk = desk
        self.now = NOW
        self.flying: list[Claimed] = []
        self.endpoint = endpoints.make(
            desk.connection,
            desk.organisation,
            url="https://hooks.example.com/",
            events=KINDS,
            gates=(),
            proof=Proof.DELIVERED,
            keys=desk.keys,
            now=NOW,
        ).id

    def do(self, act: str, *who: int) -> None:
        """One step, a minute after the one before."""
        self.now += STEP
        desk = self.desk.at(self.now)
        people = [PEOPLE[i] for i in who if act not in ("send", "retry")]
        match act:
            case "grant" | "revoke":
                desk.record_one(people[0], an_event(RecordedKind(act), at=self.now))
            case "link" | "unlink":
                do = link if act == "link" else unlink
                asked = LinkInput(addresses=people)
                do(desk.connection, desk.organisation, asked, keys=desk.keys, now=self.now)
            case "erase":
                self._erase(people[0])
            case "sent":
                index = blind_indexes_of(desk.organisation, people[0], desk.keys)[0]
                desk.record_one(Stranger(index), an_event(RecordedKind.SENT, at=self.now))
            case "send":
                self._send(who[0])
            case "retry":
                self._retry(last_first=bool(who[0]))
            case "arrive" | "fail" | "drop":
                self._conclude(act)

    def _erase(self, address: Address) -> None:
        desk = self.desk
        asked = ErasureInput(address=address, event_id=identifiers.uuid7(self.now))
        erase(desk.connection, desk.organisation, asked, keys=desk.keys, now=self.now)

    def _send(self, count: int) -> None:
        """Claim what is due; nothing of it may have anything older beside or before it."""
        waiting = self._waiting()
        claimed = attempts.claim(
            self.desk.connection, self.endpoint, count=count, by=b"us", now=self.now
        )
        flying = {one.id for one in (*self.flying, *claimed)}
        self.flying += claimed
        for one in claimed:
            position, addresses = waiting[one.id]
            for other, (place, theirs) in waiting.items():
                if other != one.id and addresses & theirs:
                    assert place > position, "something older waits"
                    assert other not in flying, "something later is under way"

    def _conclude(self, how: str) -> None:
        """The first that is under way arrives, fails, or fails for good."""
        if not self.flying:
            return
        one = self.flying.pop(0)
        if how == "drop" and one.event is not WebhookEvent.GRANTED:
            how = "fail"  # Of a stop there is no last attempt.
        attempt = Attempt(
            claimed=one,
            at=self.now,
            problem=None if how == "arrive" else Problem.STATUS,
            due_at=self.now if how == "fail" else None,
        )
        attempts.conclude(self.desk.connection, [attempt], now=self.now)

    def _retry(self, *, last_first: bool) -> None:
        """Whatever was given up is taken up again, unless it was overtaken."""
        connection = self.desk.connection
        failed = (
            sa.select(_C.id)
            .where(_C.endpoint == self.endpoint, _C.state == State.FAILED.value)
            .order_by(_C.position.desc() if last_first else _C.position)
        )
        for id_ in connection.execute(failed).scalars().all():
            found = deliveries.find(connection, id_)
            assert found is not None
            if not overtaken.is_overtaken(connection, found, keys=self.desk.keys):
                line, waits = overtaken.line_of(connection, found, keys=self.desk.keys)
                deliveries.revive(connection, found, line=line, waits=waits, now=self.now)

    def finish(self) -> None:
        """Let everything arrive; nothing is left behind, and nobody is kept in a line."""
        for _ in range(200):
            while self.flying:
                self.do("arrive")
            self.do("send", 9)
            if not self.flying:
                break
        assert self._waiting() == {}
        self.do("unlink", *range(len(PEOPLE)))
        for i in range(len(PEOPLE)):
            self.do("grant", i)
        self.do("send", 9)
        assert len(self.flying) == len(PEOPLE)
        kept = sa.select(delivery_line).where(
            delivery_line.c.organisation == self.desk.organisation
        )
        assert self.desk.connection.execute(kept).all() == []

    def _waiting(self) -> dict[bytes, tuple[int, set[str]]]:
        """What has not arrived: its place, and whom it is about."""
        desk = self.desk
        rows = desk.connection.execute(
            sa.select(_C.id, _C.position, _C.sealed_body).where(
                _C.endpoint == self.endpoint, _C.state == State.PENDING.value
            )
        )
        found: dict[bytes, tuple[int, set[str]]] = {}
        for id_, position, sealed in rows:
            body = outbox.open_body(desk.organisation, id_, sealed, keys=desk.keys)
            data: Any = msgspec.json.decode(body)["data"]
            found[id_] = position, set(data["addresses"])
        return found


Act = tuple[Any, ...]


def played(desk: Recorder, acts: Sequence[Act]) -> None:
    with desk.connection.begin_nested() as savepoint:
        play = Play(desk)
        for act in acts:
            play.do(*act)
        play.finish()
        savepoint.rollback()


@pytest.mark.parametrize("named", [("grant", 0), ("link", 0, 1)], ids=str)
def test_who_was_a_stranger_follows_once_their_address_is_said(desk: Recorder, named: Act) -> None:
    """A message reported as sent makes them anew, by a blind index that leads to no line."""
    begun: list[Act] = [("revoke", 0), ("erase", 0), ("sent", 0), named, ("grant", 0), ("send", 9)]
    played(desk, [*begun, ("arrive",), ("send", 9), ("revoke", 0), ("send", 9)])


TELL = [("grant", 0), ("revoke", 1)]
CHANGE = [("link", 0, 1), ("link", 1, 2), ("unlink", 0), ("unlink", 1, 2)]
CARRY = [("send", 9), ("arrive",)]


@pytest.mark.slow
@pytest.mark.parametrize("first", [*TELL, *CHANGE, *CARRY], ids=str)
def test_every_short_story_of_three_people_stays_in_order(desk: Recorder, first: Act) -> None:
    """Four steps of every kind in every order, behind a beginning in which two wait as one."""
    begun: list[Act] = [("grant", 2), ("link", 0, 1), ("grant", 1), ("revoke", 0), first]
    for rest in product([*TELL, *CHANGE, *CARRY], repeat=2):
        played(desk, [*begun, *rest, ("revoke", 0), ("revoke", 1), ("revoke", 2), ("send", 9)])


def test_who_joins_somebody_kept_in_a_line_is_kept_in_it_too(desk: Recorder) -> None:
    """Else the line would move on with the one who was kept there, and leave the other behind."""
    begun: list[Act] = [("link", 0, 1), ("grant", 0), ("grant", 1), ("unlink", 0, 1)]
    played(desk, [*begun, ("link", 0, 2), ("grant", 2), ("link", 1, 3), ("revoke", 2), ("send", 9)])


def test_what_was_given_up_is_taken_up_again_in_its_order(desk: Recorder) -> None:
    given_up: list[Act] = [("send", 9), ("drop",)]
    begun: list[Act] = [("grant", 0), ("grant", 0), *given_up, *given_up]
    played(desk, [*begun, ("retry", 0), ("send", 9), ("arrive",), ("revoke", 0)])


EVERYBODY = range(3)
GROUPS = [(0, 1), (1, 2), (0, 2), (0, 1, 2)]
ACTS: list[Act] = [
    *((kind, i) for kind in ("grant", "revoke", "grant", "revoke", "erase") for i in EVERYBODY),
    *(("sent", i) for i in EVERYBODY),
    *(("link", *group) for group in GROUPS),
    *(("unlink", *group) for group in GROUPS),
    *(("unlink", i) for i in EVERYBODY),
    *(("send", count) for count in (1, 2, 9, 9)),
    *((act,) for act in ("arrive", "arrive", "arrive", "fail", "drop", "drop")),
    ("retry", 0),
    ("retry", 1),
]


@settings(
    max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.sampled_from(ACTS), max_size=16))
def test_nothing_leaves_while_something_older_of_the_same_address_is_on_its_way(
    desk: Recorder, acts: list[Act]
) -> None:
    played(desk, acts)


def test_what_a_link_brings_does_not_take_a_reading_of_a_history_each(desk: Recorder) -> None:
    Play(desk)

    def statements_of(first: int, stops: int) -> int:
        """Of joining two pairs, each address with so many stops, by one address of either pair."""
        people = [parse_address(f"+12125550{first + number}") for number in range(4)]
        stopped = [
            (one, an_event(RecordedKind.REVOKE, brand=f"brand {place} {number}"))
            for place, one in enumerate(people)
            for number in range(stops)
        ]
        desk.record(*stopped)
        for asked in (people[:2], people[2:]):
            given = LinkInput(addresses=asked)
            link(desk.connection, desk.organisation, given, keys=desk.keys, now=NOW)
        with consents.counted_statements(desk.connection) as ran:
            given = LinkInput(addresses=people[::2])
            link(desk.connection, desk.organisation, given, keys=desk.keys, now=NOW)
        return len(ran)

    assert statements_of(100, stops=1) == statements_of(110, stops=9)
