"""Keys that are written nowhere: of a ledger that ends with its process, such as a trial's."""

from collections.abc import Callable

from consent.keys.key_store import KeyName, Keys, KeyStore


class PassingKeyStore(KeyStore):
    """A store in memory. What lies under its keys cannot be opened by any other process."""

    def __init__(self, ledger_id: str) -> None:
        self.ledger_id = ledger_id
        self._kept: dict[KeyName, bytes] = {}

    def read(self) -> dict[KeyName, bytes]:
        """Give every key."""
        return dict(self._kept)

    def change(self, make: Callable[[Keys], Keys]) -> dict[KeyName, bytes]:
        """Replace the keys by ``make(keys)``; give what is there now."""
        self._kept = dict(make(self._kept))
        return self.read()

    def stamp(self) -> object:
        """Nobody else changes it."""
        return None
