"""A whole ledger tampered with by whoever owns its database: named by log and index.

Each fault is done to a copy of its own, with the guards out of the way, and so that everything
that can be made to fit fits. After it no check may let out what was stopped.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from consent import tables as consent_tables
from consent.fsck.damage import Damage, Kind
from consent.keys.key_ring import KeyRing
from consent.ledger import tables
from consent.ledger.checkpoints import read_heads
from consent.ledger.leaf import Log, decode_leaf
from consent.ledger.tiles import EMPTY_EDGE, Edge, extend
from consent.ledger.tree import leaf_hash
from consent.subjects import find_many
from jurisdictions.addresses import parse_address
from rules.errors import ComplianceError
from tests.support.databases import BACKENDS
from tests.support.service import running_service
from tests.support.tampering import take_guards_away
from tests.trials.whole_ledger import ANN, BOB, ERASED, EVE, Caller, Sites, WholeLedger, a_check

pytestmark = pytest.mark.trial

ENTRY, PAYLOAD, HEAD, TILE = tables.log_entry, tables.log_payload, tables.log_head, tables.log_tile
SUBJECT, ALIAS, CHECKPOINT = tables.subject, tables.subject_alias, tables.checkpoint
STANDING, SUPPRESSION = consent_tables.standing, consent_tables.suppression
CONSENT = "consent"


class Owner:
    """Who holds a ledger's database, and knows it well."""

    def __init__(self, ledger: WholeLedger, connection: Connection) -> None:
        self.ledger = ledger
        self.connection = connection
        self.organisation = ledger.organisations[0]

    def rows(self, table: sa.Table, *where: Any) -> list[dict[str, Any]]:
        """Rows of the first organisation."""
        of = sa.select(table).where(table.c.organisation == self.organisation, *where)
        return [dict(row) for row in self.connection.execute(of).mappings()]

    def change(self, table: sa.Table, *where: Any, **values: Any) -> int:
        of = sa.update(table).where(table.c.organisation == self.organisation, *where)
        return self._done(self.connection.execute(of.values(**values)).rowcount)

    def delete(self, table: sa.Table, *where: Any) -> int:
        of = sa.delete(table).where(table.c.organisation == self.organisation, *where)
        return self._done(self.connection.execute(of).rowcount)

    def swap(self, table: sa.Table, one: Any, other: Any, *columns: str) -> None:
        """Let two rows change what stands in these columns."""
        (a,), (b,) = self.rows(table, one), self.rows(table, other)
        assert any(a[name] != b[name] for name in columns), "the fault did not happen"
        self.change(table, one, **{name: b[name] for name in columns})
        self.change(table, other, **{name: a[name] for name in columns})

    def entry(self, index: int) -> dict[str, Any]:
        (row,) = self.rows(ENTRY, ENTRY.c.log == CONSENT, ENTRY.c.idx == index)
        return row

    def index_of(self, address: str, type_: str) -> int:
        """The last entry of that type of a person."""
        person = self.person(address)
        rows = self.rows(ENTRY, ENTRY.c.log == CONSENT, ENTRY.c.subject == person)
        return max(int(row["idx"]) for row in rows if decode_leaf(row["leaf"]).type == type_)

    def person(self, address: str) -> bytes:
        keys = KeyRing.open(self.ledger.folder, root=self.ledger.settings.root_key_place())
        parsed = [parse_address(address)]
        (found,) = find_many(self.connection, self.organisation, parsed, keys=keys)
        assert found is not None
        return found.id

    def erase_index(self) -> int:
        rows = self.rows(ENTRY, ENTRY.c.log == CONSENT)
        return max(int(row["idx"]) for row in rows if decode_leaf(row["leaf"]).type == "erase")

    def size(self) -> int:
        (head,) = self.rows(HEAD, HEAD.c.log == CONSENT)
        return int(head["size"])

    def regrow(self) -> None:
        """Make tiles and head anew from what is there, as the service would have made them."""
        rows = sorted(self.rows(ENTRY, ENTRY.c.log == CONSENT), key=lambda row: row["idx"])
        edge, made = extend(EMPTY_EDGE, [row["leaf_hash"] for row in rows])
        self.connection.execute(
            sa.delete(TILE).where(TILE.c.organisation == self.organisation, TILE.c.log == CONSENT)
        )
        for tile in made:
            row = {"organisation": self.organisation, "log": CONSENT, "level": tile.level}
            self.connection.execute(sa.insert(TILE), row | {"n": tile.n, "hashes": tile.hashes})
        self.change(HEAD, HEAD.c.log == CONSENT, size=edge.size, edge=edge.joined())

    @staticmethod
    def _done(count: int) -> int:
        assert count >= 1, "the fault did not happen"
        return count


