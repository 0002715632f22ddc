"""What recording and reading consent may refuse, and why."""

from typing import ClassVar

from rules.errors import ComplianceError


class EventRefusedError(ComplianceError):
    """An event cannot stand on record as it was sent in. Opt-outs never meet this."""

    code: ClassVar[str] = "event_refused"


class InvalidAddressError(EventRefusedError):
    """Consent cannot be given for an address that cannot exist."""

    code: ClassVar[str] = "invalid_address"


class EventInFutureError(EventRefusedError):
    """Nobody can have consented tomorrow."""

    code: ClassVar[str] = "event_in_future"


class NoAddressError(EventRefusedError):
    """An opt-out that names nobody: there is nobody to leave alone."""

    code: ClassVar[str] = "address_missing"


class UnknownSubjectError(ComplianceError):
    """The organisation has no such person, or has erased them."""

    code: ClassVar[str] = "unknown_subject"


class UnknownSenderError(ComplianceError):
    """The organisation has no sender of that id."""

    code: ClassVar[str] = "unknown_sender"


class BadLinkError(ComplianceError):
    """A recipient's link is not one of ours, or not whole. Why is never said."""

    code: ClassVar[str] = "bad_link"


class StandingUnreadableError(ComplianceError):
    """What is on record of a person does not open, or is older than the person's last entry.

    Nothing may be decided on such a record: the check ends in an error, never in an allow.
    """

    code: ClassVar[str] = "standing_unreadable"


class LinkTooLargeError(ComplianceError):
    """More addresses than one person has would be linked; nothing was."""

    code: ClassVar[str] = "link_too_large"


class RegistryFileError(ComplianceError):
    """A register's file cannot be read whole. Names the line, never what stands in it."""

    code: ClassVar[str] = "registry_file_error"


class RegistryConflictError(ComplianceError):
    """Another copy of that date is on record already, with other bytes."""

    code: ClassVar[str] = "registry_conflict"


class RegistryUnreadableError(ComplianceError):
    """A loaded copy is missing on disk, or is not the one that was loaded."""

    code: ClassVar[str] = "registry_unreadable"


class ErasureJournalError(ComplianceError):
    """The erasure journal is missing, damaged, or of another ledger."""

    code: ClassVar[str] = "erasure_journal_error"
