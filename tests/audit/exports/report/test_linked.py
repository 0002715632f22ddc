"""What a report says of links, unlinks, stops taken over, and replies decided on: in sentences."""

from pathlib import Path

from consent import linking
from consent.events import RecordedKind
from consent.linking import LinkInput
from jurisdictions.addresses import parse_address
from rules.vocabulary import Channel, Via
from tests.support.consents import ANN, BOB, an_event
from tests.support.exports import MINUTE, export_of, public_keys
from tests.support.gates import Desk
from tests.support.lives import Lived, packed_words

MAIL = parse_address("ann@example.net")


def told_of(one: Desk, folder: Path) -> tuple[str, str, str]:
    """What the screen, the paper and the plain text say of Ann, without spaces."""
    lived = Lived(export_of(one, folder, whose=ANN), public_keys(one))
    text = lived.members["trail.txt"].decode()
    return packed_words(lived.screen), lived.paper, packed_words(text)


def parted(one: Desk) -> tuple[Desk, str, str, str]:
    """Ann with a second address, and for a time with Bob, who said stop meanwhile."""
    ann = one.recorder.record_one(ANN, an_event()).subject
    bob = one.recorder.record_one(BOB, an_event()).subject
    everybody = LinkInput(addresses=(ANN, MAIL, BOB))
    linked = linking.link(
        one.connection, one.organisation, everybody, keys=one.recorder.keys, now=one.now
    )
    mail = linked.members[1].subject
    assert mail is not None
    later = one.at(one.now + MINUTE)
    stop = an_event(RecordedKind.REVOKE, sender=None, channel=Channel.SMS, via=Via.KEYWORD)
    later.recorder.record_one(BOB, stop)
    later = later.at(later.now + MINUTE)
    leaving = LinkInput(addresses=(BOB,))
    linking.unlink(
        later.connection, later.organisation, leaving, keys=one.recorder.keys, now=later.now
    )
    return later, ann.hex(), mail.hex(), bob.hex()


def test_who_is_one_person_and_who_was_is_said_with_their_ids(one: Desk, tmp_path: Path) -> None:
    later, ann, mail, bob = parted(one)
    for text in told_of(later, tmp_path):
        for own, other in ((ann, mail), (mail, ann)):
            assert f"Fromthenonperson{own}andperson{other}areoneperson" in text
        assert f"person{bob}(partedsince;nottoldofhere)" in text


def test_a_stop_that_goes_over_is_told_with_its_reach_and_place(one: Desk, tmp_path: Path) -> None:
    later, *_ = parted(one)
    for text in told_of(later, tmp_path):
        assert "saidatanotheraddressofthesamepersonthen" in text
        assert "Itreacheseverysender,bytextmessage(SMS)" in text


def test_who_stands_alone_again_is_told_so(one: Desk, tmp_path: Path) -> None:
    later, *_ = parted(one)
    leaving = LinkInput(addresses=(ANN,))
    linking.unlink(
        later.connection, later.organisation, leaving, keys=one.recorder.keys, now=later.now
    )
    for text in told_of(later, tmp_path):
        assert "isnobodyelse:nootheraddresscountsastheirs." in text


def test_a_reply_that_was_put_aside_and_read_is_told_with_the_reason(
    one: Desk, tmp_path: Path
) -> None:
    hold = an_event(RecordedKind.HOLD, text="leave it at the door", why="may mean stop")
    receipt = one.recorder.record_one(ANN, hold)
    release = {"answers": receipt.receipt.index, "why": "it is about a parcel"}
    one.recorder.record_one(ANN, an_event(RecordedKind.RELEASE, **release))
    for text in told_of(one, tmp_path):
        assert "leaveitatthedoor" in text
        assert "maymeanstop" in text
        assert "itisaboutaparcel" in text
        assert f"thereplyputasideinentry{receipt.receipt.index}oftheconsentlog" in text


def test_each_entry_says_whose_it_is(one: Desk, tmp_path: Path) -> None:
    later, ann, mail, _ = parted(one)
    screen, paper, _ = told_of(later, tmp_path)
    for text in (screen, paper):
        assert f"Ofperson{ann}." in text
        assert f"Ofperson{mail}." in text
        assert "byNone" not in text
