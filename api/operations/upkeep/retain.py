"""End the retention of decisions: by the organisation's setting, never sooner than a law permits.

A month is looked through decision by decision, for what the law wants kept of each. Then an entry
says that its key is destroyed, and after the commit it is. What is broken off is ended at the next
look.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from api.errors import ConflictError
from api.exchange import Service
from api.work import Priority
from api.writer import Writer
from audit import decisions
from audit.retention import Duties, Duty, Looked, look_through, nothing_looked_at
from consent import retention
from consent.erasure_journal import ErasureJournal
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.leaf import Statement
from consent.retention import Expired, Expiry, RetentionSetting
from jurisdictions.releases import Release
from rules.decision import Provision

PAUSE_SECONDS = 0.01
"""Between looks at some thousand decisions, so that checks are not kept waiting."""


@dataclass(frozen=True, slots=True)
class SettingRequest:
    """For how many months an organisation wants decisions kept; None: for good."""

    organisation: str
    actor: str
    decision_months: int | None


class PutRetention:
    """The work that puts settings on record."""

    name = "put_retention"
    priority = Priority.OTHER

    def run_many(
        self, connection: Connection, requests: Sequence[SettingRequest], *, now: datetime
    ) -> list[RetentionSetting]:
        """Put each on record, in order."""
        return [
            retention.put_setting(
                connection,
                one.organisation,
                decision_months=one.decision_months,
                actor=one.actor,
                now=now,
            )
            for one in requests
        ]


class ExpireMonths:
    """The work that ends months; the answer is how many ways to people of them were deleted.

    The journal has each on disk before the turn commits; without one, none is kept.
    """

    name = "expire_months"
    priority = Priority.OTHER

    def __init__(self, journal: ErasureJournal | None) -> None:
        self._journal = journal

    def run_many(
        self, connection: Connection, requests: Sequence[tuple[str, Expiry]], *, now: datetime
    ) -> list[int]:
        """End each, in order; one that has ended already is left as it is."""
        answers = []
        new: list[tuple[str, Expiry]] = []
        for organisation, expiry in requests:
            made = retention.expire_many(connection, organisation, [expiry], recorded_at=now)
            if made:
                new.append((organisation, expiry))
            answers.append(decisions.forget_month(connection, organisation, expiry.month))
        if self._journal is not None:
            self._journal.append(new)
        return answers


class Holding(msgspec.Struct, frozen=True, kw_only=True):
    """The provision that wants decisions kept the longest, of those looked at."""

    jurisdiction: str
    regulation: str
    rule: str
    cite: str
    months: int

    @classmethod
    def of(cls, duty: Duty) -> "Holding | None":
        """As it is told; None where no law names a number."""
        by: Provision | None = duty.provision
        if by is None or not duty.months:
            return None
        return cls(
            jurisdiction=by.jurisdiction,
            regulation=by.regulation,
            rule=by.rule,
            cite=by.citation,
            months=duty.months,
        )


class MonthTold(msgspec.Struct, frozen=True, kw_only=True):
    """A month of decisions. ``due``: setting and law both let it go.

    ``kept_until`` by the setting, ``held_until`` by the law that ``held_by`` names, if that is
    later than now. ``unreadable`` decisions hold a month back: nobody can say what binds them.
    """

    month: str
    due: bool
    kept_until: datetime | None = None
    held_until: datetime | None = None
    held_by: Holding | None = None
    decisions: int | None = None
    unreadable: int = 0
    expired_at: datetime | None = None
    index: int | None = None


class RetentionKeeper:
    """Knows what may be let go of, and lets go of it."""

    def __init__(self, keys: KeyRing, release: Release, journal: ErasureJournal | None) -> None:
        self._keys = keys
        self._duties = Duties(release)
        self._expire = ExpireMonths(journal)
        self._put = PutRetention()
        self._held: dict[tuple[str, int], tuple[datetime, MonthTold]] = {}

    @property
    def longest(self) -> Holding | None:
        """The longest duty of the whole release, whomever it binds."""
        return Holding.of(self._duties.longest)

    def months_of(self, organisation: str) -> tuple[int, ...]:
        """Every month whose key there still is, oldest first."""
        return self._keys.versions_of(organisation, KeyKind.DECISION)

    def refuse_unfinished(self, month: int, now: datetime) -> None:
        """``ConflictError``: the month is this one, the last one, or yet to come."""
        if month >= _month_before(now):
            raise ConflictError("only months before the last one can be destroyed")

    async def put(self, writer: Writer, wanted: SettingRequest) -> RetentionSetting:
        """Put a setting on record."""
        setting: RetentionSetting = await writer.submit(
            self._put, wanted, organisation=wanted.organisation
        )
        return setting

    async def look(
        self, service: Service, organisation: str, month: int, setting: RetentionSetting
    ) -> MonthTold:
        """Say of one month whether it is due; what the law wants is looked up if need be."""
        now = service.clock.now()
        known = await service.reader.run(
            lambda connection: retention.expired_months(connection, organisation, [month])
        )
        if month in known:
            return _ended(known[month])
        if setting.decision_months is None or month not in self.months_of(organisation):
            return MonthTold(month=_written(month), due=False)
        kept_until = retention.kept_until(month, setting.decision_months)
        if kept_until > now or month >= _month_before(now):
            return MonthTold(month=_written(month), due=False, kept_until=kept_until)
        told = await self._held_or_due(service, organisation, month, now)
        return msgspec.structs.replace(told, kept_until=kept_until)

    async def end(
        self,
        service: Service,
        organisation: str,
        month: int,
        *,
        setting: RetentionSetting | None,
        actor: str | None,
    ) -> MonthTold:
        """End a month. Without a setting it was asked for by ``actor``, and the law still holds.

        ``ConflictError``: it is not over, or a law wants decisions of it kept.
        """
        now = service.clock.now()
        self.refuse_unfinished(month, now)
        known = await service.reader.run(
            lambda connection: retention.expired_months(connection, organisation, [month])
        )
        if month not in known:
            told = await self._held_or_due(service, organisation, month, now)
            if told.unreadable:
                raise ConflictError("decisions of that month do not open; see ledger fsck")
            if not told.due:
                assert told.held_by is not None, "what is not due is held by somebody"
                raise ConflictError(
                    f"{told.held_by.cite} wants decisions of that month kept until"
                    f" {told.held_until:%Y-%m-%d}"
                )
            statement = _statement(month, setting, told)
            expiry = Expiry(month=month, at=now, statement=statement, actor=actor)
            await service.writer.submit(
                self._expire, (organisation, expiry), organisation=organisation
            )
            known = await service.reader.run(
                lambda connection: retention.expired_months(connection, organisation, [month])
            )
        await asyncio.to_thread(self._keys.destroy, organisation, KeyKind.DECISION, [month])
        return _ended(known[month])

    async def finish(self, service: Service, organisation: str) -> list[int]:
        """Destroy the keys of months that have ended on record and whose keys are still there."""
        months = self.months_of(organisation)
        known = await service.reader.run(
            lambda connection: retention.expired_months(connection, organisation, months)
        )
        if not known:
            return []
        return await asyncio.to_thread(
            self._keys.destroy, organisation, KeyKind.DECISION, list(known)
        )

    async def keep(self, service: Service, organisation: str) -> list[MonthTold]:
        """End what is due by the setting, oldest first; give what was ended."""
        await self.finish(service, organisation)
        setting = await service.reader.run(
            lambda connection: retention.setting_of(connection, organisation)
        )
        ended = []
        for month in self.months_of(organisation):
            told = await self.look(service, organisation, month, setting)
            if told.due:
                made = await self.end(service, organisation, month, setting=setting, actor=None)
                ended.append(made)
        return ended

    async def _held_or_due(
        self, service: Service, organisation: str, month: int, now: datetime
    ) -> MonthTold:
        """Look a month through until a law is met that holds it, or to its end."""
        if retention.kept_until(month, self._duties.longest.months) <= now:
            return MonthTold(month=_written(month), due=True)
        remembered = self._held.get((organisation, month))
        if remembered is not None and remembered[0] > now:
            return remembered[1]
        looked: Looked = await service.reader.run(
            lambda connection: nothing_looked_at(connection, organisation, month)
        )
        while looked.start < looked.end:
            so_far = looked
            looked = await service.reader.run(
                lambda connection, so_far=so_far: look_through(  # type: ignore[misc]
                    connection,
                    organisation,
                    so_far,
                    keys=self._keys,
                    duties=self._duties,
                    now=now,
                )
            )
            if retention.kept_until(month, looked.longest.months) > now:
                break  # It is held, whatever else there is.
            await asyncio.sleep(PAUSE_SECONDS)
        held_until = retention.kept_until(month, looked.longest.months)
        is_held = bool(looked.longest.months) and held_until > now
        told = MonthTold(
            month=_written(month),
            due=not is_held and not looked.unreadable,
            held_until=held_until if is_held else None,
            held_by=Holding.of(looked.longest),
            decisions=None if looked.start < looked.end else looked.count,
            unreadable=looked.unreadable,
        )
        if is_held:
            self._held[organisation, month] = (held_until, told)
        return told


def _statement(month: int, setting: RetentionSetting | None, told: MonthTold) -> Statement:
    """What the entry says openly: what is destroyed, under which setting, and what the law asks."""
    said: dict[str, str | int] = {
        "destroyed": f"{KeyKind.DECISION.value} {month}",
        "law_months": 0 if told.held_by is None else told.held_by.months,
    }
    if setting is not None and setting.index is not None:
        said["setting"] = setting.index
        said["setting_months"] = setting.decision_months or 0
    return dict(sorted(said.items()))


def _ended(known: Expired) -> MonthTold:
    return MonthTold(month=_written(known.month), due=False, expired_at=known.at, index=known.index)


def _written(month: int) -> str:
    return f"{month // 100:04}-{month % 100:02}"


def _month_before(now: datetime) -> int:
    return retention.later(now.year * 100 + now.month, -1)
