"""Permits: the signed proof of an allow, and the keys that verify it."""

from typing import Annotated

import msgspec
from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call, unchanged
from api.operations.verify_permit import PermitAnswer, ShownPermit, verify_permit
from api.roles import Role, open_to, public
from api.v1.shapes import MessageShape, RecipientShape, SenderName
from api.work import Reply
from audit.permits import PermitVerifier, key_set
from consent.keys.key_ring import KeyRing
from jurisdictions.addresses import parse_address


class VerifyRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A permit, and the message that is to go under it."""

    permit: Annotated[str, msgspec.Meta(min_length=1, max_length=10_000)]
    recipient: RecipientShape
    message: MessageShape
    sender: SenderName | None = None


class KeyShape(msgspec.Struct, frozen=True):
    """A public key (RFC 8037)."""

    kty: str
    crv: str
    x: str
    kid: str
    use: str
    alg: str


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
    data: JSONBody[VerifyRequest],
    request: Call,
    key_ring: NamedDependency[KeyRing],
) -> Answer[PermitAnswer]:
    """It also asks whether a revocation came since; every time, idempotency key or not."""
    asked = ShownPermit(
        organisation=request.caller.organisation,
        permit=data.permit,
        address=parse_address(data.recipient.address),
        sender=data.sender,
        channel=data.message.channel,
        purpose=data.message.purpose,
        sender_id=data.message.sender_id,
        text=data.message.text,
    )
    verifier = PermitVerifier(key_ring.permit_public_keys())
    return await request.read(
        lambda connection, now: verify_permit(
            connection, asked, verifier=verifier, keys=key_ring, now=now
        ),
        shape=unchanged,
        keep=False,
    )


@get(
    "/.well-known/jwks.json",
    opt=public(),
    operation_id="readPermitKeys",
    summary="The keys that verify permits",
)
async def get_permit_keys(key_ring: NamedDependency[KeyRing]) -> Answer[KeySet]:
    """Fetch them now and then, and verify permits without us."""
    return Answer(
        Reply(200, msgspec.json.encode(key_set(key_ring.permit_public_keys()))),
        cache_control="public, max-age=300",
    )
