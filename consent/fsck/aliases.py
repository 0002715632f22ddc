"""Whether addresses lead to the persons whose entries tell them.

An alias is no part of the log and is sealed by nothing: who could swap two would have one person's
consent read as another's. Only their own sealed payloads tell whose an address is.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, bindparam

from consent.among import ByMany
from consent.keys.key_ring import KeyRing
from consent.ledger.tables import subject, subject_alias
from consent.rows import fetch
from jurisdictions.addresses import spellings_of_normalised

Alias = tuple[int, bytes]
"""Version of the index, and the blind index."""


class Aliases:
    """The aliases of one organisation, held against the addresses that payloads tell."""

    def __init__(self, connection: Connection, organisation: str, keys: KeyRing) -> None:
        self._connection = connection
        self._organisation = organisation
        self._keys = keys
        self._versions = keys.index_versions(organisation)

    def load(self, ids: Sequence[bytes]) -> Mapping[bytes, set[Alias]]:
        """The aliases that lead to these persons today, in one statement."""
        found: dict[bytes, set[Alias]] = {}
        for person, version, blind_index in self._rows(ids):
            if version in self._versions:  # Nobody is found by one whose key was destroyed.
                found.setdefault(person, set()).add((version, blind_index))
        return found

    def _rows(self, ids: Sequence[bytes]) -> Sequence[Sequence[Any]]:
        if self._connection.dialect.name == "sqlite":
            statement = f"{_BY_SUBJECT_ON_SQLITE}({', '.join('?' * len(ids))})"
            return fetch(self._connection, statement, (self._organisation, *ids))
        wanted = {"organisation": self._organisation, "ids": list(ids)}
        return _BY_SUBJECT.execute(self._connection, wanted).all()

    def compare(
        self, aliases: Collection[Alias], told: Collection[str], *, may_have: int
    ) -> Iterator[str]:
        """What is wrong between a person's ``aliases`` and the addresses ``told`` by their entries.

        ``may_have``: that many aliases need not be told; who began as a stranger has one, for
        their first entry tells no address.
        """
        explained: set[Alias] = set()
        missing: list[list[Alias]] = []
        for address in told:
            for spelling in spellings_of_normalised(address):
                of_spelling = [
                    (version, self._keys.blind_index(self._organisation, spelling, version=version))
                    for version in self._versions
                ]
                explained.update(of_spelling)
                if not any(alias in aliases for alias in of_spelling):
                    missing.append(of_spelling)
        if len(set(aliases) - explained) > may_have:
            yield "an address that none of the person's entries tells leads to them"
        if any(not self._leads_to_somebody(one) for one in missing):
            yield "an address that the person's entries tell leads to nobody"

    def _leads_to_somebody(self, of_spelling: Sequence[Alias]) -> bool:
        """To another person, of whom it is asked whether it is theirs."""
        indexes = [blind_index for _, blind_index in of_spelling]
        wanted = {"organisation": self._organisation, "blind_indexes": indexes}
        rows = _BY_INDEX.execute(self._connection, wanted)
        return any((version, index) in of_spelling for version, index in rows)


_A = subject_alias.c
_BY_SUBJECT = ByMany(
    lambda among: sa.select(_A.subject, _A.index_version, _A.blind_index).where(
        _A.organisation == bindparam("organisation"),
        among(_A.subject, "ids"),
        _A.valid_until.is_(None),
    )
)
_BY_SUBJECT_ON_SQLITE = (
    "SELECT subject, index_version, blind_index FROM subject_alias INDEXED BY"
    " subject_alias_subject WHERE organisation = ? AND valid_until IS NULL AND subject IN "
)
"""The same by the index of persons: SQLite would take the table's own key by itself, and read all
of it for every few people."""
_BY_INDEX = ByMany(
    lambda among: (
        sa.select(_A.index_version, _A.blind_index)
        .select_from(
            subject_alias.join(
                subject,
                sa.and_(subject.c.organisation == _A.organisation, subject.c.id == _A.subject),
            )
        )
        .where(
            _A.organisation == bindparam("organisation"),
            among(_A.blind_index, "blind_indexes"),
            _A.valid_until.is_(None),
        )
    )
)
