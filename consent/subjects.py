"""Whose address is this? Addresses and the persons behind them.

A person is made by the first event on record, never by a check. Every equal spelling of an
address leads to the same person, by a keyed hash of it; the address itself stands nowhere.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, bindparam, select

from consent.among import ByMany
from consent.keys.errors import UnknownKeyError
from consent.keys.key_ring import KeyRing
from consent.keys.sealing import SealingKey
from consent.ledger.identifiers import new_subject_id
from consent.ledger.tables import subject, subject_alias, subject_key
from jurisdictions.addresses import Address

FIRST_KEY_VERSION = 1

_BY_BLIND_INDEX = ByMany(
    lambda among: (
        select(subject_alias.c.blind_index, subject.c.id, subject.c.head_seq)
        .select_from(
            subject_alias.join(
                subject,
                (subject.c.organisation == subject_alias.c.organisation)
                & (subject.c.id == subject_alias.c.subject),
            )
        )
        .where(
            subject_alias.c.organisation == bindparam("organisation"),
            among(subject_alias.c.index_version, "index_versions"),
            among(subject_alias.c.blind_index, "blind_indexes"),
            subject_alias.c.valid_until.is_(None),
        )
    )
)
_BY_ID = ByMany(
    lambda among: select(subject.c.id, subject.c.head_seq).where(
        subject.c.organisation == bindparam("organisation"),
        among(subject.c.id, "ids"),
        subject.c.erased_at.is_(None),
    )
)
_INDEXES = ByMany(
    lambda among: select(subject_alias.c.blind_index).where(
        subject_alias.c.organisation == bindparam("organisation"),
        among(subject_alias.c.subject, "ids"),
        subject_alias.c.valid_until.is_(None),
    )
)
_KEYS = ByMany(
    lambda among: select(subject_key.c.subject, subject_key.c.version, subject_key.c.wrapped).where(
        subject_key.c.organisation == bindparam("organisation"),
        among(subject_key.c.subject, "ids"),
    )
)


class Subject(msgspec.Struct, frozen=True):
    """A person on record; ``head_seq`` counts their entries in the consent log."""

    id: bytes
    head_seq: int


@dataclass(frozen=True, slots=True)
class KnownSubject:
    """A person by the id that a decision or an earlier event gave."""

    id: bytes


@dataclass(frozen=True, slots=True)
class Stranger:
    """Somebody of whom only the blind index is known, from a place held in a cap."""

    blind_index: bytes


Whom = Address | KnownSubject | Stranger
"""The ways in which an event can say whom it concerns."""


def blind_indexes_of(organisation: str, address: Address, keys: KeyRing) -> tuple[bytes, ...]:
    """The keyed hash of each equal spelling, in the same order whichever was given.

    Those under the newest version of the index come first; until everybody is re-indexed, those
    under the older ones follow.
    """
    return tuple(
        keys.blind_index(organisation, spelling, version=version)
        for version in keys.index_versions(organisation)
        for spelling in address.spellings
    )


def find_by_index(
    connection: Connection, organisation: str, blind_indexes: Collection[bytes], *, keys: KeyRing
) -> dict[bytes, Subject]:
    """Whose these blind indexes are today, in one statement; strangers' are absent."""
    if not blind_indexes:
        return {}
    found = _BY_BLIND_INDEX.fetch(
        connection,
        {
            "organisation": organisation,
            "index_versions": list(keys.index_versions(organisation)),
            "blind_indexes": list(blind_indexes),
        },
    )
    return {blind_index: Subject(id_, head_seq) for blind_index, id_, head_seq in found}


def find_many(
    connection: Connection, organisation: str, addresses: Sequence[Address], *, keys: KeyRing
) -> list[Subject | None]:
    """The person behind each address, or None, in one statement."""
    indexes = [blind_indexes_of(organisation, address, keys) for address in addresses]
    return find_by_indexes(connection, organisation, indexes, keys=keys)


