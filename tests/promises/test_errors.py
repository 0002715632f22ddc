"""Every error that we raise on purpose has a status, and says nothing personal."""

import importlib
import pkgutil
from collections.abc import Iterator

import pytest
from litestar.exceptions import HTTPException, InternalServerException, ValidationException

import api
import audit
import consent
import jurisdictions
import rules
from api.errors import InvalidRequestError, RetryLaterError
from api.problems import STATUS_OF, headers_of, problem_of
from rules.errors import ComplianceError


def every_error() -> list[type[ComplianceError]]:
    for package in (rules, jurisdictions, consent, audit, api):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return sorted(set(_below(ComplianceError)), key=lambda error: error.__name__)


def _below(error: type[ComplianceError]) -> Iterator[type[ComplianceError]]:
    yield error
    for child in error.__subclasses__():
        yield from _below(child)


def test_every_error_has_a_status() -> None:
    missing = {e.__name__: e.code for e in every_error() if e.code not in STATUS_OF}
    assert not missing


def test_every_status_belongs_to_an_error_or_to_http() -> None:
    codes = {error.code for error in every_error()} | {"method_not_allowed"}
    assert set(STATUS_OF) == codes


def test_two_errors_do_not_share_a_code() -> None:
    seen: dict[str, type[ComplianceError]] = {}
    for error in every_error():
        other = seen.setdefault(error.code, error)
        assert other is error or issubclass(error, other), (error, other)


def test_what_passes_says_when_to_ask_again() -> None:
    for error in every_error():
        if issubclass(error, RetryLaterError):
            raised = error("later")
            assert STATUS_OF[error.code][0] in (429, 503)
            assert headers_of(raised, problem_of(raised))["retry-after"].isdigit()


@pytest.mark.parametrize(
    "error",
    [
        ComplianceError("the number +12125550123 is odd"),
        ComplianceError("ada@example.com is odd"),
        InvalidRequestError("odd", (("/address", "+1 (212) 555-0123 is odd"),)),
        ValidationException("+12125550123", extra=[{"key": "limit", "message": "+12125550123"}]),
        InternalServerException("ada@example.com"),
        HTTPException("ada@example.com", status_code=418),
        ValueError("+12125550123"),
    ],
)
def test_a_problem_quotes_no_address(error: Exception) -> None:
    told = str(problem_of(error))
    assert "555" not in told
    assert "example.com" not in told


@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 413, 415, 429, 503])
def test_the_frameworks_own_errors_become_problems(status: int) -> None:
    problem = problem_of(HTTPException("theirs", status_code=status))
    assert (problem.status, STATUS_OF[problem.code][0]) == (status, status)


def test_an_unforeseen_error_is_500_and_says_nothing_of_itself() -> None:
    problem = problem_of(KeyError("secret"))
    assert problem.status == 500
    assert "secret" not in str(problem)
