"""Thousands of decisions made again: across a change of law, of time zone data, and erasures."""

import zoneinfo
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from api.operations.check_answers import CheckAnswer
from api.operations.check_messages import Check, versions
from api.operations.erase_subject import EraseSubjects, ErasureRequest
from audit import decisions
from audit.decisions import RecordedDecision
from audit.errors import SubjectErasedError
from audit.replay import Cause, Replay, Replayed
from jurisdictions.addresses import parse_address
from jurisdictions.releases import Release
from rules.vocabulary import Channel, Verdict
from tests.support import gates
from tests.support.consents import NOW, an_event
from tests.support.gates import LAW, RELEASE, Desk, a_release

pytestmark = pytest.mark.trial

CHECKS_A_PERSON = 4
PEOPLE_A_TURN = 60
MORNING = NOW + timedelta(hours=1, minutes=30)
"""Half past eight in New York, and half past seven in Chicago."""

SEPARATE = LAW.replace("grant: express_written", "grant: express_written, qualities: [separate]")
STRICTER = a_release(SEPARATE)


@contextmanager
def moved_clocks(folder: Path) -> Iterator[None]:
    """Time zone data by which New York keeps Chicago's time."""
    place = folder / "America" / "New_York"
    place.parent.mkdir(parents=True)
    chicago = files("tzdata") / "zoneinfo" / "America" / "Chicago"
    place.write_bytes(chicago.read_bytes())
    zoneinfo.reset_tzpath(to=[str(folder)])
    zoneinfo.ZoneInfo.clear_cache()
    try:
        yield
    finally:
        zoneinfo.reset_tzpath(to=())
        zoneinfo.ZoneInfo.clear_cache()


def address_of(number: int) -> str:
    """Reserved numbers are few, so most are mailboxes."""
    return f"+1212555{100 + number:04}" if number < 100 else f"p{number}@example.com"


def checks_of(desk: Desk, number: int) -> list[Check]:
    """What one person is asked about: three in one turn, for the last place of a cap."""
    address = address_of(number)
    place: dict[str, Any] = {"region": "US-NY", "time_zone": "America/New_York"}
    if "@" in address:
        place |= {"channel": Channel.EMAIL, "sender_id": "news@example.com"}
    else:
        place |= {"channel": Channel.VOICE if number % 10 == 0 else Channel.SMS}
    return [desk.a_check(address, **place) for _ in range(CHECKS_A_PERSON)]


def decide(desk: Desk, people: range) -> list[bytes]:
    """Let them be asked about; every third is a stranger. Give the ids in order."""
    ids: list[bytes] = []
    for start in range(people.start, people.stop, PEOPLE_A_TURN):
        some = range(start, min(start + PEOPLE_A_TURN, people.stop))
        known = [(parse_address(address_of(n)), n) for n in some if n % 3]
        desk.recorder.record(
            *(
                (who, an_event(channel=Channel.EMAIL if n >= 100 else Channel.SMS))
                for who, n in known
            )
        )
        answers = desk.check(*(check for n in some for check in checks_of(desk, n)))
        for answer in answers:
            assert isinstance(answer, CheckAnswer), answer
            ids.append(bytes.fromhex(str(answer.id).removeprefix("chk_")))
    return ids


def replay_every(
    desk: Desk, ids: list[bytes], *releases: Release, version: dict[str, str] | None = None
) -> dict[bytes, Replayed | None]:
    """Make all of them again, some hundred at once. None: the person was erased."""
    again = Replay(
        desk.connection,
        desk.organisation,
        keys=desk.gate.keys,
        registries=desk.gate.registries,
        releases={release.digest: release for release in releases},
        present=releases[0],
        versions=version or versions(),
    )
    made: dict[bytes, Replayed | None] = {}
    for part in decisions.walk(
        desk.connection, desk.organisation, 0, len(ids), keys=desk.gate.keys
    ):
        opened = [one for _, one in part if isinstance(one, RecordedDecision)]
        for one, answer in zip(opened, again.run(opened), strict=True):
            assert isinstance(answer, Replayed | SubjectErasedError), answer
            made[one.id] = answer if isinstance(answer, Replayed) else None
    assert list(made) == ids
    return made


def causes(one: Replayed) -> set[Cause]:
    return {differed.what for differed in one.differed}


def erase_some(desk: Desk, ids: list[bytes], people: int) -> int:
    """Erase some, known or not: their decisions are gone, and nobody else's. Say how many."""
    erased = set(range(0, people, 7))
    for number in erased:
        wanted = ErasureRequest(
            organisation=desk.organisation,
            actor="key_1",
            address=parse_address(address_of(number)),
            why="a trial",
        )
        EraseSubjects(desk.gate.keys, None).run_many(desk.connection, [wanted], now=desk.now)
    gone = 0
    for place, one in enumerate(replay_every(desk, ids, STRICTER, RELEASE).values()):
        if place // CHECKS_A_PERSON in erased:
            assert one is None
            gone += 1
        else:
            assert one is not None
            assert one.same, one.differed
    return gone


def test_decisions_are_made_again_across_law_clocks_and_erasures(
    engine: sa.Engine,
    tmp_path: Path,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    count = int(pytestconfig.getoption("--replays"))
    people = count // CHECKS_A_PERSON
    half = people // 2
    with gates.desk(engine, tmp_path) as made:
        desk = made.at(MORNING)
        desk.load_registry("us-test", "2026-11-01", "+12125550110,true\n")
        before = decide(desk, range(half))
        after = decide(desk.under(STRICTER), range(half, people))
        ids = before + after
        counts: Counter[str] = Counter()

        # Both laws at hand: the same bytes, whatever there is.
        for one in replay_every(desk, ids, STRICTER, RELEASE).values():
            assert one is not None
            assert one.same, (one.differed, one.proof)
            counts[one.before.verdict] += 1

        # The law changed: those of before differ by it, and only they.
        turned = 0
        for id_, one in replay_every(desk, ids, STRICTER).items():
            assert one is not None
            assert causes(one) == (set() if id_ in set(after) else {Cause.RELEASE})
            turned += one.before.verdict is not one.after.verdict
        assert turned > 0

        # The clocks changed: named, and what it changed is told.
        deferred = 0
        laws = (a_release(LAW), a_release(SEPARATE))  # Made anew: they hold zones of their own.
        with moved_clocks(tmp_path / "zones"):
            moved = replay_every(desk, ids, *laws, version=versions() | {"tzdata": "moved"})
            for one in moved.values():
                assert one is not None
                assert causes(one) == {Cause.TZDATA}
                if one.before.verdict is Verdict.ALLOW and one.after.verdict is Verdict.DEFER:
                    deferred += 1
                    assert "quiet_hours" in {finding.code for finding in one.changed.reasons_added}
        assert deferred > 0

        gone = erase_some(desk, ids, people)
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items())
    record_property(
        "trial",
        f"{len(ids)} decisions made again four times: {told}; {turned} turned by the law,"
        f" {deferred} by the clocks, {gone} gone with who was erased",
    )
