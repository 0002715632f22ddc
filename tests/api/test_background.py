"""What the service does by itself: keys are rotated when their month is over."""

import asyncio
from datetime import timedelta
from pathlib import Path

from api.operations.rotate_keys import KeyKeeper
from api.roles import Role
from consent.keys.sealing import KeyKind
from tests.support.service import running_service

MONTH = timedelta(days=31)


def test_keys_are_rotated_once_a_month_and_a_broken_off_rotation_is_ended(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            organisation = await service.new_organisation()
            headers = await service.as_(organisation, Role.ADMIN)
            body = {"address": "+12125550123", "via": "other"}
            await service.client.post("/v1/opt-outs", json=body, headers=headers)
            keys, writer = service.components.keys, service.components.service.writer
            keeper = KeyKeeper(keys)

            async def look(*, is_start: bool = False) -> bool:
                now = service.clock.now()
                done = await keeper.keep_monthly(writer, organisation, now=now, is_start=is_start)
                return done is not None

            assert not await look(is_start=True)
            service.clock.move(MONTH)
            assert await look()
            assert not await look(is_start=True)
            (newest,) = keys.versions_of(organisation, KeyKind.ORGANISATION)
            keys.renew(organisation, KeyKind.ORGANISATION, at=service.clock.now())
            assert not await look()
            assert await look(is_start=True)
            assert keys.versions_of(organisation, KeyKind.ORGANISATION) == (newest + 1,)

    asyncio.run(scenario())
