"""Everything is put together here and nowhere else."""

import asyncio
import contextlib
import dataclasses
import sqlite3
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any, TextIO

from litestar import Litestar
from litestar.datastructures import State
from litestar.di import Provide
from litestar.types import ASGIApp
from sqlalchemy import Connection, Engine

from api import data_folder
from api.background import (
    adopt_everywhere,
    retain_forever,
    rotate_forever,
    sign_forever,
    state_indexes_forever,
    sweep_forever,
)
from api.call import BODY_SIZE_MAX, Call
from api.callers import Callers
from api.clock import Clock, SystemClock
from api.data_folder import DataFolder
from api.database import fold_log_in, reading_engine, writing_engine
from api.dispatch.dispatcher import Dispatcher
from api.errors import SettingsError
from api.exchange import Service
from api.front import Front
from api.idempotency import KeptAnswers
from api.inbound import receiving
from api.inbound.aws_sns import Fetch, fetch_https
from api.inbound.providers import all_providers
from api.inbound.receiving import Inbound
from api.openapi import SchemaDocument, openapi_config, service_version
from api.operations.adopt_release import AdoptRelease
from api.operations.check_messages import CheckMessages, Gate
from api.operations.decide_reviews import DecideReviews
from api.operations.erase_subject import EraseSubjects
from api.operations.found_organisation import FoundOrganisation
from api.operations.issue_keys import IssueKeys, RevokeKeys
from api.operations.link_subjects import LinkSubjects, UnlinkSubjects
from api.operations.load_registry import LoadRegistry
from api.operations.make_links import MakeLinks
from api.operations.propagation.works import propagation_works
from api.operations.put_sender import PutSenders
from api.operations.receive_reply import ReceiveReplies
from api.operations.record_access import RecordAccess
from api.operations.record_events import RecordEvents
from api.operations.replay_erasures import replay_erasures, withheld
from api.operations.replays.one_check import ReplayGate
from api.operations.report_sending import ReportSending
from api.operations.rotate_keys import KeyKeeper
from api.operations.trails.ask_export import AskExports
from api.operations.trails.export_files import ExportFiles
from api.operations.trails.run_exports import AT_ONCE, ChangeJobs, ExportRunner
from api.operations.upkeep.open_ledger import open_ledger
from api.operations.upkeep.retain import RetentionKeeper
from api.operations.upkeep.sign_checkpoints import CheckpointSigner
from api.problems import answer_problem
from api.public import one_click, preferences
from api.public.pages import template_config
from api.public.stopping import Stopping
from api.reader import Reader
from api.roles import Guard
from api.settings import Settings
from api.telemetry import Telemetry
from api.v1 import (
    access,
    assessments,
    checks,
    consent_events,
    deliveries,
    exports,
    health,
    inbound_endpoints,
    keys,
    links,
    logs,
    opt_outs,
    organisations,
    permits,
    reconciliation,
    registries,
    retention,
    reviews,
    rotation,
    senders,
    subjects,
    webhooks,
)
from api.v1.consent_events import EventWorks
from api.v1.health import Readiness
from api.v1.inbound_endpoints import InboundWorks
from api.writer import Writer
from audit.permits import PermitSigner
from consent.erasure_journal import ErasureJournal
from consent.keys.key_ring import KeyRing
from consent.ledger import log
from consent.ledger.leaf import Log
from consent.ledger.vault import Vault
from consent.registries.snapshots import Registries
from jurisdictions.releases import Release, bundled_release

LOCKED_LOGS = (Log.CONSENT, Log.DECISIONS)
"""Locked at the start of every turn; whoever appends to another log locks it after these."""

