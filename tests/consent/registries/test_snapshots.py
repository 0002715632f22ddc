"""Copies of registers: what they say, how they are kept, and what may follow them."""

import hashlib
import io
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from consent.errors import RegistryConflictError, RegistryFileError, RegistryUnreadableError
from consent.registries import snapshots
from consent.registries.copies import EVERYTHING, ONLY_ROWS
from consent.registries.snapshots import Registries, Snapshot
from jurisdictions.addresses import parse_address
from rules.facts import RegistryEntry
from rules.vocabulary import Channel
from tests.support import consents
from tests.support.consents import ANN, BOB, NOW, Recorder

TODAY = NOW.date()
CAT = parse_address("+14165550199")


@pytest.fixture
def recorder(engine: sa.Engine, tmp_path: Path) -> Iterator[Recorder]:
    with consents.recorder(engine, consents.a_key_ring(tmp_path / "keys")) as made:
        yield made


@pytest.fixture
def registries(recorder: Recorder, tmp_path: Path) -> Registries:
    return Registries(tmp_path / "registries", recorder.keys)


class Desk:
    """Loads files for one organisation, and asks."""

    def __init__(self, recorder: Recorder, registries: Registries) -> None:
        self.recorder = recorder
        self.registries = registries

    def load(
        self,
        text: str,
        *,
        registry: str = "us-national-dnc",
        as_of: date = TODAY,
        covers: tuple[str, ...] = (EVERYTHING,),
    ) -> Snapshot:
        prepared = self.registries.prepare(
            self.recorder.organisation,
            registry,
            as_of,
            io.BytesIO(text.encode()),
            covers=covers,
        )
        loaded = self.registries.load(self.recorder.connection, prepared, now=NOW)
        self.registries.refresh(self.recorder.connection)
        return loaded

    def ask(
        self,
        text: str,
        *,
        registry: str = "us-national-dnc",
        sender: str = "acme",
        channel: Channel = Channel.SMS,
    ) -> RegistryEntry | None:
        return self.registries.look_up(
            self.recorder.organisation, parse_address(text), sender=sender, channel=channel
        ).get(registry)

    def listed(self, text: str, **asked: str) -> bool | None:
        found = self.ask(text, **asked)  # type: ignore[arg-type]
        return None if found is None else found.listed


@pytest.fixture
def desk(recorder: Recorder, registries: Registries) -> Desk:
    return Desk(recorder, registries)


def test_a_loaded_copy_says_who_is_listed_and_since_when_it_is(desk: Desk) -> None:
    assert desk.ask("+12125550123") is None
    loaded = desk.load("212,5550123\n", as_of=date(2026, 11, 1))
    entry = RegistryEntry(registry="us-national-dnc", listed=True, as_of=date(2026, 11, 1))
    assert desk.ask("+12125550123") == entry
    assert desk.listed("+12125550124") is False
    assert desk.registries.in_use(desk.recorder.organisation) == {"us-national-dnc": loaded}
    digest = hashlib.sha256(b"212,5550123\n").hexdigest()
    assert (loaded.digest, loaded.entry_count) == (f"sha256:{digest}", 1)


def test_a_number_that_is_not_covered_is_unknown(desk: Desk) -> None:
    desk.load("212,5550123\n416,5550199\n", covers=("+1212", "+1646"))
    assert desk.listed("+12125550123") is True
    assert desk.listed("+16465550123") is False
    assert desk.listed("+14165550199") is True
    assert desk.listed("+14165550123") is None
    assert desk.listed("bob@example.com") is None


def test_a_wash_file_speaks_only_of_its_rows(desk: Desk) -> None:
    rows = "address,listed,date\n+12125550123,no,2026-11-02\n+12125550124,unknown,\n+12125550125\n"
    desk.load(rows, registry="us-rnd", covers=(ONLY_ROWS,))
    clear = RegistryEntry(registry="us-rnd", listed=False, as_of=date(2026, 11, 2))
    assert desk.ask("+12125550123", registry="us-rnd") == clear
    assert desk.ask("+12125550124", registry="us-rnd") is None
    assert desk.listed("+12125550125", registry="us-rnd") is True
    assert desk.ask("+12125550126", registry="us-rnd") is None


