"""How a data folder comes to be, and the trial that ``serve`` offers who has none."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from api.cli.output import say_error
from api.cli.service import OperatorService, ask, opened_here
from api.clock import SystemClock
from api.data_folder import DataFolder
from api.errors import DataFolderError
from api.settings import Settings

FIRST_ORGANISATION = "First organisation"
TRIAL_ORGANISATION = "Trial"
TRIAL_PERSON = "cleartosend serve"
"""Whose keys the starts of a trial are. Revoke the last one, and no later start makes another."""

SAMPLE_SENDER = "acme"
SAMPLE = {
    "name": "Acme",
    "country": "US",
    "postal_address": "1 Example Street, Springfield, IL 62701",
    "contact": "https://acme.example/contact",
    "registrations": [{"scheme": "us-10dlc", "id": "CEXAMPLE"}],
}


@dataclass(frozen=True, slots=True)
class Founded:
    """An organisation and the admin key that was made for it. The key is shown once."""

    organisation: str
    admin_key: str


def found_folder(settings: Settings, *, name: str, person: str) -> Founded:
    """Make data folder, keys, database and first organisation, with an admin key for ``person``."""
    with _made_folder(settings):
        return ask(settings, lambda service: _found(service, name, person))


def start_trial(settings: Settings) -> Founded | None:
    """Make what is missing, and the key of this start if the folder is a trial's.

    It is one if a start made it; in a folder of ``init`` no key is made. Keys of earlier starts
    are revoked. None: nothing was made.
    """
    if DataFolder(settings.data).is_empty():
        with _made_folder(settings):
            return asyncio.run(_trial(settings))
    return asyncio.run(_trial(settings))


@contextmanager
def _made_folder(settings: Settings) -> Iterator[None]:
    """A folder with new keys; what was made goes again if the rest cannot be done.

    But not once something outside of it rests on its keys: without them that is lost.
    """
    from consent.keys.key_ring import KeyRing

    folder = DataFolder(settings.data)
    _refuse_anothers(settings, folder)
    folder.make()
    try:
        KeyRing.create(folder.root, at=SystemClock().now(), root=settings.root_key_place())
        yield
    except BaseException:
        if _is_rested_on(settings):
            say_error(
                f"cleartosend: {folder.root} is kept, for what was made outside of it needs its"
                " keys; go on with: cleartosend organisations list, organisations create,"
                " keys create"
            )
        else:
            shutil.rmtree(folder.root, ignore_errors=True)
        raise


def _refuse_anothers(settings: Settings, folder: DataFolder) -> None:
    from api.database import schema_of
    from consent.ledger.vault import Vault

    if settings.database_url is not None and schema_of(settings.database_url) is not None:
        raise DataFolderError(
            f"the database holds a ledger whose keys are not in {folder.root}; "
            "name the data folder that belongs to it, or an empty database"
        )
    if settings.vault is not None and Vault.exists(settings.vault):
        raise DataFolderError(
            f"the vault {settings.vault} is of a ledger whose keys are not in {folder.root}; "
            "name the data folder that belongs to it, or an empty vault"
        )


def _is_rested_on(settings: Settings) -> bool:
    """Whether a database or a vault elsewhere was begun with these keys; in doubt it was."""
    from api.database import schema_of
    from api.errors import StoreUnavailableError
    from consent.ledger.errors import VaultError
    from consent.ledger.vault import Vault

    try:
        if settings.vault is not None and Vault.exists(settings.vault):
            return True
        return settings.database_url is not None and schema_of(settings.database_url) is not None
    except (StoreUnavailableError, VaultError):
        return True


async def _trial(settings: Settings) -> Founded | None:
    # Never through a running service: a second start must not touch what the first one serves.
    async with opened_here(settings) as client:
        service = OperatorService(client)
        organisations = [item async for item in service.all_of("/v1/organisations")]
        if not organisations:
            founded = await _found(service, TRIAL_ORGANISATION, TRIAL_PERSON)
            await service.of(founded.organisation).put(f"/v1/senders/{SAMPLE_SENDER}", SAMPLE)
            return founded
        for organisation in organisations:
            if organisation["name"] == TRIAL_ORGANISATION:
                founded_again = await _next_key(service.of(organisation["id"]), organisation["id"])
                if founded_again is not None:
                    return founded_again
        return None


async def _next_key(service: OperatorService, organisation: str) -> Founded | None:
    earlier = [
        key["id"]
        async for key in service.all_of("/v1/keys")
        if key["person"] == TRIAL_PERSON and key["revoked_at"] is None
    ]
    if not earlier:
        return None
    issued = await service.post("/v1/keys", {"person": TRIAL_PERSON, "roles": ["admin"]})
    for key in earlier:
        await service.post(f"/v1/keys/{key}/revoke", {})
    return Founded(organisation, issued["token"])


async def _found(service: OperatorService, name: str, person: str) -> Founded:
    organisation = (await service.post("/v1/organisations", {"name": name}))["id"]
    wanted = {"person": person, "roles": ["admin"]}
    issued = await service.of(organisation).post("/v1/keys", wanted)
    return Founded(organisation, issued["token"])
