"""Regulation files to rules; every mistake is named with file, line and what to write instead."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from jurisdictions.format import AnyRule, BindsShape, RegulationFile, RegulationHead, ValueShape
from jurisdictions.kinds import TermsError, terms_of
from jurisdictions.strict_yaml import StrictDocument, decode, load
from rules.decision import Provision
from rules.rule import Binds, Rule, Value

DATA = Path(__file__).parent / "data"
"""Where the bundled law lies: a folder a country, a file a regulation."""

WORDS = "words"
"""The folder beside them that holds no law but the words of replies (``replies/lists.py``)."""


@dataclass(frozen=True, slots=True)
class Regulation:
    """One law or code: what its author wrote, its rules, and the file they were read from."""

    written: RegulationFile
    rules: tuple[Rule, ...]
    file: str

    @property
    def head(self) -> RegulationHead:
        """What the regulation is, where it holds and who watches over it."""
        return self.written.regulation


def load_regulations(root: Path = DATA) -> tuple[Regulation, ...]:
    """Read every regulation file under ``root``, in order of their paths."""
    files = sorted(
        path for path in root.glob("*/**/*.yaml") if path.relative_to(root).parts[0] != WORDS
    )
    return regulations_of(load(path, name=path.relative_to(root).as_posix()) for path in files)


def regulations_of(documents: Iterable[StrictDocument]) -> tuple[Regulation, ...]:
    """Turn documents into regulations; ids are unique over all of them."""
    seen: dict[str, str] = {}
    regulations = []
    for document in documents:
        written = decode(document, RegulationFile)
        _claim(seen, written.regulation.id, document, ("regulation", "id"))
        for index, rule in enumerate(written.rules):
            _claim(seen, rule.id, document, ("rules", index, "id"))
        rules = tuple(_rules(document, written))
        regulations.append(Regulation(written, rules, document.name))
    return tuple(regulations)


def _claim(
    seen: dict[str, str], name: str, document: StrictDocument, path: Sequence[str | int]
) -> None:
    if name in seen:
        raise document.error(path, f"the id {name} is taken by {seen[name]}, choose another")
    seen[name] = f"{document.name}:{document.line_of(path)}"


def _rules(document: StrictDocument, written: RegulationFile) -> Iterator[Rule]:
    for index, rule in enumerate(written.rules):
        path = ("rules", index)
        values = tuple(_values(document, path, rule, written.regulation))
        yield Rule(
            id=rule.id,
            kind=str(rule.__struct_config__.tag),
            summary=rule.summary,
            binds=_binds(document, path, rule.binds),
            values=values,
            waits=any(value.terms.waits for value in values),
        )


def _values(
    document: StrictDocument, path: tuple[str | int, ...], rule: AnyRule, head: RegulationHead
) -> Iterator[Value]:
    if not rule.values:
        raise document.error((*path, "values"), "a rule needs at least one dated value")
    values: Sequence[ValueShape] = rule.values
    for index, value in enumerate(values):
        here = (*path, "values", index)
        later = values[index + 1].in_force_from if index + 1 < len(values) else None
        try:
            terms = terms_of(value)
        except TermsError as error:
            steps = error.field.replace("]", "").split("[")
            inner = [int(step) if step.isdigit() else step for step in steps]
            raise document.error((*here, *inner), error.detail) from None
        yield Value(terms, _provision(rule, value, head), _until(document, here, value, later))


def _until(
    document: StrictDocument, here: Sequence[str | int], value: ValueShape, later: date | None
) -> date | None:
    """Give the first day on which the value is no longer the law."""
    last, first = value.in_force_until, value.in_force_from
    if last is not None and last < first:
        raise document.error((*here, "in_force_until"), f"{last} lies before {first}")
    if later is not None and later <= first:
        *around, index = here
        assert isinstance(index, int), "the path of a value ends in its number"
        after = (*around, index + 1, "in_force_from")
        raise document.error(after, f"{later} is not after {first}: put values in order of date")
    if last is not None and later is not None and later <= last:
        raise document.error((*here, "in_force_until"), f"the next value begins on {later} already")
    return later if last is None else last + timedelta(days=1)


def _provision(rule: AnyRule, value: ValueShape, head: RegulationHead) -> Provision:
    source = value.source
    return Provision(
        jurisdiction=head.jurisdiction,
        regulation=head.id,
        rule=rule.id,
        citation=source.citation,
        url=source.url,
        force=source.force,
        certainty=source.certainty,
        in_force_from=value.in_force_from,
    )


def _binds(document: StrictDocument, path: Sequence[str | int], written: BindsShape) -> Binds:
    places = (written.recipient, written.sender, written.either)
    if all(place is None for place in places):
        raise document.error((*path, "binds"), "name whom it binds: recipient, sender or either")
    return Binds(
        recipient=_jurisdictions(written.recipient),
        recipient_not=_jurisdictions(written.recipient_not),
        sender=_jurisdictions(written.sender),
        sender_not=_jurisdictions(written.sender_not),
        either=_jurisdictions(written.either),
        channels=frozenset(written.channels),
        purposes=frozenset(written.purposes),
        kinds=frozenset(written.kinds),
        number_types=frozenset(written.number_types),
        automated=written.automated,
    )


def _jurisdictions(written: str | tuple[str, ...] | None) -> frozenset[str]:
    if written is None:
        return frozenset()
    return frozenset([written] if isinstance(written, str) else written)