def test_what_a_register_does_not_know_is_not_taken_for_clear(desk: Desk) -> None:
    desk.load("address,listed\n+12125550124,no data\n", registry="us-rnd")
    assert desk.ask("+12125550124", registry="us-rnd") is None
    assert desk.listed("+12125550125", registry="us-rnd") is False


def test_an_answer_from_before_the_copy_keeps_its_own_day(desk: Desk) -> None:
    desk.load(
        "address,listed,date\n+12125550123,no,2025-01-01\n+12125550124,no,2030-01-01\n",
        registry="us-rnd",
    )
    days = [desk.ask(f"+1212555012{n}", registry="us-rnd") for n in (3, 4)]
    assert [entry.as_of for entry in days if entry] == [date(2025, 1, 1), TODAY]


@pytest.mark.parametrize(
    ("sender", "channel", "listed"),
    [
        ("acme", Channel.SMS, False),
        ("Acme", Channel.VOICE, True),
        ("beta", Channel.SMS, False),
        ("beta", Channel.VOICE, True),
    ],
)
def test_the_most_particular_row_holds(
    desk: Desk, sender: str, channel: Channel, listed: bool
) -> None:
    desk.load(
        "address,listed,sender,channel\n"
        "+12125550123,yes,,\n"
        "+12125550123,no,,sms\n"
        "+12125550123,yes,ACME,\n"
        "+12125550123,no,acme,sms\n"
    )
    found = desk.ask("+12125550123", sender=sender, channel=channel)
    assert found is not None
    assert found.listed is listed


def test_of_equally_particular_rows_the_latest_holds(desk: Desk) -> None:
    desk.load(
        "address,listed,date\n"
        "+12125550123,no,2026-10-01\n+12125550123,yes,2026-10-02\n"
        "+12125550124,no,2026-10-01\n+12125550124,yes,\n"
    )
    assert desk.listed("+12125550123") is True
    assert desk.ask("+12125550124") == RegistryEntry(
        registry="us-national-dnc", listed=True, as_of=TODAY
    )


@pytest.mark.parametrize(
    "text",
    [
        "address,listed\n+12125550123,yes\n+12125550123,no\n",
        "address,listed\nbob@example.com,yes\nBob@example.com,unknown\n",
        "address,listed,channel\n+12125550123,yes,sms\n+12125550123,no,sms\n",
    ],
)
def test_rows_that_contradict_each_other_refuse_the_file(desk: Desk, text: str) -> None:
    with pytest.raises(RegistryFileError):
        desk.load(text)


def test_email_addresses_are_kept_as_keyed_hashes(
    desk: Desk, recorder: Recorder, tmp_path: Path
) -> None:
    desk.load("address\nbob@example.com\n+12125550123\n", registry="xa-list")
    assert desk.listed("BOB@Example.com", registry="xa-list") is True
    assert desk.listed("ann@example.com", registry="xa-list") is False
    assert desk.listed("+12125550123", registry="xa-list") is True
    (file,) = (tmp_path / "registries" / recorder.organisation).iterdir()
    assert b"example" not in file.read_bytes()


def test_every_equal_spelling_is_listed(desk: Desk) -> None:
    desk.load("5512345678\n", registry="mx-repep")
    assert desk.listed("+5215512345678", registry="mx-repep") is True
    assert desk.listed("+525512345679", registry="mx-repep") is False


