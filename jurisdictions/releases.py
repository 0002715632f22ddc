"""Releases: immutable sets of regulations, named by the digest of everything that they say."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from jurisdictions.binding import countries_of
from jurisdictions.loader import DATA, Regulation, load_regulations
from rules.decision import Decision, Provision
from rules.facts import Facts
from rules.history import STOPPED_BY_ANY_OPT_OUT
from rules.kinds.preconditions import (
    KnownJurisdiction,
    NotUnderReview,
    OptOutsArrived,
    ValidAddress,
)
from rules.plan import Plan, compile_plan
from rules.rule import ANYWHERE, SINCE_EVER, Binds, Rule, Terms, Value
from rules.vocabulary import Certainty, Channel, Force, Purpose


@dataclass(frozen=True)
class Release:
    """Regulations that are decided by together.

    ``digest`` is SHA-256 over the bytes of every file, with its name; the same digest means
    the same law. ``with_sheet`` are the countries that have regulations of their own, and
    ``researched`` those and the member states that follow their union's.
    """

    id: str
    digest: str
    regulations: tuple[Regulation, ...]
    with_sheet: frozenset[str]
    researched: frozenset[str]

    @cached_property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule, what has to be known first before all others."""
        law = (rule for regulation in self.regulations for rule in regulation.rules)
        return (*preconditions(self.researched), *law)

    def decide_many(self, facts: Sequence[Facts]) -> list[Decision]:
        """Decide on each of these messages for itself, in their order."""
        return self.plan.decide_many(facts)

    @cached_property
    def plan(self) -> Plan:
        """The rules, made ready to decide by."""
        return compile_plan(self.rules)

    def registries_asked(
        self, jurisdictions: frozenset[str], channel: Channel, purpose: Purpose
    ) -> frozenset[str]:
        """The registers that any rule may ask of such a message where these jurisdictions bind.

        Asking fewer is quicker, and puts nothing on record that had no part in the decision.
        """
        asked = (jurisdictions, channel, purpose)
        known = self._registries_asked.get(asked)
        if known is None:
            known = frozenset(
                registry
                for binds, registries in self._asking
                if not (places := binds.recipient | binds.either) or places & jurisdictions
                if not binds.channels or channel in binds.channels
                if not binds.purposes or purpose in binds.purposes
                for registry in registries
            )
            self._registries_asked[asked] = known
        return known

    @cached_property
    def mailboxes(self) -> frozenset[str]:
        """The names of mailboxes that any rule knows (``info``): theirs, and no person's."""
        values = (value for rule in self.rules for value in rule.values)
        return frozenset(
            name
            for value in values
            for names in named_in(value.terms, "mailboxes")
            for name in names
        )

    @cached_property
    def _registries_asked(
        self,
    ) -> dict[tuple[frozenset[str], Channel, Purpose], frozenset[str]]:
        return {}

    @cached_property
    def _asking(self) -> tuple[tuple[Binds, frozenset[str]], ...]:
        """Whom each rule binds that asks registers, and which."""
        found = []
        for rule in self.rules:
            registries = frozenset(
                r for value in rule.values for r in named_in(value.terms, "registry")
            )
            if registries:
                found.append((rule.binds, registries))
        return tuple(found)


def bundled_release(root: Path = DATA) -> Release:
    """Give the law that ships with this version; it is known from the beginning of time."""
    digest = digest_of(root)
    return release_of(f"bundled-{digest[:12]}", digest, load_regulations(root))


def release_of(name: str, digest: str, regulations: Sequence[Regulation]) -> Release:
    """Put regulations together to a release."""
    named = {regulation.head.jurisdiction for regulation in regulations}
    members = {name: countries_of(name) for name in named}
    with_sheet = frozenset(name for name in named if "-" not in name and not members[name])
    researched = with_sheet.union(*members.values())
    return Release(name, f"sha256:{digest}", tuple(regulations), with_sheet, researched)


def named_in(terms: object, name: str) -> Iterator[Any]:
    """Find every value of the field ``name`` in terms, in whatever part of them."""
    if isinstance(terms, tuple | frozenset):
        for part in terms:
            yield from named_in(part, name)
    elif is_dataclass(terms):
        for field in fields(terms):
            part = getattr(terms, field.name)
            if field.name == name:
                yield part
            else:
                yield from named_in(part, name)


def digest_of(root: Path) -> str:
    """Give the digest of every data file under ``root``: its name, its length and its bytes."""
    digest = hashlib.sha256()
    for path in _files(root):
        name, content = path.relative_to(root).as_posix().encode(), path.read_bytes()
        digest.update(f"{len(name)} {len(content)} ".encode() + name + content)
    return digest.hexdigest()


def preconditions(researched: Iterable[str]) -> tuple[Rule, ...]:
    """Give the rules that bind every message: what has to be known before any law is asked."""
    spared = frozenset({Purpose.AUTHENTICATION, Purpose.EMERGENCY})
    known = KnownJurisdiction(researched=frozenset(researched), spared=spared)
    others = Binds(purposes=frozenset(Purpose) - spared)
    return (
        _precondition("valid-address", "The address can be one.", ValidAddress()),
        _precondition("known-jurisdiction", "It is known whose law binds.", known),
        _precondition(
            "opt-outs-arrived",
            "Opt-outs have reached what sends the message.",
            OptOutsArrived(),
            others,
        ),
        _precondition(
            "not-under-review",
            "No reply that may have meant stop waits for a decision.",
            NotUnderReview(),
            Binds(purposes=STOPPED_BY_ANY_OPT_OUT),
        ),
    )


def _precondition(name: str, summary: str, terms: Terms, binds: Binds | None = None) -> Rule:
    provision = Provision(
        jurisdiction=ANYWHERE,
        regulation="preconditions",
        rule=name,
        citation="What a decision has to know first",
        url=None,
        force=Force.LAW,
        certainty=Certainty.VERIFIED,
        in_force_from=SINCE_EVER,
    )
    return Rule(name, "precondition", summary, binds or Binds(), (Value(terms, provision),))


def _files(root: Path) -> list[Path]:
    return sorted(path for path in root.rglob("*") if path.suffix in (".yaml", ".json"))
