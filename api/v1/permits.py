"""Permits: the signed proof of an allow, and the keys that verify it."""

import base64
from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call
from api.operations.verify_permit import PermitInput, PermitVerdict, VerifyPermit
from api.roles import Role, open_to, public
from api.v1.shapes import MessageShape, RecipientShape
from api.work import Reply
from consent.keys.key_ring import KeyRing


class VerifyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A permit, and the message that is to go under it."""

    permit: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    recipient: RecipientShape
    message: MessageShape


class VerifyResponse(msgspec.Struct, frozen=True):
    """Whether the message may go under the permit; if not, why, in a word of ours."""

    valid: bool
    why: str | None

    @classmethod
    def of(cls, verdict: PermitVerdict) -> "VerifyResponse":
        """Render it."""
        return cls(verdict.valid, verdict.why)


class KeyShape(msgspec.Struct, frozen=True):
    """A public key (RFC 8037)."""

    kid: str
    x: str
    kty: str = "OKP"
    crv: str = "Ed25519"
    use: str = "sig"
    alg: str = "EdDSA"


class KeySet(msgspec.Struct, frozen=True):
    """Every key under which a permit may still be out (RFC 7517)."""

    keys: list[KeyShape]


@post(
    "/v1/permits/verify",
    status_code=200,
    opt=open_to(Role.SENDER),
    operation_id="verifyPermit",
    summary="Is this permit good for this message, now?",
)
async def post_verification(
    data: JSONBody[VerifyRequest], request: Call, verify_permit: NamedDependency[VerifyPermit]
) -> Answer[VerifyResponse]:
    """It also asks whether a revocation came since."""
    asked = PermitInput(
        organisation=request.caller.organisation,
        permit=data.permit,
        address=data.recipient.address,
        channel=data.message.channel,
        purpose=data.message.purpose,
        sender_id=data.message.sender_id,
        text=data.message.text,
    )
    return await request.read(
        lambda connection, now: verify_permit.verify(connection, asked, now=now),
        shape=VerifyResponse.of,
    )


@get(
    "/.well-known/jwks.json",
    opt=public(),
    operation_id="readPermitKeys",
    summary="The keys that verify permits",
)
async def get_permit_keys(key_ring: NamedDependency[KeyRing]) -> Answer[KeySet]:
    """Fetch them now and then, and verify permits without us."""
    keys = [
        KeyShape(kid, base64.urlsafe_b64encode(key.public_bytes_raw()).decode().rstrip("="))
        for kid, key in sorted(key_ring.permit_public_keys().items())
    ]
    return Answer(
        Reply(200, msgspec.json.encode(KeySet(keys))),
        {"cache-control": "public, max-age=300"},
    )