def find_by_indexes(
    connection: Connection,
    organisation: str,
    indexes: Sequence[Sequence[bytes]],
    *,
    keys: KeyRing,
) -> list[Subject | None]:
    """The person behind each set of blind indexes, or None, in one statement."""
    wanted = {index for each in indexes for index in each}
    found = find_by_index(connection, organisation, wanted, keys=keys)
    return [first_of(each, found) for each in indexes]


def find_by_id(
    connection: Connection, organisation: str, ids: Collection[bytes]
) -> dict[bytes, Subject]:
    """Those of these persons whom the organisation has and has not erased, in one statement."""
    if not ids:
        return {}
    found = _BY_ID.fetch(connection, {"organisation": organisation, "ids": list(ids)})
    return {id_: Subject(id_, head_seq) for id_, head_seq in found}


def find_or_make_many(
    connection: Connection,
    organisation: str,
    whoms: Sequence[Whom],
    *,
    keys: KeyRing,
    now: datetime,
) -> list[tuple[Subject, SealingKey] | None]:
    """The person of each of ``whoms`` with their data key, made where there is none yet.

    None for a ``KnownSubject`` whom the organisation does not have or has erased. The keys
    are for this turn only. The number of statements does not grow with ``whoms``.
    """
    indexes = [indexes_of(organisation, whom, keys) for whom in whoms]
    ids = {whom.id for whom in whoms if isinstance(whom, KnownSubject)}
    by_id = find_by_id(connection, organisation, ids)
    wanted = {index for each in indexes for index in each}
    by_index = find_by_index(connection, organisation, wanted, keys=keys)
    on_record = {person.id for person in (*by_id.values(), *by_index.values())}
    data_keys = load_keys(connection, organisation, on_record, keys=keys)
    if not by_index.keys() >= wanted:
        versions = _versions_of(indexes, keys.index_versions(organisation))
        _add_spellings(connection, organisation, indexes, by_index, versions=versions, now=now)
        new = _missing(indexes, by_index)
        made = _make_many(connection, organisation, new, versions=versions, keys=keys, now=now)
        for aliases, (person, _) in zip(new, made, strict=True):
            by_index.update(dict.fromkeys(aliases, person))
        data_keys |= {person.id: key for person, key in made}
    people = [
        by_id.get(whom.id) if isinstance(whom, KnownSubject) else first_of(each, by_index)
        for whom, each in zip(whoms, indexes, strict=True)
    ]
    return [(person, data_keys[person.id]) if person else None for person in people]


def load_keys(
    connection: Connection, organisation: str, ids: Collection[bytes], *, keys: KeyRing
) -> dict[bytes, SealingKey]:
    """The newest data key of each of these persons, in one statement; for this turn only."""
    if not ids:
        return {}
    newest: dict[bytes, tuple[int, bytes]] = {}
    rows = _KEYS.fetch(connection, {"organisation": organisation, "ids": list(ids)})
    for id_, version, wrapped in rows:
        if id_ not in newest or newest[id_][0] < version:
            newest[id_] = (version, wrapped)
    if len(newest) < len(set(ids)):
        raise UnknownKeyError("a person on record has no key")
    return {
        id_: keys.unwrap_subject_key(organisation, id_, version, wrapped)
        for id_, (version, wrapped) in newest.items()
    }


def find_indexes(connection: Connection, organisation: str, ids: Collection[bytes]) -> set[bytes]:
    """Every blind index by which these persons are found today, in one statement."""
    if not ids:
        return set()
    wanted = {"organisation": organisation, "ids": list(ids)}
    return {index for (index,) in _INDEXES.fetch(connection, wanted)}


def first_of(blind_indexes: Sequence[bytes], found: Mapping[bytes, Subject]) -> Subject | None:
    """The person of the first of these that leads to one."""
    for index in blind_indexes:
        person = found.get(index)
        if person is not None:
            return person
    return None


