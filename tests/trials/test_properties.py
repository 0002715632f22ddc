"""Whatever happens, and in whatever order: what must always hold, held against a simple model.

Hypothesis chooses what happens: grants, opt-outs, batches, links, erasures, checks, new keys,
crashes, backups that are restored and forked from, time. All of it goes through the service as its
callers ask it. Invariants 1 (acknowledged is present, once), 2 (indexes without gaps), 3
(checkpoints agree with the log), 4 (the fold of the events is the projection), 5 (no allow after an
opt-out, at none of the addresses that are linked), 7 (linking and parting loosen nothing that was
stopped), 9 (an erased person's data is gone, and they stay suppressed), 12 (nothing of a person in
logs, errors and leaves) and 14 (an organisation sees its own only).
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from consent.keys.sealing import KeyKind
from consent.ledger.checkpoints import read_unverified
from tests.support.databases import BACKENDS
from tests.support.logs import check_logs, naive_root
from tests.trials.asked_life import (
    ADDRESSES,
    SENDERS,
    AskedLife,
    assert_tells_nobody,
    person_of,
)
from tests.trials.consent_model import Act, Expected, Model, Note
from tests.trials.whole_ledger import Sites, load_register

pytestmark = pytest.mark.trial

LOGS = ("consent", "decisions", "rules", "access")
STEPS = 30
LONG_AGO = datetime(2025, 6, 1, 17, tzinfo=UTC)


addresses = st.sampled_from(ADDRESSES)
senders = st.sampled_from(SENDERS)
organisations = st.sampled_from((0, 1))
several = st.lists(addresses, min_size=2, max_size=3, unique_by=person_of)
scopes = st.fixed_dictionaries(
    {}, optional={"sender": senders, "channel": st.sampled_from(("sms", "email"))}
)


class Backup(NamedTuple):
    """A copy of the database, and what was true when it was taken."""

    copy: str
    model: Model
    sizes: dict[tuple[str, str], int]
    keys: dict[tuple[str, KeyKind], int]


class Lives(AskedLife):
    """One installation with two organisations, from its founding on."""

    def __init__(self) -> None:
        super().__init__()
        self.checks: dict[int, list[str]] = {0: [], 1: []}
        self.backup: Backup | None = None

    # What happens.

    @initialize(linked=st.sampled_from(((), (0, 2), (0, 1, 2))))
    def found(self, linked: tuple[int, ...]) -> None:
        self.living.start()
        for name in ("Acme Inc", "Beta Inc"):
            organisation = self.living.run(self.living.service.new_organisation(name))
            self.living.ledger.organisations.append(organisation)
            for sender in SENDERS:
                self.living.run(self.living.service.put_sender(organisation, sender))
            self.living.run(load_register(self.living.service, organisation))
        for which in (0, 1):
            self.record(which, [(address, "acme", False) for address in ADDRESSES[: 4 - which]])
        if linked:
            self.link(0, [ADDRESSES[one] for one in linked])

    @rule(which=organisations, address=addresses, sender=senders, backdated=st.booleans())
    def grant(self, which: int, address: str, sender: str, backdated: bool) -> None:
        organisation = self.organisation(which)
        body = self.a_grant(address, sender)
        if backdated:
            # Learnt of today, given before everything else: it never beats what was said since.
            body["at"] = LONG_AGO.isoformat()
            if any(word.act is Act.GRANT for word in self.model.of(organisation, address)):
                return
        self.took(self.living.post(organisation, "/v1/consent-events", body), organisation)
        word = self.word(Act.GRANT, body["channel"], sender)
        if backdated:
            word = replace(word, at=LONG_AGO)
        self.model.say(organisation, person_of(address), word)

    @rule(which=organisations, address=addresses, scope=scopes)
    def stop(self, which: int, address: str, scope: dict[str, str]) -> None:
        organisation = self.organisation(which)
        body = {"address": address, "via": "link", **scope}
        once = f"stop-{len(self.model.receipts)}"
        first = self.living.post(organisation, "/v1/opt-outs", body, once=once)
        again = self.living.post(organisation, "/v1/opt-outs", body, once=once)
        assert first.json() == again.json(), "the same request has the same answer"
        self.took(first, organisation)
        word = self.word(Act.STOP, scope.get("channel"), scope.get("sender"))
        self.model.say(organisation, person_of(address), word)

    @rule(
        which=organisations,
        batch=st.lists(st.tuples(addresses, senders, st.booleans()), min_size=1, max_size=8),
    )
    def record_many(self, which: int, batch: list[tuple[str, str, bool]]) -> None:
        self.record(which, batch)

    def record(self, which: int, batch: list[tuple[str, str, bool]]) -> None:
        """Record grants and opt-outs in one request."""
        organisation = self.organisation(which)
        events = []
        for address, sender, stops in batch:
            self.wait(timedelta(seconds=1))
            event = self.a_grant(address, sender)
            if stops:
                event |= {"event": "revoke", "via": "link", "purpose": None, "channel": None}
                event.pop("level")
            event["at"] = self.living.service.clock.now().isoformat()
            events.append(event)
            word = self.word(
                Act.STOP if stops else Act.GRANT, None if stops else event["channel"], sender
            )
            self.model.say(organisation, person_of(address), word)
        answer = self.living.post(organisation, "/v1/consent-events", {"events": events})
        assert answer.status_code == 200, answer.text
        for receipt in answer.json()["results"]:
            self.keep(receipt, organisation)

    @rule(which=organisations, stopping=st.lists(addresses, min_size=2, max_size=5))
    def stop_at_once(self, which: int, stopping: list[str]) -> None:
        """Several at the same moment share a turn of the writer."""
        organisation = self.organisation(which)

        async def all_of_them() -> list[httpx.Response]:
            import asyncio

            bodies = [{"address": address, "via": "link"} for address in stopping]
            asked = [self.living.asking(organisation, "/v1/opt-outs", body) for body in bodies]
            return list(await asyncio.gather(*asked))

        for answer, address in zip(self.living.run(all_of_them()), stopping, strict=True):
            self.took(answer, organisation)
            self.model.say(organisation, person_of(address), self.word(Act.STOP))

    @rule(which=organisations, address=addresses)
    def erase(self, which: int, address: str) -> None:
        organisation = self.organisation(which)
        everywhere = self.model.group(organisation, person_of(address))
        subjects = {self.subject_of(organisation, one) for one in everywhere}
        body = {"address": address, "why": "request 117"}
        answer = self.living.post(organisation, "/v1/subjects/erase", body)
        assert answer.status_code == 200, answer.text
        self.seen.append(answer.text)
        self.model.erased_subjects |= {subject for subject in subjects if subject is not None}
        self.model.erase(organisation, person_of(address), self.word(Act.ERASE))
        for one in everywhere:
            assert self.subject_of(organisation, one) is None
            self.must_be(Expected.STOPPED, organisation, one, "acme")

    @rule(which=organisations, together=several)
    def link(self, which: int, together: list[str]) -> None:
        """What was stopped at any of them is stopped at all, and what was stopped here stays so."""
        organisation = self.organisation(which)
        answer = self.living.post(organisation, "/v1/subjects/link", {"addresses": together})
        assert answer.status_code == 200, answer.text
        self.seen.append(answer.text)
        for receipt in answer.json()["receipts"]:
            self.keep(receipt, organisation)
        linked = self.model.link(organisation, [person_of(one) for one in together])
        for subject in answer.json()["subjects"]:
            assert len(subject["linked"]) == len(linked) - 1
        self.as_expected(organisation, linked)
        self.done["links"] += 1

    @precondition(lambda self: bool(self.model.groups))
    @rule(which=organisations, number=st.integers(0, 4))
    def unlink(self, which: int, number: int) -> None:
        """Nothing that was denied is allowed after it."""
        organisation = self.organisation(which)
        linked = sorted(one for place, one in self.model.groups if place == organisation)
        leaving = [linked[number % len(linked)]] if linked else [ADDRESSES[number]]
        everybody = self.model.group(organisation, person_of(leaving[0]))
        asked = [(one, sender) for one in sorted(everybody) for sender in SENDERS]
        before = [self.told_of(organisation, *one)["verdict"] for one in asked]
        answer = self.living.post(organisation, "/v1/subjects/unlink", {"addresses": leaving})
        assert answer.status_code == 200, answer.text
        self.seen.append(answer.text)
        for receipt in answer.json()["receipts"]:
            self.keep(receipt, organisation)
        after = [self.told_of(organisation, *one) for one in asked]
        for one, then, now in zip(asked, before, after, strict=True):
            assert then != "deny" or now["verdict"] == "deny", f"unlinking loosens: {one}: {now}"
        self.model.unlink(organisation, [person_of(one) for one in leaving])
        self.as_expected(organisation, everybody)
        self.done["unlinks"] += bool(linked)

    @rule(which=organisations, address=addresses, sender=senders, preview=st.booleans())
    def check(self, which: int, address: str, sender: str, preview: bool) -> None:
        organisation = self.organisation(which)
        expected = self.model.expected(organisation, person_of(address), sender)
        told = self.must_be(expected, organisation, address, sender, preview=preview)
        if not preview:
            self.checks[which].append(told["id"])
        if not preview and told["verdict"] == "allow":
            report = self.living.post(organisation, f"/v1/checks/{told['id']}/sent", {})
            assert report.status_code in (200, 201), report.text

    @rule(which=organisations, address=addresses)
    def look_at_another(self, which: int, address: str) -> None:
        """What one organisation knows, the other one does not."""
        ours, theirs = self.organisation(which), self.organisation(1 - which)
        person = person_of(address)
        known_here = self.model.of(ours, person) or (ours, person) in self.model.ever_linked
        if self.model.of(theirs, person) and not known_here:
            assert self.subject_of(ours, address) is None
        for check in self.checks[1 - which][-2:]:
            answer = self.living.get(ours, f"/v1/checks/{check}")
            assert answer.status_code == 404, answer.text
            self.seen.append(answer.text)
        self.done["looks at another organisation"] += 1

    @rule(which=organisations, address=addresses)
    def ask_badly(self, which: int, address: str) -> None:
        """Errors name no one."""
        organisation = self.organisation(which)
        bad = self.a_grant(address, "acme") | {"level": address, "purpose": address}
        for path, body in (("/v1/consent-events", bad), ("/v1/checks", {"recipient": address})):
            answer = self.living.post(organisation, path, body)
            assert answer.status_code == 400, answer.text
            self.seen.append(answer.text)

    @rule(seconds=st.sampled_from((61, 3_600, 86_400, 20 * 86_400)))
    def time_passes(self, seconds: int) -> None:
        self.wait(timedelta(seconds=seconds))

    @rule(which=organisations, what=st.sampled_from(("organisation", "index")))
    def rotate_keys(self, which: int, what: str) -> None:
        body: dict[str, object] = {"what": what}
        answer = self.living.post(self.organisation(which), "/v1/keys/rotation", body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["cursor"] is None, "so few persons are one step"

    @rule(which=organisations, address=addresses)
    def renew_a_key(self, which: int, address: str) -> None:
        organisation = self.organisation(which)
        answer = self.living.post(organisation, "/v1/subjects/renew-key", {"address": address})
        assert answer.status_code in (200, 404), answer.text
        self.seen.append(answer.text)

    @rule()
    def sign(self) -> None:
        self.living.sign()
        for organisation in self.living.ledger.organisations:
            for log in LOGS:
                answer = self.living.get(organisation, f"/v1/logs/{log}/checkpoint")
                if answer.status_code == 200:
                    told = read_unverified(answer.text)
                    self.model.notes.append(Note(organisation, log, told.size, told.root))

    @rule()
    def crash(self) -> None:
        self.living.crash()
        self.living.start()
        self.done["crashes"] += 1
        self.hold()

    @rule()
    def back_up(self) -> None:
        self.sign()
        self.living.stop()
        sizes = {(row["organisation"], row["log"]): row["size"] for row in self.rows("log_head")}
        versions = self.key_versions()
        self.backup = Backup(self.living.back_up(), self.model.copy(), sizes, versions)
        self.living.start()

    @precondition(lambda self: self.backup is not None)
    @rule()
    def restore(self) -> None:
        """An old copy is read-only; after a fork it is served, and who was erased stays so."""
        assert self.backup is not None
        copy, earlier, sizes, versions = self.backup
        self.living.sign()
        self.living.stop()
        if self.key_versions() != versions:
            # What opened the keys in older copies was destroyed: that is what it is for.
            self.backup = None
            self.living.start()
            return
        grown = any(
            row["size"] > sizes[row["organisation"], row["log"]] for row in self.rows("log_head")
        )
        self.living.restore(copy)
        if grown:
            self.living.start()
            refused = self.living.post(
                self.organisation(0), "/v1/opt-outs", {"address": ADDRESSES[0], "via": "link"}
            )
            assert (refused.status_code, refused.json()["code"]) == (503, "ledger_read_only")
            self.living.crash()
            self.living.fork()
        self.living.start()
        self.model.back_to(earlier, sizes)
        self.done["restores"] += 1
        self.hold()

    # What must hold.

    @invariant()
    def nobody_is_told_of(self) -> None:
        """12: no address in an answer that is an error, nor in a certificate."""
        for text in self.seen:
            assert_tells_nobody(text)
        self.seen.clear()

    def hold(self) -> None:
        """Everything that can be asked of the database as it stands."""
        assert self.living.inspect() == [], "4: the fold of the events is the projection"
        entries = self.rows("log_entry")
        by_log: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in sorted(entries, key=lambda row: row["idx"]):
            by_log.setdefault((row["organisation"], row["log"]), []).append(row)
            assert_tells_nobody(bytes(row["leaf"]).decode())
        for rows in by_log.values():
            assert [row["idx"] for row in rows] == list(range(len(rows))), "2: without gaps"
        for receipt in self.model.receipts:
            row = by_log[receipt.organisation, receipt.log][receipt.index]
            assert row["leaf_hash"].hex() == receipt.leaf_hash, "1: acknowledged, and there"
        known = [(one.organisation, one.log, one.index) for one in self.model.receipts]
        assert len(known) == len(set(known)), "1: and there once"
        for note in self.model.notes:
            rows = by_log[note.organisation, note.log][: note.size]
            assert naive_root([row["leaf_hash"] for row in rows]) == note.root, "3: consistent"
        self.what_was_erased_is_gone()
        for organisation in self.living.ledger.organisations:
            for address in ADDRESSES:
                for sender in SENDERS:
                    expected = self.model.expected(organisation, person_of(address), sender)
                    self.must_be(expected, organisation, address, sender)
        self.done["whole looks"] += 1

    def what_was_erased_is_gone(self) -> None:
        """9: nothing of an erased person is left that any key opens."""
        tables = self.living.tables()
        for table in ("log_payload", "subject_key", "subject_alias", "standing"):
            for row in tables[table]:
                subject = row["subject"]
                assert subject is None or subject.hex() not in self.model.erased_subjects, table

    def teardown(self) -> None:
        with contextlib.closing(self.living):
            if self.living.ledger.organisations:
                self.hold()
                for which in (0, 1):
                    while any(place == self.organisation(which) for place, _ in self.model.groups):
                        self.unlink(which, 0)
                metrics = self.living.run(self.living.service.client.get("/metrics"))
                self.living.stop()
                engine = self.living.ledger.engine()
                with engine.connect() as connection:
                    check_logs(connection)
                engine.dispose()
                for text in (*self.living.printed, metrics.text):
                    assert_tells_nobody(text)
                self.done["acknowledged"] += len(self.model.receipts)
                self.done["checkpoints"] += len(self.model.notes)
                self.done["erased"] += len(self.model.erased_subjects)
        self.done["lives"] += 1


@pytest.fixture(params=BACKENDS)
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sites]:
    server = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
    with ExitStack() as stack:
        yield Sites(stack, tmp_path, server)


def test_what_must_always_hold_holds(
    sites: Sites,
    pytestconfig: pytest.Config,
    record_property: Callable[[str, object], None],
) -> None:
    done: Counter[str] = Counter()

    class OnThisDatabase(Lives):
        pass

    OnThisDatabase.sites, OnThisDatabase.done = sites, done
    run_state_machine_as_test(
        OnThisDatabase,
        settings=settings(
            max_examples=pytestconfig.getoption("--lives"),
            stateful_step_count=STEPS,
            deadline=None,
            # A life takes a second or two: making a failing one shorter takes minutes.
            phases=[phase for phase in Phase if phase not in (Phase.shrink, Phase.explain)]
            if not pytestconfig.getoption("--shrink")
            else list(Phase),
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert done["lives"] >= 2
    assert done["checks (stopped)"] >= 10
    assert done["checks (granted)"] >= 10
    assert done["links"] >= 2
    assert done["unlinks"] >= 2
    record_property("trial", ", ".join(f"{n} {what}" for what, n in sorted(done.items())))