def test_the_newest_copy_answers_in_whatever_order_they_came(desk: Desk) -> None:
    desk.load("212,5550123\n", as_of=TODAY)
    desk.load("212,5550124\n", as_of=TODAY - timedelta(days=9))
    assert (desk.listed("+12125550123"), desk.listed("+12125550124")) == (True, False)
    desk.load("212,5550125\n", registry="us-la-dnc")
    assert desk.listed("+12125550125") is False
    assert desk.listed("+12125550125", registry="us-la-dnc") is True


def test_the_same_bytes_again_change_nothing_and_others_are_refused(
    desk: Desk, recorder: Recorder, tmp_path: Path
) -> None:
    first = desk.load("212,5550123\n")
    assert desk.load("212,5550123\n") == first
    for text, covers in (("212,5550124\n", (EVERYTHING,)), ("212,5550123\n", ("+1212",))):
        with pytest.raises(RegistryConflictError):
            desk.load(text, covers=covers)
    assert snapshots.load_all(recorder.connection, recorder.organisation) == [first]
    folder = tmp_path / "registries" / recorder.organisation
    assert [file.name for file in folder.iterdir()] == [first.file_name]


def test_a_copy_of_a_day_that_has_begun_nowhere_is_refused(
    desk: Desk, recorder: Recorder, tmp_path: Path
) -> None:
    with pytest.raises(RegistryFileError):
        desk.load("212,5550123\n", as_of=TODAY + timedelta(days=2))
    assert list((tmp_path / "registries" / recorder.organisation).iterdir()) == []
    desk.load("212,5550123\n", as_of=TODAY + timedelta(days=1))


def test_a_turn_that_was_rolled_back_is_tried_again(
    desk: Desk, recorder: Recorder, registries: Registries
) -> None:
    prepared = registries.prepare(
        recorder.organisation, "us-national-dnc", TODAY, io.BytesIO(b"212,5550123\n")
    )
    with recorder.connection.begin_nested() as savepoint:
        registries.load(recorder.connection, prepared, now=NOW)
        savepoint.rollback()
    registries.load(recorder.connection, prepared, now=NOW)
    registries.refresh(recorder.connection)
    assert desk.listed("+12125550123") is True


@pytest.mark.parametrize("covers", [(), ("1212",), ("+1212", EVERYTHING), ("+",)])
def test_covers_is_everything_or_rows_or_prefixes(desk: Desk, covers: tuple[str, ...]) -> None:
    with pytest.raises(RegistryFileError):
        desk.load("212,5550123\n", covers=covers)


@pytest.mark.parametrize("registry", ["dnc", "us-", "US-dnc", "../us-dnc", "us-dnc/x"])
def test_a_registry_has_an_id_of_its_form(desk: Desk, registry: str) -> None:
    with pytest.raises(RegistryFileError):
        desk.load("+12125550123\n", registry=registry)


def test_changes_make_a_new_copy_of_the_one_before(desk: Desk) -> None:
    desk.load("212,5550123\n212,5550124\n", as_of=TODAY - timedelta(days=1), covers=("+1212",))
    changed = desk.load("212,5550123,2026-11-21,D\n212,5550125,2026-11-21,A\n")
    assert [desk.listed(f"+1212555012{n}") for n in (3, 4, 5)] == [False, True, True]
    assert changed.covers == ("+1212",)
    assert desk.listed("+14165550123") is None


def test_changes_of_nothing_or_of_a_younger_copy_are_refused(desk: Desk) -> None:
    with pytest.raises(RegistryFileError):
        desk.load("212,5550123,2026-11-21,D\n")
    desk.load("212,5550123\n")
    with pytest.raises(RegistryFileError):
        desk.load("212,5550123,2026-11-21,D\n")


def test_changes_whose_base_was_replaced_meanwhile_are_refused(
    desk: Desk, recorder: Recorder, registries: Registries
) -> None:
    desk.load("212,5550123\n", as_of=TODAY - timedelta(days=2))
    prepared = registries.prepare(
        recorder.organisation, "us-national-dnc", TODAY, io.BytesIO(b"212,5550123,D\n")
    )
    desk.load("212,5550123\n212,5550124\n", as_of=TODAY - timedelta(days=1))
    with pytest.raises(RegistryConflictError):
        registries.load(recorder.connection, prepared, now=NOW)
    assert not prepared.path.exists()


