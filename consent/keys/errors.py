"""What can be wrong with keys and with what lies under them."""

from typing import ClassVar

from rules.errors import ComplianceError


class KeyStoreError(ComplianceError):
    """Root key or key store is missing, unreadable, open to others, or of another ledger."""

    code: ClassVar[str] = "key_store_error"


class UnknownKeyError(ComplianceError):
    """No key of that organisation, kind and version: it was never made, or it was destroyed."""

    code: ClassVar[str] = "unknown_key"


class BrokenSealError(ComplianceError):
    """What was sealed does not open: it was changed, or moved to where it does not belong."""

    code: ClassVar[str] = "broken_seal"
