"""The locks pin everything that is installed, by hash, and leave the index to the machine."""

import re
import tomllib

import pytest

from tests.support.project import PROJECT

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock")
HASH = re.compile(r"--hash=sha256:[0-9a-f]{64}")
PIN = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)( ; (?P<marker>.+))?$")


@pytest.mark.parametrize("lock", LOCKS)
def test_every_package_is_pinned_and_hashed(lock: str) -> None:
    for requirement in requirements_of(lock):
        pin, *hashes = [part.strip() for part in requirement.split("\\\n")]
        assert PIN.match(pin), f"{lock}: {pin} is not pinned"
        assert hashes, f"{lock}: {pin} has no hash"
        assert all(HASH.fullmatch(value) for value in hashes), f"{lock}: {pin}"


@pytest.mark.parametrize("lock", LOCKS)
def test_no_lock_names_an_index_or_a_path(lock: str) -> None:
    for number, line in enumerate(text_of(lock).splitlines(), start=1):
        assert "://" not in line, f"{lock}:{number} names a host"
        assert not line.startswith("-"), f"{lock}:{number} is an option"
        assert " @ " not in line, f"{lock}:{number} names a place"


def test_developers_run_what_operators_run() -> None:
    ours = pins_of("requirements-dev.lock")
    for name, version in pins_of("requirements.lock").items():
        assert ours.get(name) == version, f"{name} differs; ./dev lock puts it right"


@pytest.mark.parametrize(
    ("lock", "groups"),
    [
        ("requirements.lock", ["build"]),
        ("requirements-dev.lock", ["build", "test", "lint"]),
        ("requirements-bench.lock", ["bench"]),
    ],
)
def test_the_lock_holds_what_the_project_asks_for(lock: str, groups: list[str]) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [need for group in groups for need in project["dependency-groups"][group]]
    if lock != "requirements-bench.lock":
        asked += project["project"]["dependencies"]
    pinned = pins_of(lock)
    for need in asked:
        name = re.split(r"[\[<>=~! ]", need, maxsplit=1)[0].lower().replace("_", "-")
        assert name in pinned, f"{lock} lacks {name}; ./dev lock adds it"


def text_of(lock: str) -> str:
    return (PROJECT / lock).read_text(encoding="utf-8")


def requirements_of(lock: str) -> list[str]:
    """Split a lock into its requirements, each with the lines of its hashes."""
    return [part.rstrip() for part in re.split(r"\n(?=\S)", text_of(lock)) if part.strip()]


def pins_of(lock: str) -> dict[str, str]:
    pins = {}
    for requirement in requirements_of(lock):
        found = PIN.match(requirement.split("\\\n")[0].strip())
        assert found is not None, requirement
        pins[found["name"]] = found["version"]
    return pins
