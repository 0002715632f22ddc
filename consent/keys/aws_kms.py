"""A wrapping key in AWS KMS: ``aws-kms:<key id, ARN or alias>``. Needs the extra ``aws``.

Region and credentials are found as every AWS client finds them; ``AWS_ENDPOINT_URL_KMS`` names
another endpoint.
"""

from typing import Any

from consent.keys.errors import KeyStoreError

_NOT_OURS = frozenset({"InvalidCiphertextException", "IncorrectKeyException"})


class AwsKmsKey:
    """Asks KMS; the key never leaves it. The context becomes the encryption context."""

    def __init__(self, key_id: str) -> None:
        self.key_id = f"aws-kms:{key_id}"
        self._key = key_id
        try:
            # An extra: only who keeps the key there needs it.
            import boto3  # noqa: PLC0415
            from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415
        except ImportError:
            raise KeyStoreError(
                "a root key in AWS KMS needs boto3: pip install 'cleartosend[aws]'"
            ) from None
        self._errors: tuple[type[Exception], ...] = (BotoCoreError, ClientError)
        try:
            self._client: Any = boto3.client("kms")
        except self._errors as error:
            raise self._failed(error) from None

    def wrap(self, key: bytes, context: bytes) -> bytes:
        """Have ``key`` encrypted."""
        try:
            answer = self._client.encrypt(
                KeyId=self._key, Plaintext=key, EncryptionContext=_context(context)
            )
        except self._errors as error:
            raise self._failed(error) from None
        return bytes(answer["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes | None:
        """Have it decrypted, under this key and no other."""
        try:
            answer = self._client.decrypt(
                KeyId=self._key, CiphertextBlob=wrapped, EncryptionContext=_context(context)
            )
        except self._errors as error:
            if _code_of(error) in _NOT_OURS:
                return None
            raise self._failed(error) from None
        return bytes(answer["Plaintext"])

    def _failed(self, error: Exception) -> KeyStoreError:
        why = _code_of(error) or type(error).__name__
        return KeyStoreError(f"{self.key_id} cannot be used: {why}")


def _code_of(error: Exception) -> str | None:
    response: dict[str, Any] = getattr(error, "response", {})
    code = response.get("Error", {}).get("Code")
    return None if code is None else str(code)


def _context(context: bytes) -> dict[str, str]:
    return {"use": context.hex()}
