"""Whatever several addresses say, in whatever order they are linked, parted and erased.

A small model says who may be written to. The service says the same, and whoever is told by webhook
has stopped whomever the service has stopped.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from api.operations.decide_reviews import DecideReviews, ReviewDecision
from consent.erasure import ErasureInput, erase
from consent.events import RecordedKind
from consent.fsck.ledger import inspect_organisation
from consent.ledger import identifiers
from consent.linking import LinkInput, link, unlink
from consent.propagation import endpoints, outbox
from consent.propagation.tables import webhook_delivery
from consent.propagation.words import Proof, WebhookEvent
from consent.recording import Recorded
from jurisdictions.addresses import parse_address
from rules.kinds.consent import Consent, GrantRoute, OptOutReach
from rules.kinds.preconditions import NotUnderReview
from rules.plan import compile_plan
from rules.vocabulary import Channel, Level, ReasonCode, Verdict
from tests.support import consents
from tests.support.consents import NOW, Recorder, an_event
from tests.support.law import a_message_to, a_rule

pytestmark = pytest.mark.trial

PEOPLE = tuple(parse_address(f"+1212555012{number}") for number in range(3))
TOLD = [WebhookEvent.GRANTED, WebhookEvent.REVOKED, WebhookEvent.ERASED]
CONSENT = Consent(
    routes=(GrantRoute(level=Level.EXPRESS),), reach=OptOutReach(erased_until_granted=True)
)
LAW = compile_plan((a_rule(CONSENT), a_rule(NotUnderReview(), name="xa-review")))
STEP = timedelta(minutes=1)

Scope = tuple[str | None, Channel | None]
SCOPES: tuple[Scope, ...] = (
    (None, None),
    ("acme", None),
    (None, Channel.SMS),
    ("beta", None),
    ("acme", Channel.VOICE),
)
"""The first three reach a text message of Acme's, which is what is asked about."""

Act = tuple[Any, ...]


