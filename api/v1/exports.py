"""Exports: bundles that verify with no access to the service, made in the background."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, BinaryIO

import msgspec
from litestar import delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody
from litestar.types import Receive, Scope, Send
from sqlalchemy import Connection

from api.call import Answer, Call
from api.errors import InvalidRequestError
from api.openapi import shown
from api.operations.record_access import AccessKind, RecordAccess
from api.operations.trails.ask_export import ID_PREFIX, AskExports, ExportRequest, accesses_of
from api.operations.trails.export_files import ExportFiles
from api.operations.trails.run_exports import ChangeJobs, ExportRunner
from api.paging import LIMIT_DEFAULT, Cursor, Limit, Page, page_of, place_of
from api.roles import Caller, Role, about_persons, open_to
from api.v1.shapes import AddressText, Instant, SenderName
from api.work import Reply
from audit import jobs
from audit.errors import ExportError, UnknownExportError
from audit.jobs import Asked, Job, ScopeKind, State
from consent.ledger.identifiers import id_of, label_of
from consent.ledger.leaf import Log
from jurisdictions.addresses import parse_address

_CHUNK = 1 << 18
_LAST_ID = b"\xff" * 16
_WHY_NOT = {
    State.WAITING: "the export is not made yet; ask for it again when its state is done",
    State.RUNNING: "the export is not made yet; ask for it again when its state is done",
    State.FAILED: "the export could not be made; its problem says why",
    State.CANCELLED: "the export was cancelled; ask for another",
    State.WITHDRAWN: "somebody who may be in it has been erased since; ask for another",
    State.EXPIRED: "the export lay ready for a day and was deleted; ask for another",
}


class Format(StrEnum):
    """What comes of an export: a zip file that its own ``verify.py`` verifies."""

    BUNDLE = "bundle"


class ScopeShape(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Whose story: of one `address` (the whole trail), or of one `sender`, or everything; the
    latter two of what was recorded in `[from, to)`."""

    address: AddressText | None = None
    sender: SenderName | None = None
    since: Instant | None = msgspec.field(default=None, name="from")
    until: Instant | None = msgspec.field(default=None, name="to")