def at(index: int) -> Any:
    return sa.and_(ENTRY.c.log == CONSENT, ENTRY.c.idx == index)


Named = set[tuple[str, str | None, int | None]]
"""Kind, log and index of what has to be among what is named; the index may be left open."""


def change_an_entry(owner: Owner) -> Named:
    """The opt-out becomes a grant, and hash and tree are made to fit."""
    index = owner.index_of(BOB, "revoke")
    leaf = owner.entry(index)["leaf"].replace(b'"type":"revoke"', b'"type":"grant"')
    owner.change(ENTRY, at(index), leaf=leaf, leaf_hash=leaf_hash(leaf))
    owner.regrow()
    return {("payload", CONSENT, index), ("checkpoint", CONSENT, None), ("vault", CONSENT, None)}


def change_only_the_leaf(owner: Owner) -> Named:
    index = owner.index_of(ANN, "grant")
    leaf = owner.entry(index)["leaf"].replace(b"marketing", b"promotion")
    owner.change(ENTRY, at(index), leaf=leaf)
    return {("leaf", CONSENT, index)}


def delete_an_entry(owner: Owner) -> Named:
    index = owner.index_of(EVE, "revoke")
    owner.delete(ENTRY, at(index))
    return {("gap", CONSENT, index)}


def reorder(owner: Owner) -> Named:
    """Two entries of different people change places, and the tree is made to fit."""
    one, other = owner.index_of(ANN, "grant"), owner.index_of(EVE, "grant")
    a, b = owner.entry(one), owner.entry(other)
    owner.delete(ENTRY, at(one))
    owner.delete(ENTRY, at(other))
    owner.connection.execute(sa.insert(ENTRY), [a | {"idx": other}, b | {"idx": one}])
    owner.regrow()
    return {("checkpoint", CONSENT, None), ("vault", CONSENT, None)}


def truncate(owner: Owner) -> Named:
    """The last five entries go, with all that follows from them, as if they had never been."""
    size = owner.size()
    gone = owner.rows(ENTRY, ENTRY.c.log == CONSENT, ENTRY.c.idx >= size - 5)
    for row in gone:
        owner.delete(ENTRY, at(row["idx"]))
        owner.connection.execute(sa.delete(PAYLOAD).where(PAYLOAD.c.event_id == row["event_id"]))
    owner.delete(CHECKPOINT, CHECKPOINT.c.log == CONSENT)
    owner.regrow()
    return {("vault", CONSENT, None)}


def put_the_head_back(owner: Owner) -> Named:
    size = owner.size()
    rows = sorted(owner.rows(ENTRY, ENTRY.c.log == CONSENT), key=lambda row: row["idx"])
    edge, _ = extend(EMPTY_EDGE, [row["leaf_hash"] for row in rows[: size - 3]])
    owner.change(HEAD, HEAD.c.log == CONSENT, size=size - 3, edge=edge.joined())
    return {("beyond_head", CONSENT, size - 3), ("vault", CONSENT, None)}


def swap_two_payloads(owner: Owner) -> Named:
    one, other = owner.index_of(BOB, "revoke"), owner.index_of(BOB, "grant")
    a, b = owner.entry(one)["event_id"], owner.entry(other)["event_id"]
    owner.swap(PAYLOAD, PAYLOAD.c.event_id == a, PAYLOAD.c.event_id == b, "nonce", "ciphertext")
    return {("payload", CONSENT, one), ("payload", CONSENT, other)}


