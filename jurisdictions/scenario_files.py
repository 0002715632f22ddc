"""Read scenario files strictly: one message each, with the verdict that the law asks for."""

from pathlib import Path

import msgspec


class Scenario(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One message, what is known, and the verdict asked for."""

    id: str
    why: str
    source: str


def read_scenarios(path: Path) -> list[Scenario]:
    """Read one file; the first mistake is raised as ``ScenarioFileError`` with its line."""
    raise NotImplementedError
