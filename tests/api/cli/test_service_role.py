"""The service's own role on PostgreSQL: all of it runs as that, and cannot touch the ledger."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.cli.service_role import make_service_role
from api.database import writing_engine
from api.errors import SettingsError
from api.roles import Role
from consent.ledger import tables
from tests.support import databases
from tests.support.service import running_service

LEDGER = ("log_entry", "log_tile", "checkpoint", "log_payload", "suppression")
ANN = "+12125550123"


@pytest.fixture
def owner_url(postgres_server: databases.PostgresServer) -> Iterator[str]:
    with postgres_server.database(databases.TEMPLATE) as url:
        yield url


@pytest.fixture
def role(owner_url: str, postgres_server: databases.PostgresServer) -> Iterator[str]:
    name = f"service_{uuid.uuid4().hex[:12]}"
    engine = writing_engine(owner_url)
    made = make_service_role(engine, name)
    assert {*LEDGER, "alembic_version", "idempotency"} <= set(made)
    assert make_service_role(engine, name) == made
    yield name
    with engine.begin() as connection:
        connection.execute(sa.text(f'DROP OWNED BY "{name}"'))
    engine.dispose()
    postgres_server._execute(f'DROP ROLE "{name}"')


@pytest.fixture
def role_url(owner_url: str, role: str) -> str:
    return sa.make_url(owner_url).set(username=role).render_as_string(hide_password=False)


def test_the_service_runs_and_erases_as_its_role(role_url: str, tmp_path: Path) -> None:
    async def scenario() -> None:
        async with running_service(tmp_path, database_url=role_url) as service:
            organisation = await service.new_organisation()
            await service.put_sender(organisation)
            headers = await service.as_(organisation, Role.ADMIN)
            check = {
                "sender": "acme",
                "recipient": {"address": ANN},
                "message": {"channel": "sms", "purpose": "marketing"},
            }
            for path, body in (
                ("/v1/opt-outs", {"address": ANN, "via": "other"}),
                ("/v1/checks", check),
                ("/v1/subjects/erase", {"address": ANN, "why": "asked"}),
                ("/v1/keys/rotation", {}),
            ):
                answer = await service.client.post(
                    path, json=body, headers=headers | {"Idempotency-Key": path}
                )
                assert answer.is_success, (path, answer.text)

    asyncio.run(scenario())


@pytest.mark.parametrize("table", LEDGER)
def test_the_role_may_not_change_what_is_on_record(role_url: str, table: str) -> None:
    column = next(iter(tables.METADATA.tables[table].columns)).name
    acts = [f"UPDATE {table} SET {column} = {column}", f"TRUNCATE {table}"]
    if table != "log_payload":
        acts.append(f"DELETE FROM {table}")
    else:
        acts.append(f"DROP TRIGGER log_payload_refuses_update ON {table}")
    acts += [f"ALTER TABLE {table} DISABLE TRIGGER ALL", f"DROP TABLE {table}"]
    engine = writing_engine(role_url)
    for act in acts:
        refused = pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner")
        with refused, engine.begin() as connection:
            connection.execute(sa.text(act))
    engine.dispose()


def test_the_role_may_make_no_table_and_no_role(role_url: str) -> None:
    engine = writing_engine(role_url)
    for act in ("CREATE TABLE mine (a int)", "CREATE ROLE another"):
        with pytest.raises(sa.exc.ProgrammingError, match="denied"), engine.begin() as connection:
            connection.execute(sa.text(act))
    engine.dispose()


def test_what_is_no_role_and_no_postgresql_is_refused(owner_url: str, tmp_path: Path) -> None:
    engine = writing_engine(owner_url)
    with pytest.raises(SettingsError, match="role's name"):
        make_service_role(engine, 'x"; DROP TABLE log_entry')
    engine.dispose()
    engine = writing_engine(f"sqlite:///{tmp_path / 'db'}")
    with pytest.raises(SettingsError, match="no roles"):
        make_service_role(engine, "service")
    engine.dispose()