ROUTES: tuple[Any, ...] = (
    health.get_live,
    health.get_ready,
    health.get_metrics,
    health.get_schema,
    keys.post_key,
    keys.get_keys,
    keys.post_key_revocation,
    rotation.post_rotation,
    rotation.post_destruction,
    *retention.ROUTES,
    organisations.post_organisation,
    organisations.get_organisations,
    senders.put_sender,
    senders.get_senders,
    senders.get_sender,
    consent_events.post_consent_events,
    assessments.post_assessment,
    opt_outs.post_opt_out,
    inbound_endpoints.post_inbound_endpoint,
    inbound_endpoints.get_inbound_endpoints,
    inbound_endpoints.put_credentials,
    inbound_endpoints.post_disabled,
    receiving.post_inbound,
    receiving.get_inbound,
    reviews.get_reviews,
    reviews.post_review,
    subjects.post_lookup,
    subjects.post_trail,
    access.post_access,
    access.get_access,
    exports.post_export,
    exports.get_exports,
    exports.get_export,
    exports.delete_export,
    exports.get_download,
    rotation.post_renewal,
    subjects.post_erasure,
    subjects.post_link,
    subjects.post_unlink,
    *checks.ROUTES,
    links.post_links,
    permits.post_verification,
    permits.get_permit_keys,
    registries.put_snapshot,
    registries.get_registries,
    webhooks.post_webhook,
    webhooks.get_webhooks,
    webhooks.get_webhook,
    webhooks.post_rotated_secret,
    webhooks.post_disabled_webhook,
    webhooks.post_enabled_webhook,
    webhooks.delete_webhook,
    reconciliation.post_reconciliation,
    reconciliation.post_missing,
    deliveries.get_deliveries,
    deliveries.post_retry,
    deliveries.post_applied,
    deliveries.get_propagation,
    logs.get_logs,
    logs.get_checkpoint,
    logs.get_tile,
    logs.get_inclusion_proof,
    logs.get_consistency_proof,
    logs.get_entries,
    one_click.get_one_click,
    one_click.post_one_click,
    preferences.get_preferences,
    preferences.post_preferences,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Components:
    """What an application is made of, opened and ready."""

    settings: Settings
    service: Service
    keys: KeyRing
    vault: Vault
    erasures: ErasureJournal
    registries: Registries
    release: Release
    export_reader: Reader
    export_files: ExportFiles


@dataclass(frozen=True, slots=True)
class Doors:
    """The application behind its two doors: the network's and the data folder's socket."""

    network: ASGIApp
    operator: ASGIApp
    litestar: Litestar
    signer: CheckpointSigner
    dispatcher: Dispatcher
    exports: ExportRunner


@contextmanager
def open_components(
    settings: Settings,
    *,
    clock: Clock | None = None,
    release: Release | None = None,
    log_stream: TextIO | None = None,
) -> Iterator[Components]:
    """Open folder, database and keys, and close them at the end.

    On SQLite the folder is held by this process until then. The database is brought to this
    version's schema. One that is not what was signed last, or that a newer version has migrated,
    is opened for reading only.
    """
    if not __debug__:
        raise SettingsError("asserts guard decisions: the service does not run under python -O")
    settings = settings.checked()
    folder = DataFolder(settings.data)
    clock = clock or SystemClock()
    with contextlib.ExitStack() as stack:
        folder.require()
        if settings.database_url is None:
            stack.enter_context(data_folder.hold(folder))
        url = settings.database_url or folder.database_url
        key_ring = KeyRing.open(folder.root, root=settings.root_key_place())
        vault, why_not = open_ledger(
            url, settings.vault or folder.vault, keys=key_ring, tail=settings.fsck_tail
        )
        telemetry = Telemetry(
            clock, level=settings.log_level, log_requests=settings.log_requests, stream=log_stream
        )
        engine = writing_engine(url)
        stack.callback(engine.dispose)
        if why_not is None:
            stack.callback(fold_log_in, engine)
        reader = _reader_of(url, settings.reader_threads)
        stack.callback(reader.close)
        # Exports read beside the others, so that no route waits for one.
        export_reader = _reader_of(url, AT_ONCE)
        stack.callback(export_reader.close)
        erasures = ErasureJournal.of(settings.vault or folder.vault, key_ring)
        service = _service_of(
            settings, engine, reader, keys=key_ring, clock=clock, telemetry=telemetry
        )
        if why_not is None:
            replay_erasures(engine, erasures, keys=key_ring, now=clock.now())
        else:
            service = _read_only(service, why_not, erasures)
        copies = Registries(folder.registries, key_ring)
        reader.run_here(copies.refresh)
        yield Components(
            settings=settings,
            service=service,
            keys=key_ring,
            vault=vault,
            erasures=erasures,
            registries=copies,
            release=release or bundled_release(),
            export_reader=export_reader,
            export_files=ExportFiles(folder.exports),
        )


def _reader_of(url: str, threads: int) -> Reader:
    return Reader(reading_engine(url, connections=threads), threads=threads)


def _service_of(
    settings: Settings,
    engine: Engine,
    reader: Reader,
    *,
    keys: KeyRing,
    clock: Clock,
    telemetry: Telemetry,
) -> Service:
    writer = Writer(
        engine,
        clock=clock,
        lock_heads=lock_heads,
        answers=KeptAnswers(keys),
        watcher=telemetry,
        queue_limit=settings.queue_limit,
    )
    return Service(
        clock=clock,
        telemetry=telemetry,
        reader=reader,
        writer=writer,
        callers=Callers(reader, clock),
    )


def _read_only(service: Service, why_not: str, erasures: ErasureJournal) -> Service:
    """The same service, which writes nothing, and tells of nobody where erasures are lacking."""
    service.writer.refuse(why_not)
    why_withheld = service.reader.run_here(lambda connection: withheld(connection, erasures))
    return dataclasses.replace(service, withheld=why_withheld)


def lock_heads(connection: Connection, organisations: Sequence[str]) -> None:
    """Lock the heads of these organisations for the turn, always in the same order."""
    if organisations:
        log.lock_heads(connection, organisations, LOCKED_LOGS)


def create_app(
    components: Components, *, routes: Sequence[Any] = ROUTES, fetch: Fetch = fetch_https
) -> Doors:
    """Put the application together. ``routes`` are all of ours; a test may add one.

    ``fetch`` gets what providers publish, such as their certificates.
    """
    service = components.service
    document = SchemaDocument(lambda: _litestar(routes, made))
    key_ring, release = components.keys, components.release
    recording = RecordEvents(key_ring, release=release.digest)
    make_links = MakeLinks(key_ring, components.settings.public_base_url)
    gate = _gate_of(components, make_links)
    adopt, keeper = AdoptRelease(release, key_ring), KeyKeeper(key_ring)
    signer = CheckpointSigner(service, key_ring, components.vault)
    runner = _runner_of(components, signer)
    propagation = _propagation(components)
    dispatcher: Dispatcher = propagation["dispatcher"]
    made = {
        **propagation,
        **_for_auditors(components, runner, gate),
        "check_messages": CheckMessages(gate),
        "decide_reviews": DecideReviews(key_ring, release=release.digest),
        "document": document,
        "erase_subjects": EraseSubjects(key_ring, components.erasures),
        "event_works": EventWorks(recording),
        "found_organisation": FoundOrganisation(key_ring, release=release),
        "inbound": Inbound(
            base_url=components.settings.base_url,
            keys=key_ring,
            providers=all_providers(fetch),
            replies=ReceiveReplies(recording),
        ),
        "inbound_works": InboundWorks(key_ring),
        "issue_keys": IssueKeys(),
        "key_keeper": keeper,
        "key_ring": key_ring,
        "link_subjects": LinkSubjects(key_ring),
        "load_registry": LoadRegistry(components.registries),
        "make_links": make_links,
        "put_senders": PutSenders(),
        "readiness": Readiness(release=release.id),
        "registries": components.registries,
        "record_access": RecordAccess(),
        "release": release,
        "report_sending": ReportSending(key_ring, release=release.digest),
        "revoke_keys": RevokeKeys(),
        "stopping": Stopping(EventWorks(recording), key_ring),
        "unlink_subjects": UnlinkSubjects(key_ring),
    }
    untold = _Untold(service, signer, adopt, keeper, dispatcher, runner, made["retention_keeper"])
    app = _litestar(routes, made, lifespan=untold.lifespan(components.settings))
    front, operator = Front(app, service), Front(app, service, operator=True)
    return Doors(front, operator, app, signer, dispatcher, runner)


def _gate_of(components: Components, make_links: MakeLinks) -> Gate:
    return Gate(
        release=components.release,
        keys=components.keys,
        registries=components.registries,
        permits=PermitSigner(*components.keys.permit_key()),
        links=make_links,
    )


def _runner_of(components: Components, signer: CheckpointSigner) -> ExportRunner:
    return ExportRunner(
        components.service,
        signer,
        components.keys,
        reader=components.export_reader,
        files=components.export_files,
        alone=components.settings.database_url is None,
    )


def _for_auditors(components: Components, runner: ExportRunner, gate: Gate) -> dict[str, Any]:
    keys, release = components.keys, components.release
    return {
        "ask_exports": AskExports(components.keys),
        "change_jobs": ChangeJobs(),
        "export_files": components.export_files,
        "export_runner": runner,
        "replay_gate": ReplayGate(gate),
        "retention_keeper": RetentionKeeper(keys, release, components.erasures),
    }


def _propagation(components: Components) -> dict[str, Any]:
    keys, settings = components.keys, components.settings
    to: Any = {"to_loopback": settings.webhooks_to_loopback, "brokers": settings.listed_brokers}
    kept_for = settings.deliveries_kept_for
    dispatcher = Dispatcher(components.service, keys, components.release, kept_for=kept_for, **to)
    return {"dispatcher": dispatcher, **propagation_works(keys, **to)}


def _litestar(
    routes: Sequence[Any],
    made: Mapping[str, Any],
    *,
    lifespan: Any = None,
) -> Litestar:
    """Litestar adds pages of its own to an app that describes itself, so the one that serves
    does not, and its twin, which has nothing to do, is asked for the description."""
    return Litestar(
        route_handlers=routes,
        request_class=Call,
        request_max_body_size=BODY_SIZE_MAX,
        middleware=[Guard],
        dependencies={name: _provided(thing) for name, thing in made.items()},
        exception_handlers={Exception: answer_problem},
        openapi_config=None if lifespan else openapi_config(service_version()),
        lifespan=[lifespan] if lifespan else [],
        state=State({"check_messages": made["check_messages"]}),
        template_config=template_config(),
        logging_config=None,
        debug=False,
    )


def _provided(made: Any) -> Provide:
    return Provide(lambda: made, sync_to_thread=False)


@dataclass(frozen=True, slots=True)
class _Untold:
    """What the service does by itself, without being told, for as long as it runs."""

    service: Service
    signer: CheckpointSigner
    adopt: AdoptRelease
    keeper: KeyKeeper
    dispatcher: Dispatcher
    exports: ExportRunner
    retention: RetentionKeeper

    def lifespan(self, settings: Settings) -> Any:
        """What Litestar runs around all requests."""

        @asynccontextmanager
        async def lifespan(_: Litestar) -> AsyncIterator[None]:
            service = self.service
            service.writer.start()
            service.telemetry.started(version=service_version(), sqlite=sqlite3.sqlite_version)
            tasks: list[asyncio.Task[None]] = []
            if service.writer.read_only is None:
                await adopt_everywhere(service, self.adopt)
                await self.signer.sign_grown()
                tasks = [asyncio.create_task(task) for task in await self._running(settings)]
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                if service.writer.read_only is None:
                    await self.signer.sign_grown()
                await service.writer.stop()
                service.telemetry.stopped()

        return lifespan

    async def _running(self, settings: Settings) -> Sequence[Coroutine[Any, Any, None]]:
        service, dispatcher = self.service, self.dispatcher
        running = [
            sweep_forever(service.writer),
            sign_forever(service.writer, self.signer),
            state_indexes_forever(service),
            rotate_forever(service, self.keeper),
            retain_forever(service, self.retention),
            self.exports.run_forever(),
        ]
        if settings.dispatch:
            if settings.database_url is None:  # Whoever held a claim held the folder too.
                await dispatcher.let_go()
            running.append(dispatcher.run_forever())
        return running