class NewExport(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to export. `checkpoints`: sizes, by log, of checkpoints that you kept: the bundle will
    hold the hashes by which `verify.py --checkpoint` compares it with them."""

    scope: ScopeShape
    format: Format = Format.BUNDLE
    checkpoints: dict[Log, Annotated[int, msgspec.Meta(ge=1, le=2**53)]] = {}

    def to_request(self, caller: Caller, now: datetime) -> ExportRequest:
        """As it is asked for; what makes no sense is refused here."""
        scope = self.scope
        is_bounded = scope.since is not None or scope.until is not None
        if scope.address is None and scope.sender is None and not is_bounded:
            raise _wrong("/scope", "name an address, a sender, or from and to")
        if scope.address is not None and (scope.sender is not None or is_bounded):
            raise _wrong("/scope", "a person's trail is always the whole: name the address alone")
        if scope.since is not None and scope.since > now:
            raise _wrong("/scope/from", "lies in the future: nothing has been recorded since then")
        if scope.since and scope.until and scope.since >= scope.until:
            raise _wrong("/scope/to", "is not after from")
        kind = ScopeKind.PERIOD if scope.sender is None else ScopeKind.SENDER
        return ExportRequest(
            organisation=caller.organisation,
            actor=caller.key,
            asked=Asked(
                scope=kind if scope.address is None else ScopeKind.PERSON,
                sender=scope.sender,
                since=scope.since,
                until=scope.until,
                kept={log.value: size for log, size in self.checkpoints.items()},
            ),
            address=None if scope.address is None else parse_address(scope.address),
        )


class ExportShape(msgspec.Struct, frozen=True, kw_only=True):
    """An export as it stands. The address that it was asked for is not shown.

    `entries_total` is null until the entries are counted. `expires_at` is when the file will be
    deleted; `file_digest` its SHA-256.
    """

    id: str
    state: State
    scope: ScopeKind
    sender: str | None
    since: datetime | None = msgspec.field(name="from")
    until: datetime | None = msgspec.field(name="to")
    asked_at: datetime
    asked_by: str
    entries_done: int
    entries_total: int | None
    ended_at: datetime | None
    expires_at: datetime | None
    file_size: int | None
    file_digest: str | None
    problem: str | None

    @classmethod
    def of(cls, job: Job) -> "ExportShape":
        """Render it."""
        return cls(
            id=label_of(ID_PREFIX, job.id),
            state=job.state,
            scope=job.asked.scope,
            sender=job.asked.sender,
            since=job.asked.since,
            until=job.asked.until,
            asked_at=job.asked_at,
            asked_by=job.actor,
            entries_done=job.done_count,
            entries_total=job.total_count,
            ended_at=job.ended_at,
            expires_at=job.expires_at,
            file_size=job.file_size,
            file_digest=job.file_digest,
            problem=job.problem,
        )


@post(
    "/v1/exports",
    status_code=202,
    opt=open_to(Role.AUDITOR)
    | about_persons()
    | shown(request={"scope": {"address": "+12125550123"}}),
    operation_id="startExport",
    summary="Export a person's trail, a sender's entries, or those of a period",
)
async def post_export(
    data: JSONBody[NewExport],
    request: Call,
    ask_exports: NamedDependency[AskExports],
    export_runner: NamedDependency[ExportRunner],
) -> Answer[ExportShape]:
    """It is made in the background; that it was asked for stands in the access log from now on."""
    wanted = data.to_request(request.caller, request.now)
    answer = await request.write(ask_exports, wanted, shape=ExportShape.of)
    export_runner.wake()
    return answer


@get(
    "/v1/exports",
    opt=open_to(Role.AUDITOR),
    operation_id="listExports",
    summary="Exports, the newest first",
)
async def get_exports(
    request: Call, cursor: FromQuery[Cursor] = None, limit: FromQuery[Limit] = LIMIT_DEFAULT
) -> Answer[Page[ExportShape]]:
    """Those of the last thirty days, also cancelled and expired ones."""
    organisation = request.caller.organisation
    place = place_of(cursor)
    before = id_of(ID_PREFIX, place) if place else _LAST_ID
    return await request.read(
        lambda connection, _: jobs.find_page(connection, organisation, before, limit + 1),
        shape=lambda found: page_of(found, limit, shape=ExportShape.of, place=_label_of),
    )


@get(
    "/v1/exports/{export:str}",
    opt=open_to(Role.AUDITOR),
    operation_id="readExport",
    summary="How far an export is",
)
async def get_export(export: FromPath[str], request: Call) -> Answer[ExportShape]:
    """`waiting`, `running`, `done`; or how it ended otherwise."""
    find = _finding(request.caller.organisation, export)
    return await request.read(lambda connection, _: find(connection), shape=ExportShape.of)


@delete(
    "/v1/exports/{export:str}",
    status_code=200,
    opt=open_to(Role.AUDITOR),
    operation_id="cancelExport",
    summary="Cancel an export, or delete its file",
)
async def delete_export(
    export: FromPath[str],
    request: Call,
    change_jobs: NamedDependency[ChangeJobs],
    export_runner: NamedDependency[ExportRunner],
) -> Answer[ExportShape]:
    """Whatever was made of it is gone within seconds. Cancelling again changes nothing."""
    organisation, id_ = request.caller.organisation, id_of(ID_PREFIX, export)
    answer = await request.write(
        change_jobs,
        lambda connection, now: jobs.cancel(connection, organisation, id_, now=now),
        shape=ExportShape.of,
    )
    export_runner.wake()
    return answer


@get(
    "/v1/exports/{export:str}/download",
    opt=open_to(Role.AUDITOR) | about_persons(),
    media_type="application/zip",
    operation_id="downloadExport",
    summary="The file of a finished export",
)
async def get_download(
    export: FromPath[str],
    request: Call,
    record_access: NamedDependency[RecordAccess],
    export_files: NamedDependency[ExportFiles],
) -> Answer[bytes]:
    """A zip file with `README.txt` and `verify.py`. Each download stands in the access log."""
    service, organisation = request.exchange.service, request.caller.organisation
    job = await service.reader.run(_finding(organisation, export))
    if job.state is not State.DONE:
        raise ExportError(_WHY_NOT[job.state])
    try:
        file = await asyncio.to_thread(export_files.whole(job.id).open, "rb")
    except OSError:
        raise UnknownExportError(
            "the file of this export is not on this machine; ask for another"
        ) from None
    try:
        for access in accesses_of(job, AccessKind.DOWNLOAD, request.caller.key):
            await service.writer.submit(record_access, access, organisation=organisation)
    except BaseException:
        file.close()
        raise
    return FileAnswer(file, Path(f"{export}.zip").name, job.file_size or 0)


class FileAnswer(Answer[bytes]):
    """A file as it is sent, in pieces; it is closed at the end, however that comes."""

    def __init__(self, file: BinaryIO, name: str, size: int) -> None:
        super().__init__(Reply(200, b""), media_type=b"application/zip")
        self._file = file
        self._name = name
        self._size = size

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [
            (b"content-type", self.content_type),
            (b"cache-control", b"no-store"),
            (b"content-length", b"%d" % self._size),
            (b"content-disposition", f'attachment; filename="{self._name}"'.encode()),
        ]
        with self._file as file:
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            while chunk := await asyncio.to_thread(file.read, _CHUNK):
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})


def _finding(organisation: str, label: str) -> Callable[[Connection], Job]:
    id_ = id_of(ID_PREFIX, label)
    return lambda connection: jobs.find(connection, organisation, id_)


def _label_of(job: Job) -> str:
    return label_of(ID_PREFIX, job.id)


def _wrong(pointer: str, said: str) -> InvalidRequestError:
    return InvalidRequestError(f"{pointer[1:]}: {said}", ((pointer, said),))
