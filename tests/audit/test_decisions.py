"""Decisions on record: by which token a stranger is found again. The rest is tested by checks."""

from audit.decisions import token_of
from consent.keys.sealing import KeyKind, SealingKey

KEY = SealingKey.of(KeyKind.DECISION, 202611, bytes(range(32)))
INDEX = bytes(range(16))


def test_a_token_is_the_same_in_every_process() -> None:
    """Stored tokens are compared with new ones, so no version may make others."""
    assert (
        token_of(KEY, "org_a", INDEX).hex()
        == "a7a07070aaf24c804eca88a212467e62193d49c48e5369a6dd633adc7526dcd8"
    )


def test_a_token_says_nothing_beyond_its_organisation_and_month() -> None:
    other_month = SealingKey.of(KeyKind.DECISION, 202612, bytes(range(32)))
    tokens = {
        token_of(KEY, "org_a", INDEX),
        token_of(KEY, "org_b", INDEX),
        token_of(other_month, "org_a", INDEX),
        token_of(KEY, "org_a", INDEX[::-1]),
    }
    assert len(tokens) == 4
