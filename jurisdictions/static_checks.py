"""What can be wrong with law although every file fits its shape; a release at fault is refused."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from jurisdictions.binding import unions
from jurisdictions.coverage import Need, coverage
from jurisdictions.errors import UnknownRegionError
from jurisdictions.loader import Regulation
from jurisdictions.regions import area_named
from jurisdictions.releases import Release
from rules.rule import Binds, Rule


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong, where, and what to do about it."""

    place: str
    detail: str


def faults(release: Release, on: date) -> list[Fault]:
    """Give every fault of a release, as the law stands on ``on``."""
    found = [*_gaps(release, on), *_duplicates(release)]
    for regulation in release.regulations:
        for rule in regulation.rules:
            found += _of_rule(regulation, rule)
    return found


def _of_rule(regulation: Regulation, rule: Rule) -> Iterator[Fault]:
    place = f"{regulation.file}: {rule.id}"
    prefix = regulation.head.jurisdiction.lower()
    if not rule.id.startswith(f"{prefix}-"):
        yield Fault(place, f"the id of a rule of {regulation.head.jurisdiction} begins {prefix}-")
    for code in sorted(_places(rule.binds)):
        if not _is_known(code):
            yield Fault(place, f"{code} is neither a country, a region nor a union")
    if regulation.head.jurisdiction not in _places(rule.binds) and not _is_union_rule(regulation):
        yield Fault(place, f"it does not bind {regulation.head.jurisdiction}, move it, or mend it")
    for before, after in pairwise(rule.values):
        if before.until != after.provision.in_force_from:
            yield Fault(
                place,
                f"nothing is the law from {before.until} to {after.provision.in_force_from}; "
                "write what holds between, or a rule of its own",
            )
        if before.terms == after.terms and before.provision.citation == after.provision.citation:
            yield Fault(place, f"the value of {after.provision.in_force_from} changes nothing")


def _gaps(release: Release, on: date) -> Iterator[Fault]:
    """Find messages that no consent rule answers: an opt-out from them would not hold."""
    for cell in coverage(release, on):
        if cell.most is Need.GAP:
            yield Fault(
                cell.country,
                f"no consent rule answers {cell.channel} for {cell.purpose}; "
                "write one, with an open route where the law asks for nothing",
            )


def _duplicates(release: Release) -> Iterator[Fault]:
    same: defaultdict[tuple[str, Binds, str], list[str]] = defaultdict(list)
    for rule in release.rules:
        same[rule.kind, rule.binds, repr(rule.values[-1].terms)].append(rule.id)
    for ids in same.values():
        if len(ids) > 1:
            yield Fault(ids[0], f"{', '.join(ids[1:])} says the same, keep one")


def _places(binds: Binds) -> frozenset[str]:
    return binds.recipient | binds.sender | binds.either


def _is_union_rule(regulation: Regulation) -> bool:
    return any(union.id == regulation.head.jurisdiction for union in unions())


def _is_known(code: str) -> bool:
    if any(union.id == code for union in unions()):
        return True
    try:
        area_named(code)
    except UnknownRegionError:
        return False
    return True
