"""Statements that ask for many keys: however they are run, they find the same."""

from datetime import UTC, datetime

import pytest
import sqlalchemy as sa

from consent.among import ByMany
from consent.ledger.columns import Instant

TABLE = sa.Table(
    "noted",
    sa.MetaData(),
    sa.Column("id", sa.LargeBinary, primary_key=True),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)
AT = datetime(2026, 11, 20, 17, 0, 0, 123456, tzinfo=UTC)
LATER = ByMany(
    lambda among: (
        sa.select(TABLE.c.id, TABLE.c.kind, TABLE.c.at)
        .where(among(TABLE.c.id, "ids"), TABLE.c.at >= sa.bindparam("since"))
        .order_by(sa.case({"b": 0, "a": 1}, value=TABLE.c.kind), TABLE.c.id)
    )
)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 8, 9, 200])
def test_fetching_gives_what_executing_gives(engine: sa.Engine, count: int) -> None:
    ids = [number.to_bytes(2, "big") for number in range(200)]
    with engine.connect() as connection:
        TABLE.create(connection)
        rows = [{"id": id_, "kind": "ab"[id_[1] % 2], "at": AT} for id_ in ids[::2]]
        connection.execute(TABLE.insert(), rows)
        wanted = {"ids": ids[:count], "since": AT}
        fetched = [tuple(row) for row in LATER.fetch(connection, wanted)]
        assert fetched == [tuple(row) for row in LATER.execute(connection, wanted)]
        assert len(fetched) == (count + 1) // 2
        assert all(at == AT for _, _, at in fetched)
        later = {"ids": ids[:count], "since": AT.replace(microsecond=123457)}
        assert not LATER.fetch(connection, later)


def test_two_lists_of_different_lengths_are_both_asked_whole(engine: sa.Engine) -> None:
    either = ByMany(
        lambda among: sa.union_all(
            sa.select(TABLE.c.id).where(among(TABLE.c.id, "ids")),
            sa.select(TABLE.c.id).where(among(TABLE.c.kind, "kinds")),
        )
    )
    with engine.connect() as connection:
        TABLE.create(connection)
        rows = [{"id": bytes([n]), "kind": f"k{n}", "at": AT} for n in range(9)]
        connection.execute(TABLE.insert(), rows)
        for ids, kinds in (([b"\0"], []), ([], ["k1", "k2", "k3"]), ([b"\4"], ["k5", "k6", "k7"])):
            found = either.fetch(connection, {"ids": ids, "kinds": kinds})
            assert sorted(id_ for (id_,) in found) == [
                *ids,
                *(bytes([int(kind[1])]) for kind in kinds),
            ]