def remove_a_payload(owner: Owner) -> Named:
    index = owner.index_of(BOB, "revoke")
    owner.delete(PAYLOAD, PAYLOAD.c.event_id == owner.entry(index)["event_id"])
    return {("payload", CONSENT, index)}


def swap_two_standings(owner: Owner) -> Named:
    one, other = owner.person(ANN), owner.person(BOB)
    owner.swap(STANDING, STANDING.c.subject == one, STANDING.c.subject == other, "sealed_history")
    return {("standing", CONSENT, None)}


def change_a_standing(owner: Owner) -> Named:
    person = owner.person(BOB)
    (row,) = owner.rows(STANDING, STANDING.c.subject == person)
    sealed = row["sealed_history"]
    owner.change(STANDING, STANDING.c.subject == person, sealed_history=sealed[:-1] + b"x")
    return {("standing", CONSENT, owner.index_of(BOB, "revoke"))}


def remove_a_suppression(owner: Owner) -> Named:
    index = owner.index_of(BOB, "revoke")
    owner.delete(SUPPRESSION, SUPPRESSION.c.idx == index)
    return {("suppression", CONSENT, index)}


def forget_an_erasure(owner: Owner) -> Named:
    """The mark and the suppression go: only the log still knows."""
    index = owner.erase_index()
    (head,) = owner.rows(SUBJECT, SUBJECT.c.erased_at.is_not(None))
    owner.change(SUBJECT, SUBJECT.c.id == head["id"], erased_at=None)
    owner.delete(SUPPRESSION, SUPPRESSION.c.idx == index)
    said = owner.rows(ENTRY, ENTRY.c.log == CONSENT, ENTRY.c.subject == head["id"])
    first = min(row["idx"] for row in said)
    return {("payload", CONSENT, first), ("suppression", CONSENT, index)}


def swap_two_addresses(owner: Owner) -> Named:
    """What Bob gave is read as Ann's, and the other way round."""
    one, other = owner.person(ANN), owner.person(EVE)
    ends = [
        max(row["idx"] for row in owner.rows(ENTRY, ENTRY.c.log == CONSENT, whose))
        for whose in (ENTRY.c.subject == one, ENTRY.c.subject == other)
    ]
    for row in owner.rows(ALIAS):
        if row["subject"] in (one, other):
            to = other if row["subject"] == one else one
            owner.change(ALIAS, ALIAS.c.blind_index == row["blind_index"], subject=to)
    return {("alias", CONSENT, end) for end in ends}


def remove_a_checkpoint_and_forge(owner: Owner) -> Named:
    rows = owner.rows(CHECKPOINT, CHECKPOINT.c.log == CONSENT)
    note = rows[0]["note"].replace("\n\n", "1\n\n")
    owner.change(CHECKPOINT, CHECKPOINT.c.log == CONSENT, note=note)
    return {("checkpoint", CONSENT, rows[0]["size"] - 1)}


def move_a_row_to_another_organisation(owner: Owner) -> Named:
    index, other = owner.index_of(BOB, "revoke"), owner.ledger.organisations[1]
    owner.change(PAYLOAD, PAYLOAD.c.event_id == owner.entry(index)["event_id"], organisation=other)
    return {("payload", CONSENT, index)}


def change_a_tile(owner: Owner) -> Named:
    (tile,) = owner.rows(TILE, TILE.c.level == 0)
    owner.change(TILE, TILE.c.level == 0, hashes=tile["hashes"][:-1] + b"x")
    return {("tile", CONSENT, 255)}


FAULTS: list[Callable[[Owner], Named]] = [
    change_an_entry,
    change_only_the_leaf,
    delete_an_entry,
    reorder,
    truncate,
    put_the_head_back,
    swap_two_payloads,
    remove_a_payload,
    swap_two_standings,
    change_a_standing,
    remove_a_suppression,
    forget_an_erasure,
    swap_two_addresses,
    remove_a_checkpoint_and_forge,
    move_a_row_to_another_organisation,
    change_a_tile,
]


