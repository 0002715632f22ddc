"""Make the file of an export: one reading of the entries, and then the bundle."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audit.exports.bundle import write_bundle
from audit.exports.container import Sink
from audit.exports.documents import documents_of
from audit.exports.scopes import Planned
from audit.exports.spool import Spool
from audit.exports.telling import Reading, Step, names_of, tell
from consent.keys.key_ring import KeyRing
from consent.ledger.leaf import Log


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where an export reads: ``at_once`` in one state, ``apart`` each statement by itself."""

    organisation: str
    at_once: Reading
    apart: Reading
    keys: KeyRing


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
        extras = []
        if planned.person is None:
            for _ in told:
                continue  # Written as it passes, and not kept.
        else:
            extras = list(documents_of(list(told), planned.person, whose or ""))
        kept = {Log(log): [size] for log, size in planned.asked.kept.items()}
        source.apart(
            lambda connection: write_bundle(
                connection,
                source.organisation,
                parts,
                sink,
                keys=source.keys,
                spooled={name: spool.chunks(name) for name in names_of(parts)},
                asked=planned.stated(),
                whose=whose,
                kept=kept,
                extras=extras,
            )
        )
