"""Rule kinds that ask a register on their own account, whatever else permits the message."""

from dataclasses import dataclass, replace
from datetime import datetime

from rules.kinds.registers import RegisterTest
from rules.kinds.routes import Route, lifted, spared_until
from rules.rule import Case, Found, Terms
from rules.vocabulary import ReasonCode, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryListing(Terms):
    """A listing bars the message, and a fresh copy is needed, unless a route lifts the rule."""

    register: RegisterTest
    lifted_by: tuple[Route, ...] = ()

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give what the register has against the address."""
        if lifted(self.lifted_by, case.facts, case.at):
            return ()
        return self.register.findings(case.facts, case.at, since=None)

    def permitted_until(self, case: Case) -> datetime | None:
        """Give when what lifts it lapses, where the register has something against the address."""
        return spared_until(replace(self, lifted_by=()), self.lifted_by, case)


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberReassignment(Terms):
    """A number that has changed hands takes no message that rests on its former holder's word.

    ``every_message``: also where nothing was asked of the holder. ``required``: a copy or an
    answer must be loaded.
    """

    registry: str
    every_message: bool = False
    required: bool = False

    def findings(self, case: Case) -> tuple[Found, ...]:
        """Give ``number_reassigned`` where the message rests on consent or on a relation."""
        entry = case.facts.registries.get(self.registry)
        if entry is None:
            stale = Found(
                Verdict.DENY, ReasonCode.REGISTRY_STALE, detail=(("registry", self.registry),)
            )
            return (stale,) if self.required else ()
        if not entry.listed or not (self.every_message or _rests_on_someone(case)):
            return ()
        detail = (("as_of", entry.as_of.isoformat()), ("registry", self.registry))
        return (Found(Verdict.DENY, ReasonCode.NUMBER_REASSIGNED, detail=detail),)


def _rests_on_someone(case: Case) -> bool:
    return any(
        grounds and all(ground.event is not None for ground in grounds) for grounds in case.grounds
    )
