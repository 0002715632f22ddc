"""Addresses of one person: what counts across them, and that linking never loosens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consent import holds, linking
from consent.erasure import Erasure, ErasureInput, erase
from consent.errors import LinkTooLargeError, StandingUnreadableError
from consent.events import (
    STOPS,
    CarriedStop,
    ConsentEvent,
    RecordedKind,
    decode_payload,
    encode_payload,
)
from consent.fsck.ledger import inspect_organisation
from consent.fsck.rebuild import rebuild
from consent.ledger import identifiers
from consent.ledger import tables as ledger
from consent.ledger.leaf import Log
from consent.ledger.log import head
from consent.linking import LINKED_MAX, PERMITTING, Linked, LinkInput
from consent.on_record import OnRecord
from consent.own_addresses import addresses_of
from consent.standing import KeptEvent
from consent.tables import standing, suppression
from jurisdictions.addresses import Address, parse_address
from rules.vocabulary import Channel, EventKind, Level, Purpose
from tests.consent.test_holds import a_hold
from tests.support import consents
from tests.support.consents import ANN, BOB, DAY, NOW, Recorder, an_event

CARL = parse_address("+12125550124")
DORA = parse_address("dora@example.net")
PEOPLE = (ANN, BOB, CARL, DORA)
REVOKE, GRANT, ERASE = RecordedKind.REVOKE, RecordedKind.GRANT, RecordedKind.ERASE


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


def link(at: Recorder, *addresses: Address) -> Linked:
    return linking.link(
        at.connection,
        at.organisation,
        LinkInput(addresses=addresses, actor="key_1"),
        keys=at.keys,
        now=at.now,
    )


def unlink(at: Recorder, *addresses: Address) -> Linked:
    return linking.unlink(
        at.connection,
        at.organisation,
        LinkInput(addresses=addresses, actor="key_1"),
        keys=at.keys,
        now=at.now,
    )


def erased(at: Recorder, address: Address) -> Erasure:
    asked = ErasureInput(address=address, event_id=identifiers.uuid7(at.now), why="asked")
    return erase(at.connection, at.organisation, asked, keys=at.keys, now=at.now)


def seen(at: Recorder, address: Address) -> list[tuple[EventKind, bool]]:
    """What the law sees of an address: each event, and whether it is one from elsewhere."""
    events = at.load_one(address).history("acme").events
    return [(event.event, event.elsewhere) for event in events]


def size(at: Recorder) -> int:
    return head(at.connection, at.organisation, Log.CONSENT).size


def damages(at: Recorder) -> list[str]:
    found = inspect_organisation(
        at.connection, at.organisation, keys=at.keys, progress=lambda _: None
    )
    return [damage.detail for damage in found]


def rewritten(at: Recorder) -> int:
    """How many rows a rebuild has to write."""
    built = rebuild(
        at.connection, at.organisation, keys=at.keys, now=at.now, progress=lambda _: None
    )
    assert not built.unreadable
    return built.standings + built.suppressions


def test_what_was_said_before_and_after_counts_at_both(desk: Recorder) -> None:
    desk.record_one(ANN, an_event())
    desk.record_one(BOB, an_event(RecordedKind.PURCHASE, at=NOW - 2 * DAY))
    link(desk, ANN, BOB)
    later = desk.at(NOW + DAY)
    later.record_one(BOB, an_event(RecordedKind.SENT, at=NOW, channel=Channel.EMAIL))
    purchase, grant, sent = EventKind.PURCHASE, EventKind.GRANT, EventKind.SENT
    assert seen(later, ANN) == [(purchase, True), (grant, False), (sent, True)]
    assert seen(later, BOB) == [(purchase, False), (grant, True), (sent, False)]
    assert damages(later) == []
    assert rewritten(later) == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("scope", [{}, {"channel": Channel.SMS}, {"purpose": Purpose.SURVEY}])
def test_an_opt_out_at_one_stands_at_all_with_its_scope(
    desk: Recorder, when: str, scope: dict[str, object]
) -> None:
    if when == "before":
        desk.record_one(BOB, an_event(REVOKE, **scope))
    link(desk, ANN, BOB, CARL)
    if when == "after":
        desk.record_one(BOB, an_event(REVOKE, **scope))
    for address in (ANN, BOB, CARL):
        (event,) = desk.load_one(address).history("acme").events
        assert event.event is EventKind.REVOKE
        assert (event.channel, event.purpose) == (scope.get("channel"), scope.get("purpose"))


def test_who_has_said_stop_at_an_address_is_permitted_nothing_there_from_elsewhere(
    desk: Recorder,
) -> None:
    desk.record_one(ANN, an_event(at=NOW - 3 * DAY))
    desk.record_one(ANN, an_event(REVOKE, at=NOW - 2 * DAY))
    desk.record_one(BOB, an_event(at=NOW - DAY))
    link(desk, ANN, BOB)
    grant, revoke = EventKind.GRANT, EventKind.REVOKE
    assert seen(desk, ANN) == [(grant, False), (revoke, False)]
    assert seen(desk, BOB) == [(grant, True), (revoke, True), (grant, False)]


def test_a_stranger_is_made_and_keeps_the_places_held_for_them(desk: Recorder) -> None:
    desk.record_one(ANN, an_event())
    place = a_hold(desk.load_one(BOB).blind_index)
    holds.hold_many(desk.connection, desk.organisation, [place])
    made = link(desk, ANN, BOB)
    assert len(made.receipts) == 2
    assert [hold.decision for hold in desk.load_one(ANN).holds] == [place.decision]
    assert [hold.decision for hold in desk.load_one(BOB).holds] == [place.decision]


def test_linked_addresses_have_one_key_in_a_batch(desk: Recorder) -> None:
    link(desk, ANN, BOB, CARL)
    desk.record_one(DORA, an_event())
    keys = [found.key for found in desk.load(*PEOPLE) if isinstance(found, OnRecord)]
    assert len(set(keys[:3])) == 1
    assert keys[3] != keys[0]


def test_linking_again_appends_nothing(desk: Recorder) -> None:
    first = link(desk, ANN, BOB)
    before = size(desk)
    again = link(desk, BOB, ANN)
    assert again.receipts == ()
    assert size(desk) == before
    assert {one.subject for one in again.members} == {one.subject for one in first.members}
    assert unlink(desk, ANN, BOB).receipts
    before = size(desk)
    assert unlink(desk, ANN, BOB).receipts == ()
    assert unlink(desk, DORA).members == (linking.Member(None),)
    assert size(desk) == before


def test_two_people_of_several_addresses_become_one(desk: Recorder) -> None:
    link(desk, ANN, BOB)
    link(desk, CARL, DORA)
    joined = link(desk, BOB, CARL)
    assert len(joined.receipts) == 4
    assert all(len(one.linked) == 3 for one in joined.members)
    desk.record_one(DORA, an_event(REVOKE))
    assert seen(desk, ANN) == [(EventKind.REVOKE, True)]


def test_who_parts_keeps_the_stops_that_held_and_nothing_else(desk: Recorder) -> None:
    desk.record_one(ANN, an_event(at=NOW - 3 * DAY))
    link(desk, ANN, BOB, CARL)
    desk.record_one(BOB, an_event(REVOKE, at=NOW - DAY))
    desk.record_one(BOB, an_event(RecordedKind.SENT, at=NOW - DAY))
    unlink(desk, BOB)
    grant, revoke, sent = EventKind.GRANT, EventKind.REVOKE, EventKind.SENT
    assert seen(desk, ANN) == [(grant, False), (revoke, True)]
    assert seen(desk, CARL) == [(grant, True), (revoke, True)]
    assert seen(desk, BOB) == [(revoke, False), (sent, False)]
    assert desk.load_one(BOB).linked == ()
    assert len(desk.load_one(ANN).linked) == 1
    assert damages(desk) == []
    assert rewritten(desk) == 0


def test_an_opt_out_after_parting_is_of_its_own_address(desk: Recorder) -> None:
    link(desk, ANN, BOB)
    unlink(desk, ANN)
    desk.record_one(BOB, an_event(REVOKE))
    assert seen(desk, ANN) == []


def test_what_only_the_suppression_knew_counts_at_both(desk: Recorder) -> None:
    desk.record_one(BOB, an_event(REVOKE, at=NOW - 3 * DAY))
    erased(desk.at(NOW - 2 * DAY), BOB)
    link(desk, ANN, BOB)
    assert seen(desk, BOB) == [(EventKind.REVOKE, False), (EventKind.ERASE, False)]
    # An erasure of what lay at another address erases nothing here, but is an opt-out.
    assert seen(desk, ANN) == [(EventKind.REVOKE, True), (EventKind.REVOKE, True)]
    assert damages(desk) == []
    assert rewritten(desk) == 0


def test_erasing_one_erases_all_and_each_stays_suppressed(desk: Recorder) -> None:
    desk.record_one(ANN, an_event())
    desk.record_one(DORA, an_event())
    link(desk, ANN, BOB, CARL)
    done = erased(desk.at(NOW + DAY), CARL)
    assert len(done.subjects) == 3
    assert (done.destroyed.keys, done.destroyed.standings) == (3, 3)
    for address in (ANN, BOB, CARL):
        person = desk.load_one(address)
        assert person.subject is None
        assert [event.event for event in person.events] == [ERASE]
    assert desk.load_one(DORA).subject is not None
    assert damages(desk) == []
    assert rewritten(desk) == 0
    again = erased(desk.at(NOW + 2 * DAY), ANN)
    assert again.repeated
    assert again.receipt == done.receipt


def test_an_entry_tells_no_address_but_its_own(desk: Recorder) -> None:
    """Else one of them, parted again, would keep in its payload what the other has erased."""
    made = link(desk, ANN, BOB)
    told = {}
    for member in made.members:
        assert member.subject is not None
        found, _, unreadable = addresses_of(
            desk.connection, desk.organisation, member.subject, desk.keys
        )
        assert not unreadable
        told[member.subject] = set(found)
    assert list(told.values()) == [{ANN.normalised}, {BOB.normalised}]


def test_a_standing_that_does_not_open_stands_against_all(desk: Recorder) -> None:
    desk.record_one(ANN, an_event())
    other = link(desk, ANN, BOB).members[1].subject
    desk.connection.execute(
        sa.update(standing).where(standing.c.subject == other).values(sealed_history=b"?")
    )
    assert all(isinstance(found, StandingUnreadableError) for found in desk.load(ANN, BOB))
    before = size(desk)
    with pytest.raises(StandingUnreadableError):
        link(desk, ANN, CARL)
    with pytest.raises(StandingUnreadableError):
        unlink(desk, ANN)
    assert size(desk) == before
    assert rewritten(desk) == 1
    assert seen(desk, BOB) == [(EventKind.GRANT, True)]


def test_the_standing_of_an_old_day_does_not_part_them(desk: Recorder) -> None:
    desk.record_one(BOB, an_event())
    old = desk.connection.execute(sa.select(standing)).mappings().one()
    link(desk, ANN, BOB)
    desk.connection.execute(
        sa.update(standing)
        .where(standing.c.subject == old["subject"])
        .values(sealed_history=old["sealed_history"], head_seq=old["head_seq"])
    )
    assert all(isinstance(found, StandingUnreadableError) for found in desk.load(ANN, BOB))


def test_a_person_has_no_more_addresses_than_a_person_has(desk: Recorder) -> None:
    many = [parse_address(f"ann{number}@example.com") for number in range(LINKED_MAX)]
    link(desk, *many)
    before = size(desk)
    people = sa.select(sa.func.count()).select_from(ledger.subject)
    with pytest.raises(LinkTooLargeError):
        link(desk, many[0], BOB)
    assert size(desk) == before
    assert desk.connection.execute(people).scalar_one() == LINKED_MAX


def test_linking_takes_the_same_few_statements_to_read(desk: Recorder) -> None:
    link(desk, ANN, BOB)
    link(desk, CARL, DORA)
    with consents.counted_statements(desk.connection) as ran:
        desk.load(ANN, BOB, CARL, DORA)
    assert len(ran) == 4
    with consents.counted_statements(desk.connection) as ran:
        desk.load(ANN, CARL)
    assert len(ran) == 6


def test_a_carried_stop_is_written_and_read_whole() -> None:
    stop = CarriedStop(
        index=4,
        event=REVOKE,
        at=NOW,
        sender="acme",
        channel=Channel.SMS,
        purpose=Purpose.SURVEY,
        brand="Kids",
        elsewhere=True,
    )
    event = ConsentEvent(event=RecordedKind.LINK, at=NOW, linked=("00" * 16,), carried=(stop,))
    assert decode_payload(encode_payload(event, None)) == (event, None)


# What may happen to four addresses, in any order, against a model of what each then sees.


@dataclass
class Act:
    """Somebody says something at an address, or addresses are linked or parted."""

    what: str
    who: tuple[int, ...]
    event: ConsentEvent = field(default_factory=an_event)


def acts() -> st.SearchStrategy[list[Act]]:
    who = st.integers(0, 3)
    kinds = st.sampled_from(
        (GRANT, REVOKE, REVOKE, RecordedKind.COMPLAINT, RecordedKind.PURCHASE, RecordedKind.SENT)
    )
    said = st.builds(
        lambda one, kind, days, channel, purpose: Act(
            "say",
            (one,),
            ConsentEvent(
                event=kind,
                at=NOW - days * DAY,
                sender="acme",
                channel=channel,
                purpose=purpose,
                level=Level.EXPRESS_WRITTEN if kind is GRANT else None,
            ),
        ),
        who,
        kinds,
        st.integers(0, 5),
        st.sampled_from((None, None, Channel.SMS)),
        st.sampled_from((None, None, Purpose.MARKETING)),
    )
    some = st.lists(who, min_size=2, max_size=3, unique=True).map(tuple)
    links = st.builds(Act, st.sampled_from(("link", "link", "unlink")), some)
    erasures = st.builds(lambda one: Act("erase", (one,)), who)
    return st.lists(st.one_of(said, said, said, links, links, erasures), max_size=12)


@dataclass
class Model:
    """For each address: whose else counts, and the stops that hold."""

    group: list[set[int]] = field(default_factory=lambda: [{i} for i in range(len(PEOPLE))])
    holding: list[set[int]] = field(default_factory=lambda: [set() for _ in PEOPLE])

    def link(self, who: Sequence[int]) -> None:
        joined = set().union(*(self.group[i] for i in who))
        holding = set().union(*(self.holding[i] for i in joined))
        for i in joined:
            self.group[i], self.holding[i] = joined, set(holding)

    def unlink(self, who: Sequence[int]) -> None:
        for i in who:
            self.group[i].discard(i)  # Those who stay share this set.
            self.group[i] = {i}


def play(at: Recorder, act: Act, model: Model) -> None:
    people = [PEOPLE[i] for i in act.who]
    if act.what == "say":
        (one,) = act.who
        recorded = at.record_one(people[0], act.event)
        if act.event.event in STOPS:
            for other in model.group[one]:
                model.holding[other].add(recorded.receipt.index)
    elif act.what == "link":
        link(at, *people)
        model.link(act.who)
    elif act.what == "unlink":
        unlink(at, *people)
        model.unlink(act.who)
    else:
        gone = sorted(model.group[act.who[0]])
        done = erased(at, people[0])
        if not done.repeated:
            for i in gone:
                model.holding[i].add(done.receipt.index)
        model.unlink(gone)


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(played=acts())
def test_every_stop_goes_on_holding_and_a_rebuild_says_the_same(
    desk: Recorder, played: list[Act]
) -> None:
    """Whatever is linked, parted and erased: a stop that held for an address holds for it for
    ever after, in its own place or in one that reaches as far, and nobody who has said stop is
    permitted anything from elsewhere."""
    with desk.connection.begin_nested() as savepoint:
        model = Model()
        for hour, act in enumerate(played):
            play(desk.at(NOW + hour * DAY), act, model)
        for i, address in enumerate(PEOPLE):
            person = desk.load_one(address)
            assert {*person.linked} == {
                other.subject
                for j in model.group[i] - {i}
                if (other := desk.load_one(PEOPLE[j])).subject
            }
            stops = [event for event in person.events if event.event in STOPS | {ERASE}]
            lacking = model.holding[i] - {event.index for event in stops}
            for index in lacking:
                assert any(_reaches_as_far(desk, stop, index, played) for stop in stops), index
            own_stop = any(not event.elsewhere for event in stops)
            if own_stop:
                assert not any(e.elsewhere and e.event in PERMITTING for e in person.events)
        assert damages(desk) == []
        assert rewritten(desk) == 0
        savepoint.rollback()


def _reaches_as_far(at: Recorder, stop: KeptEvent, index: int, played: list[Act]) -> bool:
    row = (
        at.connection.execute(sa.select(suppression).where(suppression.c.idx == index))
        .mappings()
        .first()
    )
    assert row is not None
    channel, purpose = stop.channel, stop.purpose
    return bool(
        stop.at >= row["occurred_at"]
        and channel in (None, row["channel"])
        and purpose in (None, row["purpose"])
    )
