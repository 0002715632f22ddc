"""What setting up propagation may refuse, and why."""

from typing import ClassVar

from rules.errors import ComplianceError


class EndpointRefusedError(ComplianceError):
    """Nothing is ever sent to such a URL."""

    code: ClassVar[str] = "endpoint_refused"


class SignatureRefusedError(ComplianceError):
    """It is not signed by the endpoint's secret, or was signed too long ago."""

    code: ClassVar[str] = "signature_refused"
