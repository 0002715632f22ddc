"""Make the file of an export: one reading of the entries, and then the bundle."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import Connection

from audit.exports.binding import Documents, write_bound
from audit.exports.bundle import write_bundle
from audit.exports.consent_records import NAME as RECORDS_NAME
from audit.exports.consent_records import records_of, senders_in
from audit.exports.container import Sink
from audit.exports.documents import documents_of
from audit.exports.report import paper, screen
from audit.exports.report.checked import Checked
from audit.exports.report.story import report_of
from audit.exports.scopes import Planned
from audit.exports.spool import Spool
from audit.exports.telling import Reading, Step, names_of, tell
from audit.trail import Person, TrailEntry
from consent import senders
from consent.keys.key_ring import KeyRing
from consent.ledger.entries import read_entries
from consent.ledger.leaf import Log
from consent.senders import SenderRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an export reads: ``at_once`` in one state, ``apart`` each statement by itself.

    ``named``: what the organisation is called, as the report is to say.
    """

    organisation: str
    at_once: Reading
    apart: Reading
    keys: KeyRing
    named: str | None = None


def make_export(
    source: Source,
    planned: Planned,
    stated_at: Sequence[int],
    sink: Sink,
    *,
    folder: Path,
    whose: str | None,
    step: Step,
) -> None:
    """Write the bundle of what was planned to ``sink``.

    ``stated_at``: where the indexes stand, which have to be signed. ``folder`` is made for what
    waits meanwhile, and goes again. ``step`` is told how many entries are done, and may raise.
    """
    parts = planned.parts(stated_at)
    with Spool(folder) as spool:
        told = tell(
            source.at_once,
            source.organisation,
            parts,
            spool,
            keys=source.keys,
            wanted=planned.is_wanted(),
            step=step,
        )
        kept = {Log(log): [size] for log, size in planned.asked.kept.items()}
        # Of nobody in particular it is written as it passes, and not kept.
        trail = [entry for entry in told if planned.person is not None]

        def write(to: Sink) -> dict[str, Any]:
            return source.apart(
                lambda connection: write_bundle(
                    connection,
                    source.organisation,
                    parts,
                    to,
                    keys=source.keys,
                    spooled={name: spool.chunks(name) for name in names_of(parts)},
                    asked=planned.stated(),
                    whose=whose,
                    kept=kept,
                )
            )

        if planned.person is None:
            write(sink)
            return
        subject = _Subject(trail, planned.person, whose or "", stated_at[0])
        tell_of = _documents(source, subject, breathe=lambda: step(len(trail)))
        write_bound(write, tell_of, sink, folder=folder, keys=source.keys)


class _Subject(NamedTuple):
    """A person's trail, and where in the consent log the index stands that closed it."""

    trail: list[TrailEntry]
    person: Person
    whose: str
    closed_at: int


def _documents(
    source: Source, subject: _Subject, *, breathe: Callable[[], None]
) -> Callable[[Checked], Documents]:
    """What tells of a person's trail once the verdict on it is known."""

    def read(connection: Connection) -> tuple[datetime, dict[str, SenderRecord]]:
        at = subject.closed_at
        (closing,) = read_entries(connection, source.organisation, Log.CONSENT, at, at + 1)
        named = senders.load_many(connection, source.organisation, senders_in(subject.trail))
        return closing.recorded_at, named

    as_of, named = source.at_once(read)

    def tell_of(checked: Checked) -> Documents:
        trail, person, whose = subject.trail, subject.person, subject.whose
        yield from documents_of(trail, person, whose)
        records = records_of(trail, person, senders=named, as_of=as_of)
        yield RECORDS_NAME, [records.content]
        report = report_of(
            trail,
            person,
            organisation=source.organisation,
            named=source.named,
            whose=whose,
            as_of=as_of,
            checked=checked,
            gaps=records.gaps,
        )
        yield screen.NAME, screen.screen_of(report, breathe)
        yield paper.NAME, paper.paper_of(report, breathe)

    return tell_of
