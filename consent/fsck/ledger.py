"""The whole ledger of one organisation, or the ends of its logs."""

from collections.abc import Iterator

from sqlalchemy import Connection

from consent import retention
from consent.fsck import people
from consent.fsck.damage import Damage, Kind, Progress
from consent.fsck.entries import LogInspection
from consent.fsck.suppressions import Suppressions
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import KeyKind
from consent.ledger.checkpoints import GrownLog, read_heads
from consent.ledger.leaf import Log


def inspect_organisation(
    connection: Connection, organisation: str, *, keys: KeyRing, progress: Progress
) -> Iterator[Damage]:
    """Everything that is not as it was written, in a transaction that sees one state.

    ``progress`` is told of each entry once, and of each person once.
    """
    suppressions = Suppressions(connection, organisation, keys)
    for head in read_heads(connection, [organisation]):
        is_consent = head.log is Log.CONSENT
        inspection = LogInspection(
            connection,
            head,
            keys=keys,
            by_person=is_consent,
            suppressions=suppressions if is_consent else None,
        )
        yield from inspection.damages(progress)
    walking = people.walk(
        connection, organisation, keys=keys, suppressions=suppressions, progress=progress
    )
    for person in walking:
        yield from person.damages
        yield from suppressions.flush()
    yield from suppressions.flush(at_least=1)
    yield from suppressions.unexplained()
    yield from people.strays(connection, organisation)
    yield from _undead_keys(connection, organisation, keys)


def _undead_keys(connection: Connection, organisation: str, keys: KeyRing) -> Iterator[Damage]:
    """Keys of months that have ended on record, back from a backup or not destroyed yet."""
    months = keys.versions_of(organisation, KeyKind.DECISION)
    for month, ended in retention.expired_months(connection, organisation, months).items():
        detail = (
            f"the entry says that the decision key {month} is destroyed, and it is in the key"
            " store: the service destroys it at its next look"
        )
        yield Damage(organisation, Log.DECISIONS, ended.index, Kind.KEY, detail)


def inspect_tail(
    connection: Connection, head: GrownLog, *, keys: KeyRing, entries: int
) -> Iterator[Damage]:
    """The last ``entries`` of one log, and the tree as it grew by them."""
    yield from LogInspection(connection, head, keys=keys, tail=entries).damages(_nobody)


def _nobody(_: int) -> None:
    """Nobody is told."""