@pytest.fixture(params=BACKENDS)
def sites(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Sites]:
    server = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
    with ExitStack() as stack:
        yield Sites(stack, tmp_path, server)


def test_each_tampering_is_named_by_log_and_index(
    sites: Sites, record_property: Callable[[str, object], None]
) -> None:
    whole = sites.make()
    assert whole.inspect() == []
    outcomes: dict[str, int] = {}
    for fault in FAULTS:
        broken = sites.copy(whole)
        wanted = tamper(broken, fault)
        named = {(one.kind.value, one.log, one.index) for one in broken.inspect()}
        for kind, log, index in wanted:
            places = {place for word, of_log, place in named if (word, of_log) == (kind, log)}
            assert places, (fault.__name__, kind, named)
            assert index is None or index in places, (fault.__name__, kind, index, named)
        for word in asyncio.run(verdicts(broken)):
            outcomes[word] = outcomes.get(word, 0) + 1
    told = ", ".join(f"{count} {word}" for word, count in sorted(outcomes.items()))
    record_property("trial", f"{len(FAULTS)} faults, all named; checks after them: {told}")


def tamper(ledger: WholeLedger, fault: Callable[[Owner], Named]) -> Named:
    engine = ledger.engine()
    try:
        with engine.begin() as connection:
            take_guards_away(connection)
            return fault(Owner(ledger, connection))
    finally:
        engine.dispose()


async def verdicts(ledger: WholeLedger) -> list[str]:
    """What becomes of messages to those who must not get one."""
    answers = []
    try:
        async with running_service(ledger.folder, database_url=ledger.url) as service:
            caller = Caller(service, ledger.organisations[0])
            for address in (BOB, ERASED, EVE):
                answer = await caller.ask("/v1/checks", a_check(address))
                assert answer.status_code in (200, 503), answer.text
                told = answer.json()
                assert told.get("verdict") != "allow", (address, told)
                answers.append(told.get("verdict") or told["code"])
    except ComplianceError as error:
        answers.append(error.code)
    return answers


def test_an_old_copy_is_named_and_not_written_to(
    sites: Sites, record_property: Callable[[str, object], None]
) -> None:
    """The database is put back to before an opt-out; the vault is not."""
    whole = sites.make()
    old = sites.copy(whole)
    asyncio.run(stop_ann(whole))
    restored = WholeLedger(whole.folder, old.url, whole.organisations)
    if old.url is None:
        for beside in whole.folder.glob(f"{whole.file.name}-*"):
            beside.unlink()
        whole.file.write_bytes(old.file.read_bytes())
    damages: list[Damage] = restored.inspect()
    assert {(one.kind, one.log) for one in damages} == {
        (Kind.VAULT, Log.CONSENT),
        (Kind.VAULT, Log.DECISIONS),
    }
    assert asyncio.run(verdicts(restored)) == ["ledger_read_only"] * 3
    record_property("trial", "1 old copy, named in 2 logs, 3 checks refused")


async def stop_ann(ledger: WholeLedger) -> None:
    async with running_service(ledger.folder, database_url=ledger.url) as service:
        caller = Caller(service, ledger.organisations[0])
        await caller.stop(ANN)
        assert (await caller.check(ANN))["verdict"] == "deny"
        await service.signer.sign_grown()


def test_the_heads_that_are_read_are_those_of_the_edges(sites: Sites) -> None:
    """What a fault makes to fit does fit: without one, growing the tree anew changes nothing."""
    whole = sites.make()
    engine = whole.engine()
    with engine.begin() as connection:
        take_guards_away(connection)
        before = read_heads(connection)
        Owner(whole, connection).regrow()
        assert read_heads(connection) == before
        assert all(Edge.of(head.size, head.edge).size == head.size for head in before)
    engine.dispose()
    assert {one.kind for one in whole.inspect()} <= {Kind.GUARD}
