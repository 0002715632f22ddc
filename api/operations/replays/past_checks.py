"""Make every decision of a stretch of time again; for commands, beside a service or without one."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from api.database import refuse_newer_schema, schema_of
from api.errors import NotFoundError, StoreUnavailableError
from api.operations.check_messages import ID_PREFIX, versions
from api.operations.replays.one_check import ReplayAnswer, told
from api.operations.upkeep.one_state import at_one_state, opened_folder
from api.settings import Settings
from audit import decisions
from audit.decisions import RecordedDecision
from audit.replay import Replay
from audit.simulate import Counts, simulate
from consent.fsck.damage import Progress
from consent.keys.key_ring import KeyRing
from consent.ledger.checkpoints import read_heads
from consent.ledger.entries import Entry
from consent.ledger.identifiers import label_of
from consent.registries.snapshots import Registries
from jurisdictions.releases import Release
from rules.errors import ComplianceError


class Gone(msgspec.Struct, frozen=True, kw_only=True):
    """A decision that cannot be made again, and why: its ``code`` is that of the API."""

    id: str
    log: str
    index: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Past:
    """Decisions of a stretch of time, about to be read. ``total``: entries to be looked at."""

    connection: Connection
    keys: KeyRing
    registries: Registries
    spans: Mapping[str, tuple[int, int]]
    since: datetime
    until: datetime | None

    @property
    def total(self) -> int:
        """How many entries of the logs of decisions there are to be looked at."""
        return sum(end - first for first, end in self.spans.values())

    def walk(
        self, progress: Progress
    ) -> Iterator[tuple[str, list[tuple[Entry, RecordedDecision | ComplianceError]]]]:
        """The decisions in order, some hundred of one organisation at once."""
        for organisation, (first, end) in self.spans.items():
            parts = decisions.walk(self.connection, organisation, first, end, keys=self.keys)
            left = end - first
            for part in parts:
                yield organisation, [one for one in part if self._is_within(one[0].recorded_at)]
                progress(min(decisions.DECISIONS_AT_ONCE, left))
                left -= decisions.DECISIONS_AT_ONCE

    def _is_within(self, at: datetime) -> bool:
        return self.since <= at and (self.until is None or at < self.until)


@contextmanager
def past_decisions(
    settings: Settings,
    *,
    since: datetime,
    until: datetime | None = None,
    organisation: str | None = None,
) -> Iterator[Past]:
    """Open everything for reading, as it stands at one instant; a service may go on running."""
    folder, url = opened_folder(settings)
    keys = KeyRing.open(folder.root, root=settings.root_key_place())
    refuse_newer_schema(url)
    if schema_of(url) is None:
        raise StoreUnavailableError("the database is empty: nothing was ever decided in it")
    with at_one_state(url) as connection:
        known = sorted({head.organisation for head in read_heads(connection)})
        if organisation is not None and organisation not in known:
            raise NotFoundError("there is no such organisation")
        spans = {
            one: decisions.span_of(connection, one, since=since, until=until)
            for one in known
            if organisation in (None, one)
        }
        registries = Registries(folder.registries, keys)
        yield Past(connection, keys, registries, spans, since, until)


def replay_past(
    past: Past, *, releases: Sequence[Release], progress: Progress
) -> Iterator[ReplayAnswer | Gone]:
    """Make each again. The first of ``releases`` decides where that of then is not among them."""
    at_hand = {release.digest: release for release in releases}
    replays: dict[str, Replay] = {}
    for organisation, part in past.walk(progress):
        if organisation not in replays:
            replays = {
                organisation: Replay(
                    past.connection,
                    organisation,
                    keys=past.keys,
                    registries=past.registries,
                    releases=at_hand,
                    present=releases[0],
                    versions=versions(),
                )
            }
        opened = [one for _, one in part if isinstance(one, RecordedDecision)]
        again = iter(replays[organisation].run(opened))
        for entry, one in part:
            answer = one if isinstance(one, ComplianceError) else next(again)
            if isinstance(answer, ComplianceError):
                yield _gone(entry, answer)
            else:
                assert isinstance(one, RecordedDecision), "what is not opened is not replayed"
                yield told(answer, one)


def simulate_past(
    past: Past, release: Release, counts: Counts, *, progress: Progress
) -> Iterator[dict[str, object]]:
    """Those that would be others under ``release``, as they are told; ``counts`` grows with it.

    Decisions that do not open are left out: ``replay`` and ``ledger fsck`` name them.
    """
    opened = (
        one
        for _, part in past.walk(progress)
        for _, one in part
        if isinstance(one, RecordedDecision)
    )
    for turned in simulate(opened, release, counts):
        came = [f"+{finding.code}" for finding in turned.reasons_added]
        went = [f"-{finding.code}" for finding in turned.reasons_removed]
        yield {
            "id": label_of(ID_PREFIX, turned.id),
            "index": turned.index,
            "decided_at": turned.decided_at,
            "way": turned.way.value,
            "before": turned.before.value,
            "after": turned.after.value,
            "not_before": turned.not_before,
            "not_before_after": turned.not_before_after,
            "reasons": [*came, *went],
            "rules": sorted({one.provision.rule for one in turned.reasons_added}),
            "unasked": list(turned.unasked),
        }


def _gone(entry: Entry, why: ComplianceError) -> Gone:
    return Gone(
        id=label_of(ID_PREFIX, entry.event_id),
        log=entry.log.value,
        index=entry.index,
        code=why.code,
        detail=why.detail,
    )
