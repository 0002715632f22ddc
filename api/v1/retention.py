"""How long decisions are kept, and letting go of those that have outlived it."""

from datetime import datetime
from typing import Annotated

import msgspec
from litestar import get, post, put
from litestar.di import NamedDependency
from litestar.params import JSONBody

from api.call import Answer, Call, unchanged
from api.openapi import shown
from api.operations.upkeep.retain import Holding, MonthTold, RetentionKeeper, SettingRequest
from api.roles import Role, open_to
from api.work import Reply
from consent import retention
from consent.retention import MONTHS_MAX, RetentionSetting

_MONTH = "^[0-9]{4}-(0[1-9]|1[0-2])$"
Months = Annotated[int, msgspec.Meta(ge=1, le=MONTHS_MAX)]


class RetentionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many whole months decisions are kept after their own; null: for good."""

    decision_months: Months | None


class RetentionResponse(msgspec.Struct, frozen=True, kw_only=True):
    """The setting in force. ``index``: of its entry in the `rules` log; null: none was ever set.

    ``longest_duty``: the longest that any law here wants records kept, whomever it binds. A month
    is kept as long as the laws ask that bind its decisions, if that is longer than the setting.
    """

    decision_months: int | None
    since: datetime | None
    index: int | None
    months: list[str]
    longest_duty: Holding | None


class LookRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which month. ``dry_run`` only says what would become of it."""

    month: Annotated[str, msgspec.Meta(pattern=_MONTH)]
    dry_run: bool = True


@get(
    "/v1/retention",
    opt=open_to(Role.AUDITOR),
    operation_id="readRetention",
    summary="For how long decisions are kept",
)
async def get_retention(
    request: Call, retention_keeper: NamedDependency[RetentionKeeper]
) -> Answer[RetentionResponse]:
    """The setting, the months that can still be read, and the longest duty of any law."""
    organisation = request.caller.organisation
    return await request.read(
        lambda connection, _: _response(
            organisation, retention.setting_of(connection, organisation), retention_keeper
        ),
        shape=unchanged,
    )


@put(
    "/v1/retention",
    opt=open_to(Role.ADMIN) | shown(request={"decision_months": 36}),
    operation_id="putRetention",
    summary="Set for how long decisions are kept",
)
async def put_retention(
    data: JSONBody[RetentionRequest],
    request: Call,
    retention_keeper: NamedDependency[RetentionKeeper],
) -> Answer[RetentionResponse]:
    """It is put into the `rules` log, and applied within the hour and then every hour."""
    caller = request.caller
    wanted = SettingRequest(caller.organisation, caller.key, data.decision_months)
    setting = await retention_keeper.put(request.exchange.service.writer, wanted)
    answer = _response(caller.organisation, setting, retention_keeper)
    return Answer(Reply(200, msgspec.json.encode(answer)))


@post(
    "/v1/retention/months",
    status_code=200,
    opt=open_to(Role.ADMIN) | shown(request={"month": "2020-01", "dry_run": True}),
    operation_id="applyRetention",
    summary="Let a month of decisions go, if it has outlived its retention",
)
async def post_month(
    data: JSONBody[LookRequest],
    request: Call,
    retention_keeper: NamedDependency[RetentionKeeper],
) -> Answer[MonthTold]:
    """Says whether the month is due, by the setting and by the laws that bind its decisions.

    Without `dry_run` its key is then destroyed, and an entry in the `decisions` log says so.
    """
    caller, service = request.caller, request.exchange.service
    month = int(data.month.replace("-", ""))
    setting = await service.reader.run(
        lambda connection: retention.setting_of(connection, caller.organisation)
    )
    told = await retention_keeper.look(service, caller.organisation, month, setting)
    if told.due and not data.dry_run:
        told = await retention_keeper.end(
            service, caller.organisation, month, setting=setting, actor=caller.key
        )
    return Answer(Reply(200, msgspec.json.encode(told)))


ROUTES = (get_retention, put_retention, post_month)


def _response(
    organisation: str, setting: RetentionSetting, keeper: RetentionKeeper
) -> RetentionResponse:
    return RetentionResponse(
        decision_months=setting.decision_months,
        since=setting.since,
        index=setting.index,
        months=[f"{month // 100:04}-{month % 100:02}" for month in keeper.months_of(organisation)],
        longest_duty=keeper.longest,
    )
