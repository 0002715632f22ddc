"""Answers given under an idempotency key: the same key and body get the same answer for 24 hours.

Only answers are kept, not errors: who was told 503 asks again with the same key until there is
a receipt. They are kept sealed, because an answer may tell what a person wanted.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, bindparam, delete, insert, select, tuple_

from api.errors import IdempotencyMismatchError
from api.tables import idempotency
from api.work import Once, Reply
from consent.keys.errors import BrokenSealError, UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from rules.errors import ComplianceError

KEPT_FOR = timedelta(hours=24)

_FIND = select(
    idempotency.c.organisation,
    idempotency.c.key_hash,
    idempotency.c.request_hash,
    idempotency.c.status,
    idempotency.c.sealed_response,
).where(
    tuple_(idempotency.c.organisation, idempotency.c.key_hash).in_(
        bindparam("places", expanding=True)
    ),
    idempotency.c.expires_at > bindparam("now"),
)
_FORGET_ONE = delete(idempotency).where(
    idempotency.c.organisation == bindparam("its_organisation"),
    idempotency.c.key_hash == bindparam("its_key_hash"),
    idempotency.c.expires_at <= bindparam("now"),
)
_FORGET = delete(idempotency).where(idempotency.c.expires_at <= bindparam("now"))
_KEEP = insert(idempotency)


class KeptAnswers:
    """The table of answers, read and written in the writer's turn."""

    def __init__(self, keys: KeyRing) -> None:
        self._keys = keys

    def find_many(
        self, connection: Connection, wanted: Sequence[tuple[str, str]], *, now: datetime
    ) -> dict[tuple[str, str], tuple[bytes, Reply | ComplianceError]]:
        """Find what was answered under these (organisation, key): request hash and reply.

        An error stands in the place of a reply that does not open: it is one request's only.
        """
        places = {(place[0], _hash_of(place[1])): place for place in wanted}
        rows = connection.execute(_FIND, {"places": list(places), "now": now})
        found: dict[tuple[str, str], tuple[bytes, Reply | ComplianceError]] = {}
        for organisation, key_hash, request_hash, status, sealed in rows:
            reply: Reply | ComplianceError
            try:
                body = self._keys.open_sealed(organisation, KeyKind.IDEMPOTENCY, sealed, key_hash)
                reply = Reply(status, body)
            except (BrokenSealError, UnknownKeyError) as error:
                reply = error
            found[places[organisation, key_hash]] = (request_hash, reply)
        return found

    def keep_many(
        self, connection: Connection, answered: Sequence[tuple[str, Once, Reply]], *, now: datetime
    ) -> None:
        """Keep these replies, in the transaction that did what they tell."""
        rows = [
            self._row_of(organisation, once, reply, now) for organisation, once, reply in answered
        ]
        # An expired answer that nobody has swept yet would be in the way of its successor.
        connection.execute(
            _FORGET_ONE,
            [
                {
                    "its_organisation": row["organisation"],
                    "its_key_hash": row["key_hash"],
                    "now": now,
                }
                for row in rows
            ],
        )
        connection.execute(_KEEP, rows)

    def mismatch(self) -> ComplianceError:
        """What a caller is told who sends another body with a key already used."""
        return IdempotencyMismatchError(
            "this idempotency key came with another request before; take a new key"
        )

    def _row_of(
        self, organisation: str, once: Once, reply: Reply, now: datetime
    ) -> dict[str, object]:
        key_hash = _hash_of(once.key)
        return {
            "organisation": organisation,
            "key_hash": key_hash,
            "request_hash": once.request_hash,
            "status": reply.status,
            "sealed_response": self._keys.seal(
                organisation, KeyKind.IDEMPOTENCY, reply.body, key_hash, at=now
            ),
            "expires_at": now + KEPT_FOR,
        }


def forget_expired(connection: Connection, *, now: datetime) -> int:
    """Delete the answers whose day is over; say how many."""
    return connection.execute(_FORGET, {"now": now}).rowcount


def _hash_of(key: str) -> bytes:
    # Callers put order numbers and worse into their keys; we need to recognise, not to read.
    return hashlib.sha256(key.encode()).digest()
