"""Recorded decisions under another law: which turn, and which way."""

import itertools
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.operations.check_answers import CheckAnswer
from audit import decisions
from audit.decisions import RecordedDecision
from audit.simulate import DECISIONS_AT_ONCE, Counts, Turned, Way, simulate
from consent.ledger.identifiers import id_of
from jurisdictions.releases import Release
from rules.vocabulary import Channel, Verdict
from tests.support import gates
from tests.support.consents import ANN, NOW, an_event
from tests.support.gates import BY_DAY, LAW, RELEASE, Desk, a_release


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Desk]:
    with gates.desk(engine, tmp_path) as made:
        made.recorder.record_one(ANN, an_event())
        yield made.at(BY_DAY)


def recorded(desk: Desk, *answers: CheckAnswer) -> list[RecordedDecision]:
    ids = [id_of("chk", str(answer.id)) for answer in answers]
    found = decisions.find_many(desk.connection, desk.organisation, ids, keys=desk.gate.keys)
    opened = [found[id_] for id_ in ids]
    return [one for one in opened if isinstance(one, RecordedDecision)]


def simulated(past: list[RecordedDecision], release: Release) -> tuple[list[Turned], Counts]:
    counts = Counts()
    return list(simulate(past, release, counts)), counts


def test_the_same_law_turns_nothing(desk: Desk) -> None:
    past = recorded(
        desk, desk.check_one(desk.a_check()), desk.check_one(desk.a_check("+13055550123"))
    )
    turned, counts = simulated(past, RELEASE)
    assert (turned, counts) == ([], Counts(total=2, same=2))


def test_stricter_and_looser_are_told_apart_with_their_reasons(desk: Desk) -> None:
    allowed = desk.check_one(desk.a_check())
    denied = desk.check_one(desk.a_check("+13055550123"))
    past = recorded(desk, allowed, denied)
    stricter = a_release(
        LAW.replace("grant: express_written", "grant: implied, qualities: [night]")
    )
    (one, other), counts = simulated(past, stricter)
    assert (one.way, one.before, one.after) == (Way.STRICTER, Verdict.ALLOW, Verdict.DENY)
    assert [finding.code for finding in one.reasons_added] == ["consent_insufficient"]
    # Nothing is on record still, and another level would do now.
    assert (other.way, other.before, other.after) == (Way.OTHERWISE, Verdict.DENY, Verdict.DENY)
    assert (counts.stricter, counts.looser, counts.otherwise) == (1, 0, 1)
    looser = a_release(LAW.replace("grant: express_written", "open: true"))
    (other,), counts = simulated(past, looser)
    assert (other.id, other.way) == (past[1].id, Way.LOOSER)
    assert [finding.code for finding in other.reasons_removed] == ["consent_missing"]
    assert (counts.stricter, counts.looser, counts.same) == (0, 1, 1)


@pytest.mark.parametrize(
    ("opens", "way"), [("07:30", Way.LOOSER), ("08:30", Way.STRICTER), ("08:00", None)]
)
def test_of_two_deferrals_the_later_is_the_stricter(
    desk: Desk, opens: str, way: Way | None
) -> None:
    at_night = desk.at(NOW - timedelta(hours=3))
    past = recorded(desk, at_night.check_one(desk.a_check()))
    other = a_release(LAW.replace('"08:00-21:00"', f'"{opens}-21:00"'))
    turned, _ = simulated(past, other)
    assert [one.way for one in turned] == ([] if way is None else [way])


def test_a_register_that_was_not_read_is_named(desk: Desk) -> None:
    desk.load_registry("us-test", "2026-11-01")
    past = recorded(desk, desk.check_one(desk.a_check(channel=Channel.VOICE)))
    other = a_release(LAW.replace("id: us-test", "id: us-other"))
    (one,), counts = simulated(past, other)
    assert (one.way, one.unasked, counts.unasked) == (Way.STRICTER, ("us-other",), 1)
    law = LAW.replace("max_age: 31 days", "max_age: 1 days")
    (one,), counts = simulated(past, a_release(law))
    assert (one.way, one.unasked, counts.unasked) == (Way.STRICTER, (), 0)


def test_a_law_of_another_country_binds_nobody_here(desk: Desk) -> None:
    """And where no law is known, nothing goes."""
    past = recorded(desk, desk.check_one(desk.a_check()))
    elsewhere = a_release(
        LAW.replace("jurisdiction: US", "jurisdiction: NO").replace(
            "recipient: US", "recipient: NO"
        )
    )
    (one,), _ = simulated(past, elsewhere)
    assert (one.after, one.reasons_added[0].code) == (Verdict.DENY, "unknown_jurisdiction")


def test_people_are_told_apart_and_no_more_is_held_than_a_batch(desk: Desk) -> None:
    """Ten times the same person's first message of the day: each of them had its own place."""
    past = recorded(desk, desk.check_one(desk.a_check()))
    taken = itertools.count()

    def endless() -> Iterator[RecordedDecision]:
        while True:
            next(taken)
            yield past[0]

    counts = Counts()
    stricter = a_release(
        LAW.replace("grant: express_written", "grant: implied, qualities: [night]")
    )
    turned = list(itertools.islice(simulate(endless(), stricter, counts), 10))
    assert {one.after for one in turned} == {Verdict.DENY}
    assert next(taken) == DECISIONS_AT_ONCE
