"""Tell once of every copy of a register that has gone stale: checks that ask for it deny."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection

from api.operations.load_registry import LoadedRegistry, list_registries
from api.work import Priority
from consent.keys.key_ring import KeyRing
from consent.propagation import endpoints, outbox
from consent.propagation.cloud_events import Told
from consent.propagation.words import WebhookEvent
from jurisdictions.releases import Release


class TellStale:
    """The work; its requests are organisations, its answers how many rows were queued."""

    name = "tell_stale"
    priority = Priority.OTHER

    def __init__(self, keys: KeyRing, release: Release) -> None:
        self._keys = keys
        self._release = release

    def run_many(
        self, connection: Connection, requests: Sequence[str], *, now: datetime
    ) -> list[int]:
        """Look at the copies of each organisation that has an endpoint which wants to know."""
        return [self._tell(connection, organisation, now) for organisation in requests]

    def _tell(self, connection: Connection, organisation: str, now: datetime) -> int:
        listening = endpoints.listening(connection, organisation)
        if not any(by.wants(WebhookEvent.REGISTRY_STALE) for by in listening):
            return 0
        today = now.date()
        told = [
            _told(organisation, loaded, now)
            for loaded in list_registries(connection, organisation, release=self._release)
            if loaded.goes_stale_on is not None and loaded.goes_stale_on <= today
        ]
        return outbox.tell(
            connection,
            organisation,
            told,
            listening=listening,
            keys=self._keys,
            now=now,
            once=True,
        )


def _told(organisation: str, loaded: LoadedRegistry, now: datetime) -> Told:
    snapshot = loaded.snapshot
    what = f"{organisation} {snapshot.registry} {snapshot.as_of} {loaded.goes_stale_on}"
    return Told(
        event=WebhookEvent.REGISTRY_STALE,
        # The same copy goes stale once, whoever looks and however often.
        event_id=sha256(what.encode()).digest()[:16],
        at=now,
        data={
            "registry": snapshot.registry,
            "as_of": snapshot.as_of,
            "stale_since": loaded.goes_stale_on,
        },
    )
