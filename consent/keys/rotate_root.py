"""Another root key: the keys of the store are wrapped anew, and nothing is sealed again."""

from pathlib import Path

from consent.keys.errors import KeyStoreError
from consent.keys.key_ring import KEY_STORE_FILE, LOG_KEY_FILE
from consent.keys.key_store import KeyStore
from consent.keys.providers import RootKeyPlace
from consent.keys.root_key import sync_folder


def rotate_root(old: RootKeyPlace, new: RootKeyPlace, folder: Path) -> str:
    """Put a new root key in the place of the old one, which is destroyed; give the new one's id.

    Nothing may be running on these keys. What was broken off is ended by doing it again: until
    then nothing opens, for each store names the root key that it asks for. Where ``new`` is to
    stand in the very place of ``old`` it has a path of its own meanwhile.
    """
    was = old.open()
    is_made_here = new.is_filed and not new.path.exists()
    now = new.create() if is_made_here else new.open()
    if was.key_id == now.key_id:
        raise KeyStoreError("the new root key is the old one")
    stores = [folder / name for name in (KEY_STORE_FILE, LOG_KEY_FILE)]
    try:
        for path in stores:
            if KeyStore.root_key_id_of(path) != now.key_id:
                KeyStore.open(path, was).rewrap(now)
    except KeyStoreError:
        if is_made_here and now.key_id not in map(KeyStore.root_key_id_of, stores):
            new.path.unlink()  # Nothing has begun, so nothing has to be ended.
        raise
    _settle(old, new)
    return now.key_id


def _settle(old: RootKeyPlace, new: RootKeyPlace) -> None:
    """Leave the new key only, where it will be looked for."""
    try:
        if new.is_filed and new.path == old.beside:
            new.path.replace(old.path)
        elif old.is_filed:
            old.path.unlink()
        if old.is_filed:
            sync_folder(old.path.parent)
    except OSError as error:
        raise KeyStoreError(f"{old.path} cannot be replaced: {error.strerror}") from None
