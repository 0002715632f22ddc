"""The only place that knows which error is which HTTP status; answers are RFC 9457 documents."""

from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Request, Response
from litestar.exceptions import HTTPException, ValidationException
from litestar.types import Scope

from api.errors import InvalidRequestError, RetryLaterError
from api.redaction import without_addresses
from rules.errors import ComplianceError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:cleartosend:problem:"

STATUS_OF: dict[str, tuple[int, str]] = {
    # What a caller can put right.
    "invalid_request": (400, "The request does not fit its shape"),
    "address_in_url": (400, "An address stands in the URL"),
    "address_missing": (400, "Whose opt-out it is does not show"),
    "endpoint_refused": (400, "No webhook is sent there"),
    "event_in_future": (400, "Nobody can have said this tomorrow"),
    "event_refused": (400, "The event cannot stand on record as it was sent"),
    "invalid_address": (400, "No address can be written so"),
    "registry_file_error": (400, "The register's file cannot be read whole"),
    "regulation_file_error": (400, "The regulation file breaks its format"),
    "scenario_file_error": (400, "The scenario file breaks its format"),
    "unknown_region": (400, "No such region"),
    "unknown_time_zone": (400, "No such time zone"),
    "word_file_error": (400, "The list of words cannot be read"),
    "yaml_file_error": (400, "The file cannot be read"),
    "stale_request": (401, "The provider's call is too old"),
    "unauthenticated": (401, "No valid key"),
    "signature_refused": (401, "Not signed by the one that it concerns"),
    "unverified": (401, "Not signed by the provider"),
    "forbidden": (403, "Not for this role"),
    "fork_refused": (409, "The ledger needs no new origin, or none would help"),
    "bad_link": (404, "This link does not work"),
    "malformed_id": (404, "Not an id of ours"),
    "not_found": (404, "Not found"),
    "unknown_export": (404, "No such export"),
    "unknown_decision": (404, "No such check"),
    "unknown_sender": (404, "No such sender"),
    "unknown_subject": (404, "No such person"),
    "method_not_allowed": (405, "Not by this method"),
    "already_reported": (409, "Something else was reported before"),
    "conflict": (409, "In conflict with what is on record"),
    "export_error": (409, "There is nothing to download"),
    "delivery_overtaken": (409, "Something later of the same person went first"),
    "decision_sealed": (409, "The decision does not open any more"),
    "decision_superseded": (409, "The earlier answer no longer holds"),
    "links_unavailable": (409, "No links can be made yet"),
    "idempotency_mismatch": (409, "The idempotency key was used for another request"),
    "link_too_large": (409, "More addresses than one person's"),
    "not_allowed": (409, "The message was not allowed"),
    "review_decided": (409, "The reply has been decided on"),
    "registry_conflict": (409, "Another copy of that date is on record"),
    "decision_expired": (410, "The decision has outlived its retention"),
    "subject_erased": (410, "The person was erased"),
    "body_too_large": (413, "The body is too large"),
    "unsupported_media_type": (415, "Not a media type that is read here"),
    "import_throttled": (429, "Imports give way for now"),
    # What is wrong here.
    "compliance_error": (500, "Something broke here"),
    "internal_error": (500, "Something broke here"),
    "leaf_too_large": (500, "An entry does not fit its log"),
    "settings_error": (500, "A setting cannot be read"),
    "unknown_calendar": (500, "A rule names a calendar that is not there"),
    # What must not be answered now: nothing was decided, nothing was recorded.
    "broken_seal": (503, "What is on record does not open"),
    "check_failed": (503, "The check could not be made"),
    "damaged_log": (503, "The log is damaged"),
    "data_folder_error": (503, "The data folder cannot be used"),
    "erasure_journal_error": (503, "The erasure journal cannot be used"),
    "head_moved": (503, "The log was taken over"),
    "listen_error": (503, "The address cannot be listened on"),
    "note_error": (503, "A checkpoint cannot be read"),
    "ledger_read_only": (503, "The ledger is open for reading only"),
    "vault_error": (503, "The vault cannot be used"),
    "key_store_error": (503, "The keys cannot be used"),
    "not_ready": (503, "Not ready"),
    "outcome_unknown": (503, "It is not known whether this was recorded"),
    "overloaded": (503, "Too much is waiting"),
    "persons_withheld": (503, "Of nobody is anything told now"),
    "registry_unreadable": (503, "The copy of a register cannot be read"),
    "schema_error": (503, "The database is at another schema"),
    "standing_unreadable": (503, "What is on record of this person cannot be trusted"),
    "stopping": (503, "The service is stopping"),
    "store_unavailable": (503, "The database does not answer"),
    "unavailable": (503, "Not available now"),
    "unknown_key": (503, "A key is not there"),
    "unknown_log": (503, "A log is not there"),
}

