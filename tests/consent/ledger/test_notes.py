"""Signed notes: the published examples, byte for byte, and what is refused."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.ledger.errors import NoteError
from consent.ledger.notes import Verifier, parse_note, sign_note, verify_note

# From the documentation of Go's golang.org/x/mod/sumdb/note, whose format C2SP took over.
NAME = "PeterNeumann"
SIGNING_KEY = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
VERIFIER_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZ"
    "b6KE6RyyBwJnAM=\n"
)
SIGNED = f"{TEXT}\n{LINE}"
KEY = Ed25519PrivateKey.from_private_bytes(base64.b64decode(SIGNING_KEY)[1:])
VERIFIER = Verifier(NAME, KEY.public_key())

# From c2sp.org/signed-note and c2sp.org/tlog-checkpoint: these show the form.
QUASIMODO = """Ognuno sta solo sul cuor della terra
trafitto da un raggio di sole:

ed è subito sera.

— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=
"""  # noqa: E501 - a published example
OTHER = Verifier("example.com/other", Ed25519PrivateKey.generate().public_key())


def test_the_published_note_is_signed_byte_for_byte() -> None:
    assert sign_note(TEXT, NAME, [KEY]) == SIGNED
    assert str(VERIFIER) == VERIFIER_KEY
    assert verify_note(SIGNED, [VERIFIER]) == TEXT


def test_a_text_may_hold_empty_lines() -> None:
    note = parse_note(QUASIMODO)
    assert note.text.endswith("sole:\n\ned è subito sera.\n")
    ((name, key_id, size),) = [(s.name, s.key_id, len(s.signature)) for s in note.signatures]
    assert (name, key_id.hex(), size) == ("quasimodo.example/salvatore", "367ba04b", 64)


def test_signatures_of_other_keys_are_passed_over() -> None:
    both = sign_note(TEXT, NAME, [Ed25519PrivateKey.generate(), KEY])
    assert verify_note(both, [OTHER, VERIFIER]) == TEXT
    with pytest.raises(NoteError, match="no key that is known"):
        verify_note(both, [OTHER])


def test_a_known_keys_wrong_signature_condemns_the_note() -> None:
    other_key = Ed25519PrivateKey.generate()
    note = sign_note(TEXT, NAME, [other_key, KEY]).replace("cryptography", "Cryptography")
    with pytest.raises(NoteError, match="does not bear"):
        verify_note(note, [VERIFIER])
    forged = SIGNED.replace("x08go/ZJ", "x08go/ZK")
    with pytest.raises(NoteError, match="does not bear"):
        verify_note(sign_note(TEXT, "b", [other_key]) + forged.partition("\n\n")[2], [VERIFIER])


@pytest.mark.parametrize(
    "note",
    [
        "",
        TEXT,
        SIGNED.removesuffix("\n"),
        SIGNED + "\n",
        SIGNED.replace("\n\n", "\n"),
        SIGNED.replace("— ", "- "),
        SIGNED.replace("— Peter", "— Peter+"),
        SIGNED.replace("AM=", "AM"),
        SIGNED.replace("AM=", "A!="),
        SIGNED.replace("problem,", "problem,\t"),
        SIGNED.replace("problem,", "problem,\r"),
        f"{TEXT}\n— PeterNeumann x08goA==\n"[:-3] + "\n",
        f"{TEXT}\n— PeterNeumann x08g\n",
        f"{TEXT}\n{LINE * 17}",
        f"{TEXT * 2000}\n{LINE}",
    ],
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(NoteError):
        verify_note(note, [VERIFIER])


def test_a_key_id_covers_the_name() -> None:
    key = Ed25519PublicKey.from_public_bytes(KEY.public_key().public_bytes_raw())
    assert Verifier(NAME, key).key_id.hex() == "c74f20a3"
    assert Verifier(f"{NAME}2", key).key_id.hex() != "c74f20a3"
