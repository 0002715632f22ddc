"""The base of every error that this service raises on purpose."""

from typing import ClassVar


class ComplianceError(Exception):
    """Base of every error this service raises on purpose.

    ``code`` is part of the public API: it never changes once released.
    ``detail`` says what was wrong and how to put it right. It holds no address
    and no message text, because errors end up in logs and in other companies' logs.
    """

    code: ClassVar[str] = "compliance_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail
