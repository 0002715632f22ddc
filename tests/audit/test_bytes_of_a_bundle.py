"""No byte of a bundle can change unseen, and no bytes make its verifier fail otherwise."""

import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from audit import verify
from tests.support.bundles import Bundles, bundles_of, damage, members_of, packed, signed_anew


def flips(bundle: bytes, seed: int) -> Iterator[tuple[int, bytes]]:
    chance = random.Random(seed)
    for place in range(len(bundle)):
        flipped = bytearray(bundle)
        flipped[place] ^= 1 << chance.randrange(8)
        yield place, bytes(flipped)


@pytest.fixture(scope="module")
def tiny(migrated_sqlite_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundles:
    """Bundles of six entries, without the files that only the manifest knows: fewer to flip."""
    folder = tmp_path_factory.mktemp("tiny")
    with bundles_of(migrated_sqlite_file, folder, events=3) as made:
        return replace(
            made,
            whole=stripped(made.whole, made),
            part=stripped(made.part, made),
            trail=stripped(made.trail, made),
        )


def stripped(bundle: bytes, made: Bundles) -> bytes:
    members = members_of(bundle) | {"README.txt": b"", "verify.py": b""}
    return signed_anew(packed(members), made.secret, made.public)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whole", "part", "trail"])
def test_no_byte_of_a_bundle_can_change_unseen(tiny: Bundles, tmp_path: Path, kind: str) -> None:
    """Each byte of the file is flipped in turn, in one bit: none of them is without a meaning."""
    bundle = getattr(tiny, kind)
    assert damage(bundle, tmp_path, tiny.public) == []
    key = verify.PublicKey.parse(tiny.public)
    path = tmp_path / "bundle.zip"
    for place, flipped in flips(bundle, seed=len(bundle)):
        path.write_bytes(flipped)
        try:
            count = verify.verify(path, [key]).found.count
        except verify.UnreadableError:
            continue
        assert count, f"the byte at {place} changed unseen"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["whole", "part", "trail"])
def test_what_means_something_is_named_without_the_digest_of_the_file(
    tiny: Bundles, tmp_path: Path, kind: str
) -> None:
    """Each byte of each file flipped by somebody who writes a zip file of their own."""
    members = members_of(getattr(tiny, kind))
    key = verify.PublicKey.parse(tiny.public)
    path = tmp_path / "bundle.zip"
    for name, content in members.items():
        for place, flipped in flips(content, seed=len(name)):
            path.write_bytes(packed({**members, name: flipped}))
            found = verify.verify(path, [key]).found
            assert found.count, f"{name}: the byte at {place} changed unseen"
            assert all(one.kind != "altered" for one in found.named), (name, place)


def test_no_input_makes_it_fail_otherwise(bundles: Bundles, tmp_path: Path) -> None:
    """Bytes cut out, doubled, exchanged and put in at random places: never an exception."""
    chance = random.Random(11)
    path = tmp_path / "bundle.zip"
    for _ in range(300):
        raw = bytearray(getattr(bundles, chance.choice(["whole", "part", "trail"])))
        for _ in range(chance.randrange(1, 4)):
            start = chance.randrange(len(raw))
            end = min(start + chance.randrange(1, 200), len(raw))
            match chance.randrange(3):
                case 0:
                    del raw[start:end]
                case 1:
                    raw[start:start] = raw[chance.randrange(len(raw)) :][: end - start]
                case 2:
                    raw[start:end] = chance.randbytes(end - start)
        path.write_bytes(raw)
        try:
            assert verify.verify(path, []).found.count
        except verify.UnreadableError:
            continue
