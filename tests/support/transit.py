"""A stand-in for Vault's Transit engine: its HTTP protocol, on loopback, with keys of its own.

It answers ``POST /v1/<mount>/encrypt|decrypt/<name>`` as Vault does, its ciphertexts look like
``vault:v1:…``, and it refuses a wrong token, an unknown key and what does not open with Vault's
statuses. It is no Vault: policies, leases and audit are not there.
"""

import base64
import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

TOKEN = "s.stand-in"


class Transit(ThreadingHTTPServer):
    """The server, and the keys that it keeps by name."""

    def __init__(self, *names: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys = {name: os.urandom(32) for name in names}
        self.asked: list[str] = []

    @property
    def mount(self) -> str:
        """The URL of the engine's mount."""
        return f"http://127.0.0.1:{self.server_port}/v1/transit"


class _Handler(BaseHTTPRequestHandler):
    server: Transit

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(self.path)
        if self.headers["X-Vault-Token"] != TOKEN:
            self._answer(403, {"errors": ["permission denied"]})
            return
        act, name = self.path.removeprefix("/v1/transit/").split("/")
        key = self.server.keys.get(name)
        if key is None:
            self._answer(400, {"errors": ["encryption key not found"]})
            return
        bound_to = base64.b64decode(body.get("associated_data", ""))
        if act == "encrypt":
            nonce = os.urandom(12)
            sealed = AESGCM(key).encrypt(nonce, base64.b64decode(body["plaintext"]), bound_to)
            text = "vault:v1:" + base64.b64encode(nonce + sealed).decode()
            self._answer(200, {"data": {"ciphertext": text, "key_version": 1}})
            return
        try:
            raw = base64.b64decode(body["ciphertext"].removeprefix("vault:v1:"))
            opened = AESGCM(key).decrypt(raw[:12], raw[12:], bound_to)
        except (InvalidTag, ValueError):
            self._answer(400, {"errors": ["cipher: message authentication failed"]})
            return
        self._answer(200, {"data": {"plaintext": base64.b64encode(opened).decode()}})

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002
        """Nobody reads it."""


@contextmanager
def transit(*names: str) -> Iterator[Transit]:
    """Serve keys of these names until the context ends."""
    server = Transit(*names)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
