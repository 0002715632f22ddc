"""What can be wrong with what we have to prove."""

from typing import ClassVar

from rules.errors import ComplianceError


class UnknownDecisionError(ComplianceError):
    """The organisation has no decision of that id."""

    code: ClassVar[str] = "unknown_decision"


class DecisionSealedError(ComplianceError):
    """The decision is on record, and what it rested on does not open any more."""

    code: ClassVar[str] = "decision_sealed"


class DecisionExpiredError(DecisionSealedError):
    """The key of the decision's month was destroyed: its retention has ended."""

    code: ClassVar[str] = "decision_expired"


class SubjectErasedError(ComplianceError):
    """The person was erased, so that what the decision rested on is not in the log any more."""

    code: ClassVar[str] = "subject_erased"


class AlreadyReportedError(ComplianceError):
    """The sender has said already what became of this message, and it was something else."""

    code: ClassVar[str] = "already_reported"


class NotAllowedError(ComplianceError):
    """No leave was given for this message, so there is nothing to report."""

    code: ClassVar[str] = "not_allowed"


class ExportError(ComplianceError):
    """What is asked for cannot be exported (yet): it lies beyond what has been signed."""

    code: ClassVar[str] = "export_error"


class UnknownExportError(ComplianceError):
    """The organisation has no export of that id, or its file is not there (any more)."""

    code: ClassVar[str] = "unknown_export"
