"""What propagation has to do with checks: it may stand against one, and may want to be told."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from audit.decisions import Decided
from consent.keys.key_ring import KeyRing
from consent.ledger.log import Receipt
from consent.propagation import endpoints, gates, outbox
from consent.propagation.cloud_events import Told
from consent.propagation.words import WebhookEvent
from rules.vocabulary import Channel, Verdict

CHECK_PREFIX = "chk"


class Watching:
    """The endpoints of one organisation, as the checks of one turn see them.

    One statement where there is none that matters, and nothing to do for any check.
    """

    def __init__(
        self, connection: Connection, organisation: str, *, keys: KeyRing, now: datetime
    ) -> None:
        self._connection, self._organisation = connection, organisation
        self._keys, self._now = keys, now
        self._listening = endpoints.listening(connection, organisation)
        self._overdue = gates.overdue(connection, organisation, self._listening, now=now)

    def overdue_since(self, sender: str, channel: Channel) -> datetime | None:
        """Since when an opt-out has been overdue at what sends such messages; None if none is."""
        return self._overdue.get((sender, channel)) if self._overdue else None

    def tell_denied(self, decided: Sequence[Decided], receipts: Sequence[Receipt]) -> None:
        """Queue each denial on record for the endpoints that ask for them.

        The caller's own reference says whom it was about: the address has no business there.
        """
        if not any(by.wants(WebhookEvent.CHECK_DENIED) for by in self._listening):
            return
        told = [
            Told(
                event=WebhookEvent.CHECK_DENIED,
                event_id=one.id,
                id_prefix=CHECK_PREFIX,
                at=self._now,
                subject=one.subject,
                log=receipt.log.value,
                index=receipt.index,
                data={
                    "check": f"{CHECK_PREFIX}_{one.id.hex()}",
                    "reference": one.around.reference,
                    "sender": one.around.sender,
                    "channel": one.facts.message.channel,
                    "purpose": one.facts.message.purpose,
                    "forecast": one.around.forecast,
                    "reasons": list(dict.fromkeys(found.code for found in one.decision.findings)),
                },
            )
            for one, receipt in zip(decided, receipts, strict=True)
            if one.decision.verdict is Verdict.DENY
        ]
        outbox.tell(
            self._connection,
            self._organisation,
            told,
            listening=self._listening,
            keys=self._keys,
            now=self._now,
        )
