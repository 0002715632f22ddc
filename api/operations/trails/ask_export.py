"""Ask for an export: a job is put on the list, and who asked goes into the ``access`` log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from api.errors import ConflictError
from api.operations.record_access import Access, AccessKind, RecordAccess
from api.work import Priority
from audit import jobs
from audit.jobs import Asked, Job
from audit.trail import find_person
from consent import senders
from consent.errors import UnknownSenderError
from consent.keys.key_ring import KeyRing
from consent.ledger.identifiers import label_of, uuid7
from jurisdictions.addresses import Address
from rules.errors import ComplianceError

ID_PREFIX = "exp"
UNDER_WAY_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportRequest:
    """What is asked for; ``address`` is whose trail, where it is a person's."""

    organisation: str
    actor: str
    asked: Asked
    address: Address | None = None


class AskExports:
    """The work; it answers with the job as it now waits."""

    name = "ask_export"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys
        self._record_access = RecordAccess()

    def run_many(
        self, connection: Connection, requests: Sequence[ExportRequest], *, now: datetime
    ) -> list[Job | ComplianceError]:
        """Take each."""
        return [self._ask(connection, request, now) for request in requests]

    def _ask(
        self, connection: Connection, request: ExportRequest, now: datetime
    ) -> Job | ComplianceError:
        organisation, asked = request.organisation, request.asked
        if asked.sender is not None and not senders.load_names(
            connection, organisation, [asked.sender]
        ):
            return UnknownSenderError("the organisation has no sender of that id")
        if jobs.count_under_way(connection, organisation) >= UNDER_WAY_MAX:
            return ConflictError(
                f"{UNDER_WAY_MAX} exports are under way; wait for one, or cancel one"
            )
        subjects: tuple[bytes, ...] = ()
        if request.address is not None:
            person = find_person(connection, organisation, request.address, keys=self._keys)
            subjects = person.subjects
        job = jobs.add(
            connection,
            jobs.NewJob(
                id=uuid7(now),
                organisation=organisation,
                actor=request.actor,
                asked=asked,
                subjects=subjects,
                address=None if request.address is None else request.address.normalised,
            ),
            keys=self._keys,
            now=now,
        )
        accesses = accesses_of(job, AccessKind.EXPORT, request.actor)
        self._record_access.run_many(connection, accesses, now=now)
        return job


def accesses_of(job: Job, kind: AccessKind, actor: str) -> list[Access]:
    """What goes into the access log of an export: an entry a person, else one without."""
    statement = {"export": label_of(ID_PREFIX, job.id), "scope": job.asked.scope.value}
    if job.asked.sender is not None:
        statement["sender"] = job.asked.sender
    return [
        Access(job.organisation, actor, kind, subject, statement)
        for subject in job.subjects or (None,)
    ]