@pytest.fixture
def desk(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


@dataclass
class Address:
    """What counts at one address: when it was last said, here or at another."""

    group: set[int]
    stopped_at: datetime | None = None
    opted_out_at: datetime | None = None
    granted_at: datetime | None = None
    has_said_stop: bool = False
    doubts: set[int] = field(default_factory=set)

    def stop(self, at: datetime) -> None:
        self.stopped_at = max(at, self.stopped_at or at)

    def opt_out(self, at: datetime, held_at: dict[int, datetime]) -> None:
        """An opt-out takes the place of every doubt before it; a complaint does not."""
        self.opted_out_at = max(at, self.opted_out_at or at)
        self.doubts = {hold for hold in self.doubts if held_at[hold] > self.opted_out_at}
        self.stop(at)


class Model:
    """Who may be written to, as it is promised."""

    def __init__(self) -> None:
        self.addresses = [Address({i}) for i in range(len(PEOPLE))]
        self.held_at: dict[int, datetime] = {}

    def others(self, i: int) -> list[Address]:
        return [self.addresses[j] for j in self.addresses[i].group]

    def stop(self, i: int, at: datetime, *, opts_out: bool) -> None:
        self.addresses[i].has_said_stop = True
        for one in self.others(i):
            one.opt_out(at, self.held_at) if opts_out else one.stop(at)

    def link(self, who: list[int]) -> None:
        group = set().union(*(self.addresses[i].group for i in who))
        joined = [self.addresses[i] for i in group]
        stops = [one.stopped_at for one in joined if one.stopped_at]
        opt_outs = [one.opted_out_at for one in joined if one.opted_out_at]
        doubts = set().union(*(one.doubts for one in joined))
        for one in joined:
            one.group, one.doubts = group, set(doubts)
            if stops:
                one.stop(max(stops))
            if opt_outs:
                one.opt_out(max(opt_outs), self.held_at)

    def unlink(self, who: list[int]) -> None:
        for i in who:
            self.addresses[i].group.discard(i)
            self.addresses[i].group = {i}

    def erase(self, i: int, at: datetime) -> None:
        for j in sorted(self.addresses[i].group):
            one = self.addresses[j]
            one.granted_at, one.has_said_stop = None, True
            one.opt_out(at, self.held_at)
            one.group = {j}

    def decide(self, hold: int, i: int, *, revoke: bool) -> None:
        if revoke:
            self.stop(i, self.held_at[hold], opts_out=True)
        for one in self.addresses:
            if hold in one.doubts:
                one.doubts.discard(hold)
                if revoke:
                    one.has_said_stop = True
                    one.opt_out(self.held_at[hold], self.held_at)

    def may_be_written_to(self, i: int) -> bool:
        one = self.addresses[i]
        said = [self.addresses[j].granted_at for j in one.group if j == i or not one.has_said_stop]
        granted_at = max((at for at in said if at), default=None)
        if one.doubts or granted_at is None:
            return False
        return one.stopped_at is None or granted_at > one.stopped_at


class Story:
    """An organisation with one endpoint that wants to know of all of it."""

    def __init__(self, desk: Recorder) -> None:
        self.desk, self.model, self.now = desk, Model(), NOW
        self.open: list[tuple[int, bytes, int]] = []
        endpoints.make(
            desk.connection,
            desk.organisation,
            url="https://hooks.example.com/",
            events=TOLD,
            gates=(),
            proof=Proof.DELIVERED,
            keys=desk.keys,
            now=NOW,
        )

    def play(self, act: str, *who: int) -> None:
        self.now += STEP
        desk, model = self.desk.at(self.now), self.model
        match act:
            case "grant" | "revoke" | "complaint" | "hold":
                self._say(desk, RecordedKind(act), who[0], SCOPES[who[1]])
            case "link" | "unlink":
                asked = LinkInput(addresses=[PEOPLE[i] for i in who])
                do = link if act == "link" else unlink
                do(desk.connection, desk.organisation, asked, keys=desk.keys, now=self.now)
                (model.link if act == "link" else model.unlink)(list(who))
            case "erase":
                given = ErasureInput(
                    address=PEOPLE[who[0]], event_id=identifiers.uuid7(self.now), why="asked"
                )
                done = erase(
                    desk.connection, desk.organisation, given, keys=desk.keys, now=self.now
                )
                if not done.repeated:
                    gone = set(model.addresses[who[0]].group)
                    model.erase(who[0], self.now)
                    # Nobody can decide on these any more.
                    self.open = [one for one in self.open if one[2] not in gone]
            case "decide":
                self._decide(desk, revoke=bool(who[0]))

    def _say(self, desk: Recorder, kind: RecordedKind, i: int, scope: Scope) -> None:
        sender, channel = scope
        if kind is RecordedKind.GRANT:
            sender, channel = sender or "acme", channel or Channel.SMS
        event = an_event(kind, at=self.now, sender=sender, channel=channel)
        recorded = desk.record_one(PEOPLE[i], event)
        reaches = sender in (None, "acme") and channel in (None, Channel.SMS)
        if kind is RecordedKind.GRANT:
            if reaches:
                self.model.addresses[i].granted_at = self.now
        elif kind is not RecordedKind.HOLD:
            self.model.addresses[i].has_said_stop = True
            if reaches:
                self.model.stop(i, self.now, opts_out=kind is RecordedKind.REVOKE)
        elif reaches:
            index = recorded.receipt.index
            self.model.held_at[index] = self.now
            for one in self.model.others(i):
                one.doubts.add(index)
            self.open.append((index, recorded.receipt.event_id, i))

    def _decide(self, desk: Recorder, *, revoke: bool) -> None:
        if not self.open:
            return
        index, event_id, whose = self.open.pop(0)
        work = DecideReviews(desk.keys, release="none")
        asked = ReviewDecision(
            organisation=desk.organisation, actor="key", event_id=event_id, revoke=revoke, why="x"
        )
        (answer,) = work.run_many(desk.connection, [asked], now=self.now)
        assert isinstance(answer, Recorded), answer
        self.model.decide(index, whose, revoke=revoke)

    def check(self) -> None:
        told_stopped = self._told_stopped()
        for i, address in enumerate(PEOPLE):
            history = self.desk.load_one(address).history("acme")
            facts = a_message_to(*history.events, send_at=self.now + STEP / 2)
            (decision,) = LAW.decide_many([facts])
            codes = {finding.code for finding in decision.findings}
            may = decision.verdict is Verdict.ALLOW
            assert may is self.model.may_be_written_to(i), (i, codes, history.events)
            if codes & {ReasonCode.CONSENT_REVOKED, ReasonCode.ERASED}:
                assert address.normalised in told_stopped, (i, codes)

    def _told_stopped(self) -> set[str]:
        """Whom a receiver stops that takes everything in order."""
        stopped: set[str] = set()
        for body in self._bodies():
            event = msgspec.json.decode(body)
            scope = (event["data"].get("sender"), event["data"].get("channel"))
            if scope[0] == "beta" or scope[1] == Channel.VOICE:
                continue
            if event["type"] == WebhookEvent.GRANTED:
                stopped -= set(event["data"]["addresses"])
            else:
                stopped |= set(event["data"]["addresses"])
        return stopped

    def _bodies(self) -> Iterator[bytes]:
        c = webhook_delivery.c
        rows = sa.select(c.id, c.sealed_body).where(c.organisation == self.desk.organisation)
        for id_, sealed in self.desk.connection.execute(rows.order_by(c.position)):
            yield outbox.open_body(self.desk.organisation, id_, sealed, keys=self.desk.keys)

    def inspect(self) -> None:
        found = inspect_organisation(
            self.desk.connection,
            self.desk.organisation,
            keys=self.desk.keys,
            progress=lambda _: None,
        )
        assert [damage.detail for damage in found] == []


who = st.integers(0, len(PEOPLE) - 1)
EVERYBODY = range(len(PEOPLE))
GROUPS = [(0, 1), (1, 2), (0, 2), (0, 1, 2)]
ACTS: list[Act] = [
    *((kind, i, 0) for kind in ("grant", "revoke", "complaint", "hold") for i in EVERYBODY),
    *(("grant", i, 0) for i in EVERYBODY),
    *(("revoke", 0, scope) for scope in range(1, len(SCOPES))),
    *(("link", *group) for group in (*GROUPS, *GROUPS)),
    *(("unlink", i) for i in EVERYBODY),
    *(("unlink", *group) for group in GROUPS),
    *(("erase", i) for i in EVERYBODY),
    ("decide", 0),
    ("decide", 1),
]


@settings(
    max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(st.lists(st.sampled_from(ACTS), max_size=14))
def test_who_may_be_written_to_is_what_they_said_and_whoever_is_told_stops_them_too(
    desk: Recorder, acts: list[Act]
) -> None:
    with desk.connection.begin_nested() as savepoint:
        story = Story(desk)
        for act in acts:
            story.play(*act)
            story.check()
        story.inspect()
        savepoint.rollback()
