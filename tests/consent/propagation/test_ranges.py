"""Ranges of what an endpoint should hold: their sums, their parts and their entries."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit.verify import root_of
from consent.propagation.ranges import ENTRIES_MAX, Entries

LABELS = st.sets(st.integers(min_value=0, max_value=2**64), max_size=200).map(
    lambda numbers: [f"evt_{number:032x}" for number in sorted(numbers)]
)


def placed(labels: list[str]) -> list[tuple[str, str]]:
    return sorted((hashlib.sha256(b"\0" + one.encode()).hexdigest(), one) for one in labels)


@given(LABELS, st.text("0123456789abcdef", max_size=2))
def test_a_range_has_the_root_of_rfc_6962_over_what_begins_with_its_prefix(
    labels: list[str], prefix: str
) -> None:
    within = [hash_ for hash_, _ in placed(labels) if hash_.startswith(prefix)]
    root, count = root_of(map(bytes.fromhex, within))  # Written on its own, for auditors.
    found = Entries(labels).sum_of(prefix)
    assert (found.prefix, found.count, found.root) == (prefix, count, root.hex())


@given(LABELS, st.text("0123456789abcdef", max_size=2))
def test_a_range_is_told_whole_by_its_entries_or_by_its_parts(
    labels: list[str], prefix: str
) -> None:
    entries = Entries(labels)
    found = entries.range_of(prefix)
    within = [label for hash_, label in placed(labels) if hash_.startswith(prefix)]
    if len(within) <= ENTRIES_MAX:
        assert (list(found.entries), list(found.parts)) == (within, [])
    else:
        assert list(found.entries) == []
        assert sum(part.count for part in found.parts) == len(within)
        assert [entries.sum_of(part.prefix) for part in found.parts] == list(found.parts)


@pytest.mark.parametrize("changed", [["evt_1"], ["evt_1", "evt_3"], ["evt_1", "evt_2", "evt_3"]])
def test_another_set_has_another_sum(changed: list[str]) -> None:
    here = Entries(["evt_2", "evt_1", "evt_2"]).sum_of()
    assert here == Entries(["evt_1", "evt_2"]).sum_of()
    assert here != Entries(changed).sum_of()
