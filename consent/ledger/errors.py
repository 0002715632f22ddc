"""What can be wrong with a log."""

from typing import ClassVar

from rules.errors import ComplianceError


class UnknownLogError(ComplianceError):
    """The organisation has no such log in this database."""

    code: ClassVar[str] = "unknown_log"


class LeafTooLargeError(ComplianceError):
    """A leaf over one kibibyte: something that belongs into the payload stands in the leaf."""

    code: ClassVar[str] = "leaf_too_large"


class HeadMovedError(ComplianceError):
    """Somebody else moved the head, or took the log over, although we held its lock."""

    code: ClassVar[str] = "head_moved"


class DamagedLogError(ComplianceError):
    """What was read back is not what was written."""

    code: ClassVar[str] = "damaged_log"


class MalformedIdError(ComplianceError):
    """An id that is not of the shape that we give out."""

    code: ClassVar[str] = "malformed_id"


class NoteError(ComplianceError):
    """A signed note cannot be read, or bears no signature of a known key."""

    code: ClassVar[str] = "note_error"


class VaultError(ComplianceError):
    """The vault is missing, unreadable, open to others or damaged, or cannot be written."""

    code: ClassVar[str] = "vault_error"


class ReadOnlyError(ComplianceError):
    """The ledger is not the one that was signed last: it may be read, and nothing is written."""

    code: ClassVar[str] = "ledger_read_only"


class ForkRefusedError(ComplianceError):
    """A ledger goes on under a new origin only where it cannot under the old one."""

    code: ClassVar[str] = "fork_refused"
