"""A wrapping key in Vault or OpenBao: ``vault:<url of the mount>/<name of the key>``.

For example ``vault:https://vault.example:8200/v1/transit/cleartosend``. The token comes from
``VAULT_TOKEN``. The key's type must be one with associated data, such as ``aes256-gcm96``.
"""

import base64
from typing import Any

import httpx

from consent.keys.errors import KeyStoreError

TIMEOUT_SECONDS = 10.0


class VaultTransitKey:
    """Asks the Transit engine; the key never leaves it. The context is associated data."""

    def __init__(self, where: str, *, token: str | None, namespace: str | None = None) -> None:
        mount, _, name = where.rpartition("/")
        if not mount.startswith(("https://", "http://")) or not name:
            raise KeyStoreError(
                "a root key in Vault is vault:<url of the Transit mount>/<name of the key>, such as"
                " vault:https://vault.example:8200/v1/transit/cleartosend"
            )
        if not token:
            raise KeyStoreError("a root key in Vault needs VAULT_TOKEN")
        self.key_id = f"vault:{where}"
        self._mount, self._name = mount, name
        self._headers = {"X-Vault-Token": token, "X-Vault-Request": "true"}
        if namespace:
            self._headers["X-Vault-Namespace"] = namespace

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Have ``key`` encrypted; what comes back is Vault's own text, ``vault:v1:…``."""
        answer = self._ask("encrypt", plaintext=_base64(key), associated_data=_base64(context))
        if answer is None:
            raise KeyStoreError(f"{self.key_id} cannot be used: Vault refused to encrypt")
        return str(answer["ciphertext"]).encode()

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes | None:
        """Have it decrypted."""
        text = wrapped.decode("ascii", "replace")
        answer = self._ask("decrypt", ciphertext=text, associated_data=_base64(context))
        return None if answer is None else base64.b64decode(answer["plaintext"])

    def _ask(self, act: str, **body: str) -> dict[str, Any] | None:
        """None: Vault says that what was sent is wrong."""
        try:
            answer = httpx.post(
                f"{self._mount}/{act}/{self._name}",
                json=body,
                headers=self._headers,
                timeout=TIMEOUT_SECONDS,
            )
            if answer.status_code == httpx.codes.BAD_REQUEST:
                return None
            answer.raise_for_status()
            return dict(answer.json()["data"])
        except httpx.HTTPStatusError as error:
            why = f"Vault answers {error.response.status_code}"
        except (httpx.HTTPError, ValueError, KeyError) as error:
            why = type(error).__name__
        raise KeyStoreError(f"{self.key_id} cannot be used: {why}")


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
