"""Keys are looked up by their hash, and what is known of them is never old."""

import asyncio
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from api.callers import hash_of, new_token, visible_prefix
from api.database import writing_engine
from api.roles import Role
from api.tables import api_key
from tests.support.service import running_service


def test_a_key_revoked_by_another_process_is_refused_within_a_second(
    tmp_path: Path, database_url: str
) -> None:
    url = None if database_url.startswith("sqlite") else database_url

    async def scenario() -> None:
        async with running_service(tmp_path, database_url=url) as service:
            headers = await service.as_(await service.new_organisation(), Role.ADMIN)
            assert (await service.client.get("/v1/keys", headers=headers)).status_code == 200
            other = writing_engine(url or f"sqlite:///{tmp_path / 'cleartosend.sqlite3'}")
            with other.begin() as connection:
                connection.execute(sa.update(api_key).values(revoked_at=service.clock.at))
            other.dispose()
            service.clock.move(timedelta(seconds=1))
            assert (await service.client.get("/v1/keys", headers=headers)).status_code == 401

    asyncio.run(scenario())


def test_a_token_is_not_stored(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            token = await service.new_key(await service.new_organisation(), Role.SENDER)
            rows = service.components.service.reader.run_here(
                lambda connection: connection.execute(sa.select(api_key)).all()
            )
            [row] = rows
            assert row.token_hash == hash_of(token)
            assert row.prefix == visible_prefix(token)
            assert token not in str(row)

    asyncio.run(scenario())


def test_a_token_has_256_bits_and_shows_six_characters() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert len(first) == len("cts_") + 43
    assert visible_prefix(first) == first[:10]


def test_the_operator_names_an_organisation_that_is_there(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path) as service:
            first = await service.new_organisation("First")
            alone = await service.operator.get("/v1/keys")
            assert alone.status_code == 200
            await service.new_organisation("Second")
            named = await service.operator.get("/v1/keys", headers={"X-Organisation": first})
            assert named.status_code == 200
            nowhere = await service.operator.get("/v1/keys", headers={"X-Organisation": "org_x"})
            assert nowhere.status_code == 404

    asyncio.run(scenario())
