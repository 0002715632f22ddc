"""Builders for exports: a bundle with its story, made in the transaction of a desk."""

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

from audit.exports import scopes
from audit.exports.container import Sink
from audit.exports.making import Source, make_export
from audit.jobs import Asked, ScopeKind
from audit.trail import LOGS
from consent.events import Disclosure, Evidence, RecordedKind
from consent.ledger import subject_index
from consent.ledger.identifiers import uuid7
from consent.ledger.leaf import Log
from consent.ledger.notes import Verifier
from consent.ledger.proofs import LogTree
from jurisdictions.addresses import Address
from rules.vocabulary import Via
from tests.support.bundles import sign
from tests.support.consents import ANN, BOB, DAY, Recorder, an_event
from tests.support.gates import Desk

MINUTE = DAY / 1440
SHOWN = "By ticking this box you agree to hear from Acme."


def live_through(one: Desk) -> Desk:
    """A check of a stranger, a grant, a check, a stop and a check; and Bob in between."""
    one.check_one(one.a_check())
    evidence = Evidence(
        method="web_form",
        source_url="https://acme.example/join",
        disclosure=Disclosure(version="2026-01", text=SHOWN),
    )
    later = one.at(one.now + MINUTE)
    later.recorder.record_one(ANN, an_event(evidence=evidence))
    later.recorder.record_one(BOB, an_event(sender="beta"))
    later = one.at(one.now + 2 * MINUTE)
    later.check(later.a_check(), later.a_check("bob@example.com", sender="beta"))
    later = one.at(one.now + 3 * MINUTE)
    stop = an_event(RecordedKind.REVOKE, sender=None, via=Via.KEYWORD, text="=STOP it, “you”")
    later.recorder.record_one(ANN, stop)
    later = one.at(one.now + 4 * MINUTE)
    later.check_one(later.a_check())
    return later


def export_of(
    one: Desk,
    folder: Path,
    *,
    whose: Address | None = None,
    step: Callable[[int], None] = lambda _: None,
    **asked: Any,
) -> bytes:
    """State the indexes, sign, and make the bundle of what is asked for."""
    sink = io.BytesIO()
    _export(one.recorder, folder, sink, whose=whose, step=step, **asked)
    return sink.getvalue()


class Nowhere:
    """Takes a bundle and keeps nothing of it."""

    def write(self, _chunk: bytes) -> None:
        """Forget it."""


def export_to_nowhere(one: Recorder, folder: Path) -> None:
    """Make the bundle of everything."""
    _export(one, folder, Nowhere())


def _export(
    one: Recorder,
    folder: Path,
    sink: Sink,
    *,
    whose: Address | None = None,
    step: Callable[[int], None] = lambda _: None,
    **asked: Any,
) -> None:
    scope = ScopeKind.PERSON if whose is not None else ScopeKind.PERIOD
    wanted = Asked(**({"scope": scope} | asked))
    planned = scopes.plan(one.connection, one.organisation, wanted, whose, keys=one.keys)
    stated_at = [
        subject_index.append(
            one.connection, one.organisation, index, recorded_at=one.now, event_id=uuid7(one.now)
        ).index
        for index in planned.indexes
    ]
    for log in LOGS:
        sign(one, log, at=one.now)
    source = Source(
        organisation=one.organisation,
        at_once=lambda read: read(one.connection),
        apart=lambda read: read(one.connection),
        keys=one.keys,
    )
    make_export(
        source,
        planned,
        stated_at,
        sink,
        folder=folder / "spool",
        whose=None if whose is None else whose.normalised,
        step=step,
    )


def public_keys(one: Desk) -> list[str]:
    """The keys of both logs, as an operator publishes them."""
    return [
        str(
            Verifier(
                LogTree(one.connection, one.organisation, log).origin,
                one.recorder.keys.log_key(one.organisation, log).public_key(),
            )
        )
        for log in (Log.CONSENT, Log.DECISIONS)
    ]
