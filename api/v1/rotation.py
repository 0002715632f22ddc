"""The keys that protect what is on record: newer ones, and the end of older ones."""

from typing import Annotated, Literal

import msgspec
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call
from api.openapi import shown
from api.operations.rotate_keys import (
    DestroyedKey,
    KeyKeeper,
    NewSubjectKey,
    RotationAnswer,
    RotationStep,
    What,
)
from api.operations.upkeep.retain import RetentionKeeper
from api.roles import Role, open_to
from api.v1.shapes import AddressText
from api.work import Reply
from consent.keys.sealing import KeyKind
from jurisdictions.addresses import parse_address


class RotationRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The next step of a rotation: without ``cursor`` its beginning."""

    what: What = What.ORGANISATION
    version: Annotated[int, msgspec.Meta(ge=1, le=2**31)] | None = None
    cursor: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{32})$")] | None = None


class RenewalRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whose data key is to be replaced."""

    address: AddressText


class Renewed(msgspec.Struct, frozen=True):
    """The version of the person's new data key."""

    version: int


class DestructionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which keys are to be destroyed, for good."""

    kind: Literal["decision"]
    month: Annotated[str, msgspec.Meta(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]


class Destruction(msgspec.Struct, frozen=True):
    """What was destroyed; nothing where it had been before."""

    destroyed: list[DestroyedKey]


@post(
    "/v1/keys/rotation",
    status_code=200,
    opt=open_to(Role.ADMIN) | shown(request={"what": "organisation"}),
    operation_id="rotateKeys",
    summary="Take a step of a rotation of keys",
)
async def post_rotation(
    data: JSONBody[RotationRequest], request: Call, key_keeper: NamedDependency[KeyKeeper]
) -> Answer[RotationAnswer]:
    """Begins with a new key; call again with `version` and `cursor` until `cursor` is null.

    Then the older keys are destroyed under which nothing lies any more, and with them what old
    backups hold of the erased.
    """
    step = RotationStep(
        organisation=request.caller.organisation,
        what=data.what,
        version=data.version,
        after=bytes.fromhex(data.cursor or ""),
    )
    answer = await key_keeper.step(request.exchange.service.writer, step)
    return Answer(Reply(200, msgspec.json.encode(answer)))


@post(
    "/v1/subjects/renew-key",
    status_code=200,
    opt=open_to(Role.ADMIN) | shown(request={"address": "+12125550123"}),
    operation_id="renewSubjectKey",
    summary="Give a person a new data key",
)
async def post_renewal(
    data: JSONBody[RenewalRequest], request: Call, key_keeper: NamedDependency[KeyKeeper]
) -> Answer[Renewed]:
    """For what comes from now on. What is on record still opens with the old key."""
    wanted = NewSubjectKey(request.caller.organisation, parse_address(data.address))
    version = await key_keeper.renew_subject_key(request.exchange.service.writer, wanted)
    return Answer(Reply(200, msgspec.json.encode(Renewed(version))))


@post(
    "/v1/keys/destruction",
    status_code=200,
    opt=open_to(Role.ADMIN) | shown(request={"kind": "decision", "month": "2026-01"}),
    operation_id="destroyKeys",
    summary="End the retention of a month's decisions",
)
async def post_destruction(
    data: JSONBody[DestructionRequest],
    request: Call,
    retention_keeper: NamedDependency[RetentionKeeper],
) -> Answer[Destruction]:
    """The entries stay in their log and verify; what they rested on opens no more, anywhere.

    Whatever the setting, and 409 as long as a law wants decisions of that month kept.
    """
    caller, month = request.caller, int(data.month.replace("-", ""))
    retention_keeper.refuse_unfinished(month, request.now)
    gone: list[DestroyedKey] = []
    if month in retention_keeper.months_of(caller.organisation):
        await retention_keeper.end(
            request.exchange.service, caller.organisation, month, setting=None, actor=caller.key
        )
        gone.append(DestroyedKey(KeyKind.DECISION.value, month))
    return Answer(Reply(200, msgspec.json.encode(Destruction(gone))))