def indexes_of(organisation: str, whom: Whom, keys: KeyRing) -> tuple[bytes, ...]:
    """The blind indexes by which an event finds its person; none where it has the id itself."""
    match whom:
        case KnownSubject():
            return ()
        case Stranger(blind_index):
            return (blind_index,)
        case _:
            return blind_indexes_of(organisation, whom, keys)


def _add_spellings(
    connection: Connection,
    organisation: str,
    indexes: Sequence[tuple[bytes, ...]],
    by_index: dict[bytes, Subject],
    *,
    versions: Mapping[bytes, int],
    now: datetime,
) -> None:
    """Let every spelling lead where a known one leads, under every version of the index."""
    missing: dict[bytes, Subject] = {}
    for each in indexes:
        person = first_of(each, by_index)
        if person is not None:
            missing.update((index, person) for index in each if index not in by_index)
    by_index.update(missing)
    _insert_aliases(
        connection,
        organisation,
        [(index, person.id) for index, person in missing.items()],
        versions=versions,
        now=now,
    )


def _missing(
    indexes: Sequence[tuple[bytes, ...]], by_index: Mapping[bytes, Subject]
) -> list[set[bytes]]:
    """The indexes of every address that nobody has yet, once however often it comes."""
    new: list[set[bytes]] = []
    slot_of: dict[bytes, int] = {}
    for each in indexes:
        if not each or first_of(each, by_index) is not None:
            continue
        slot = next((slot_of[index] for index in each if index in slot_of), len(new))
        if slot == len(new):
            new.append(set())
        new[slot].update(each)
        slot_of.update(dict.fromkeys(each, slot))
    return new


def _versions_of(indexes: Sequence[tuple[bytes, ...]], versions: Sequence[int]) -> dict[bytes, int]:
    """Under which version each index was made. Of one that came alone nobody knows: it counts as
    of the oldest, which is then kept."""
    found: dict[bytes, int] = {}
    for each in indexes:
        spellings = len(each) // len(versions)
        for place, index in enumerate(each):
            found[index] = versions[place // spellings if spellings else -1]
    return found


def _make_many(
    connection: Connection,
    organisation: str,
    blind_indexes: Sequence[Collection[bytes]],
    *,
    versions: Mapping[bytes, int],
    keys: KeyRing,
    now: datetime,
) -> list[tuple[Subject, SealingKey]]:
    """Make one person for each set of blind indexes, with a key of their own."""
    if not blind_indexes:
        return []
    made = [Subject(new_subject_id(), 0) for _ in blind_indexes]
    new_keys = [keys.new_subject_key(organisation, one.id, FIRST_KEY_VERSION) for one in made]
    connection.execute(
        subject.insert(),
        [{"organisation": organisation, "id": one.id, "head_seq": 0} for one in made],
    )
    connection.execute(
        subject_key.insert(),
        [
            {
                "organisation": organisation,
                "subject": one.id,
                "version": FIRST_KEY_VERSION,
                "wrapping_key_version": key.wrapping_key_version,
                "wrapped": key.wrapped,
            }
            for one, key in zip(made, new_keys, strict=True)
        ],
    )
    aliases = [
        (index, one.id) for one, each in zip(made, blind_indexes, strict=True) for index in each
    ]
    _insert_aliases(connection, organisation, aliases, versions=versions, now=now)
    return [(one, key.key) for one, key in zip(made, new_keys, strict=True)]


def _insert_aliases(
    connection: Connection,
    organisation: str,
    aliases: Sequence[tuple[bytes, bytes]],
    *,
    versions: Mapping[bytes, int],
    now: datetime,
) -> None:
    if not aliases:
        return
    connection.execute(
        subject_alias.insert(),
        [
            {
                "organisation": organisation,
                "index_version": versions[blind_index],
                "blind_index": blind_index,
                "valid_from": now,
                "subject": id_,
            }
            for blind_index, id_ in aliases
        ],
    )