_POINTERS = {
    "unknown_region": "/recipient/region",
    "unknown_time_zone": "/recipient/time_zone",
    "endpoint_refused": "/url",
    "invalid_address": "/address",
    "address_missing": "/address",
    "event_in_future": "/at",
}
"""Where in a body stands what an error is about, for errors that do not say it themselves."""

_CODE_OF_STATUS: dict[int, tuple[str, str]] = {
    400: ("invalid_request", "the request cannot be read"),
    401: ("unauthenticated", "send a valid key: Authorization: Bearer <api key>"),
    403: ("forbidden", "this key's roles do not include this"),
    404: ("not_found", "there is nothing here for you"),
    405: ("method_not_allowed", "this path takes other methods; see the Allow header"),
    413: ("body_too_large", "the body is larger than this route takes"),
    415: ("unsupported_media_type", "send application/json"),
    429: ("import_throttled", "ask again a little later"),
    503: ("unavailable", "ask again a little later"),
}

_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH")


class FieldProblem(msgspec.Struct, frozen=True):
    """What is wrong with one field; ``pointer`` is its JSON pointer (RFC 6901)."""

    pointer: str
    message: str


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """An RFC 9457 problem document. ``code`` is stable; the words are for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[FieldProblem] = []


def problem_of(error: Exception) -> Problem:
    """Describe ``error`` without quoting anything that a caller sent."""
    if isinstance(error, ComplianceError):
        status, title = STATUS_OF.get(error.code, STATUS_OF["internal_error"])
        return Problem(
            type=TYPE_PREFIX + error.code,
            title=title,
            status=status,
            detail=without_addresses(error.detail),
            code=error.code,
            errors=_fields_of(error),
        )
    status = error.status_code if isinstance(error, HTTPException) else 500
    code, detail = _CODE_OF_STATUS.get(
        status, ("internal_error", "something broke here; nothing was decided")
    )
    return Problem(
        type=TYPE_PREFIX + code,
        title=STATUS_OF[code][1],
        status=status if status in _CODE_OF_STATUS else 500,
        detail=detail,
        code=code,
        errors=_parameters_of(error),
    )


def headers_of(error: Exception, problem: Problem) -> dict[str, str]:
    """The headers that belong to the status."""
    headers = {"cache-control": "no-store"}
    if isinstance(error, RetryLaterError):
        headers["retry-after"] = str(error.retry_after_seconds)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = 'Bearer realm="cleartosend"'
    return headers


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Litestar's exception handler, for every exception there is."""
    problem = problem_of(error)
    headers = headers_of(error, problem)
    scope = request.scope
    if problem.status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["allow"] = ", ".join(_methods_of(scope))
    exchange = scope["exchange"]  # type: ignore[typeddict-item]
    exchange.code = problem.code
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        exchange.failed(error)
    return Response(
        msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers=headers,
    )


def _fields_of(error: ComplianceError) -> list[FieldProblem]:
    if isinstance(error, InvalidRequestError):
        return [FieldProblem(pointer, without_addresses(text)) for pointer, text in error.errors]
    pointer = _POINTERS.get(error.code)
    return [] if pointer is None else [FieldProblem(pointer, without_addresses(error.detail))]


def _parameters_of(error: Exception) -> list[FieldProblem]:
    """Name the path or query parameters that Litestar could not read."""
    extra = error.extra if isinstance(error, ValidationException) else None
    if not isinstance(extra, list):
        return []
    keys = [str(item.get("key", "")) for item in extra if isinstance(item, dict)]
    return [
        FieldProblem("", "a JSON body is needed")
        if key == "data"
        else FieldProblem(f"/{key}" if key else "", "cannot be read")
        for key in keys
    ]


def _methods_of(scope: Scope) -> list[str]:
    """The methods that a path takes: Litestar knows, but does not say."""
    router = scope["litestar_app"].asgi_router
    found = []
    for method in _METHODS:
        try:
            router.handle_routing(path=scope["path"].rstrip("/") or "/", method=method)
        except HTTPException:
            continue
        found.append(method)
    return found
