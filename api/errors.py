"""What can go wrong between a caller and an operation. Statuses stand in ``problems.py``."""

from typing import ClassVar

from rules.errors import ComplianceError


class RetryLaterError(ComplianceError):
    """Base of refusals that pass: the caller is told after how many seconds to ask again."""

    code: ClassVar[str] = "unavailable"
    retry_after_seconds: int = 1


class OverloadedError(RetryLaterError):
    """More is waiting for the writer than it may keep; nothing was decided or recorded."""

    code: ClassVar[str] = "overloaded"


class ImportThrottledError(RetryLaterError):
    """Imports give way to everything else; the import may go on a little later."""

    code: ClassVar[str] = "import_throttled"
    retry_after_seconds = 2


class StoppingError(RetryLaterError):
    """The service is stopping and takes nothing new."""

    code: ClassVar[str] = "stopping"
    retry_after_seconds = 5


class StoreUnavailableError(RetryLaterError):
    """The database did not answer or refused; nothing was decided or recorded."""

    code: ClassVar[str] = "store_unavailable"


class OutcomeUnknownError(RetryLaterError):
    """The commit was sent and its outcome is not known: ask again with the same idempotency key."""

    code: ClassVar[str] = "outcome_unknown"


class PersonsWithheldError(ComplianceError):
    """The database is an old copy that still tells of people who were erased since."""

    code: ClassVar[str] = "persons_withheld"


class WorkFailedError(ComplianceError):
    """An operation broke on our own bug; nothing was decided or recorded."""

    code: ClassVar[str] = "internal_error"


class CheckFailedError(RetryLaterError):
    """A check broke: a rule raised, or a fact could not be read. No answer, no message."""

    code: ClassVar[str] = "check_failed"


class UnauthenticatedError(ComplianceError):
    """No key, or not one of ours."""

    code: ClassVar[str] = "unauthenticated"


class UnverifiedError(ComplianceError):
    """A webhook's call that its provider did not sign, or that was altered since."""

    code: ClassVar[str] = "unverified"


class StaleRequestError(ComplianceError):
    """A webhook's call that was signed too long ago, or ahead of time."""

    code: ClassVar[str] = "stale_request"


class ForbiddenError(ComplianceError):
    """A good key whose roles do not include this."""

    code: ClassVar[str] = "forbidden"


class NotFoundError(ComplianceError):
    """No such object in this organisation; another organisation's object is no such object."""

    code: ClassVar[str] = "not_found"


class InvalidRequestError(ComplianceError):
    """The request does not fit its shape. ``errors`` are pairs of JSON pointer and message."""

    code: ClassVar[str] = "invalid_request"

    def __init__(self, detail: str, errors: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(detail)
        self.errors = errors


class AddressInUrlError(ComplianceError):
    """Addresses travel in bodies, because URLs end up in logs."""

    code: ClassVar[str] = "address_in_url"


class BodyTooLargeError(ComplianceError):
    """The body is larger than its route takes."""

    code: ClassVar[str] = "body_too_large"


class UnsupportedMediaTypeError(ComplianceError):
    """The body is not what its route reads."""

    code: ClassVar[str] = "unsupported_media_type"


class IdempotencyMismatchError(ComplianceError):
    """The same idempotency key came with another body."""

    code: ClassVar[str] = "idempotency_mismatch"


class DecisionSupersededError(ComplianceError):
    """The ``allow`` of this idempotency key has expired or was overtaken; ask with a new key."""

    code: ClassVar[str] = "decision_superseded"


class ConflictError(ComplianceError):
    """What was asked does not fit what is on record."""

    code: ClassVar[str] = "conflict"


class DeliveryOvertakenError(ComplianceError):
    """What was given up would come behind what was said later of the same person."""

    code: ClassVar[str] = "delivery_overtaken"


class LinksUnavailableError(ComplianceError):
    """Links for recipients are asked for, and nobody has said how they reach the service."""

    code: ClassVar[str] = "links_unavailable"


class SettingsError(ComplianceError):
    """A setting cannot be read."""

    code: ClassVar[str] = "settings_error"


class DataFolderError(ComplianceError):
    """The data folder is missing, unreadable or held by another process."""

    code: ClassVar[str] = "data_folder_error"


class ListenError(ComplianceError):
    """The address to serve on cannot be had."""

    code: ClassVar[str] = "listen_error"


class SchemaError(ComplianceError):
    """The database is not at the schema that this version knows."""

    code: ClassVar[str] = "schema_error"


class NotReadyError(RetryLaterError):
    """Something that every answer needs is not there; the detail says what."""

    code: ClassVar[str] = "not_ready"


class ReviewDecidedError(ComplianceError):
    """There is nothing left to decide of a held reply."""

    code: ClassVar[str] = "review_decided"