def test_another_process_takes_the_copy_in(desk: Desk, recorder: Recorder, tmp_path: Path) -> None:
    elsewhere = Registries(tmp_path / "registries", recorder.keys)
    elsewhere.refresh(recorder.connection)
    desk.load("212,5550123\n")
    asked = {"sender": "acme", "channel": Channel.SMS}
    assert elsewhere.look_up(recorder.organisation, ANN, **asked) == {}  # type: ignore[arg-type]
    elsewhere.refresh(recorder.connection)
    found = elsewhere.look_up(recorder.organisation, ANN, **asked)  # type: ignore[arg-type]
    assert found["us-national-dnc"].listed
    with consents.counted_statements(recorder.connection) as ran:
        elsewhere.refresh(recorder.connection)
    assert len(ran) == 1


@pytest.mark.parametrize("damage", ["gone", "flipped", "cut", "swapped"])
def test_a_copy_that_cannot_be_read_counts_as_not_loaded(
    desk: Desk, recorder: Recorder, tmp_path: Path, damage: str
) -> None:
    loaded = desk.load("212,5550123\n")
    other = desk.load("212,5550124\n", registry="us-la-dnc")
    folder = tmp_path / "registries" / recorder.organisation
    path = folder / loaded.file_name
    content = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        flipped = content[:-1] + bytes([content[-1] ^ 1])
        swapped = (folder / other.file_name).read_bytes()
        path.write_bytes({"flipped": flipped, "cut": content[:-1], "swapped": swapped}[damage])
    fresh = Registries(tmp_path / "registries", recorder.keys)
    fresh.refresh(recorder.connection)
    found = fresh.look_up(recorder.organisation, ANN, sender="acme", channel=Channel.SMS)
    assert set(found) == {"us-la-dnc"}
    (problem,) = fresh.problems.values()
    assert isinstance(problem, RegistryUnreadableError)
    path.write_bytes(content)
    desk.load("212,5550123\n", registry="us-ny-dnc")
    fresh.refresh(recorder.connection)
    assert not fresh.problems


def test_files_are_the_owners_alone(desk: Desk, recorder: Recorder, tmp_path: Path) -> None:
    loaded = desk.load("212,5550123\n")
    folder = tmp_path / "registries" / recorder.organisation
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / loaded.file_name).stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_refused_leaves_nothing_behind(
    desk: Desk, recorder: Recorder, tmp_path: Path
) -> None:
    with pytest.raises(RegistryFileError):
        desk.load("nonsense\n")
    folder = tmp_path / "registries" / recorder.organisation
    assert not folder.exists() or list(folder.iterdir()) == []


def test_organisations_do_not_share_copies(desk: Desk, registries: Registries) -> None:
    desk.load("212,5550123\n")
    assert registries.look_up("org_other", ANN, sender="acme", channel=Channel.SMS) == {}


def test_only_the_registers_asked_for_answer(desk: Desk, recorder: Recorder) -> None:
    desk.load("212,5550123\n")
    desk.load("416,5550199\n", registry="ca-dncl")
    for only, found in (([], set()), (["ca-dncl", "uk-tps"], {"ca-dncl"})):
        entries = desk.registries.look_up(
            recorder.organisation, CAT, sender="acme", channel=Channel.SMS, only=only
        )
        assert set(entries) == found


def test_an_address_that_cannot_be_one_is_asked_without_harm(desk: Desk) -> None:
    desk.load("212,5550123\n")
    for text in ("call me maybe", "+", "@", "+1²²2", BOB.normalised):
        assert desk.listed(text) is False
