"""A field that stands twice: refused by its name, and in an opt-out kept with all its values."""

import json

import msgspec
import pytest

from api.decoding import decode_all, decode_once
from api.errors import InvalidRequestError


class Inner(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    note: str = ""


class Outer(msgspec.Struct, forbid_unknown_fields=True):
    name: str = ""
    inner: Inner | None = None
    many: list[Inner] = []


DECODER = msgspec.json.Decoder(Outer)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ('{"name": "a", "name": "b"}', "/name"),
        ('{"name": "a", "name": "a"}', "/name"),
        ('{"name":"a","inner":{"name":"b","note":"","name":"c"}}', "/inner/name"),
        ('{"many": [{}, {"note": "a", "note": "b"}]}', "/many/1/note"),
        ('{"inner": {}, "name": "a", "inner" : null}', "/inner"),
    ],
)
def test_a_field_that_stands_twice_is_named(body: str, pointer: str) -> None:
    with pytest.raises(InvalidRequestError) as refused:
        decode_once(body.encode(), DECODER)
    assert [found for found, _ in refused.value.errors] == [pointer]


@pytest.mark.parametrize(
    "body",
    [
        '{"name": "a", "inner": {"name": "b"}, "many": [{"name": "c"}, {"name": "d"}]}',
        '{"name": "\\"name\\": \\"name\\": {\\"note\\": 1}", "inner": {"note": "\\"note\\":"}}',
        "{}",
    ],
)
def test_the_same_name_in_two_objects_is_no_repetition(body: str) -> None:
    assert decode_once(body.encode(), DECODER) == DECODER.decode(body)


def test_of_an_opt_out_both_values_are_kept() -> None:
    body = b'{"address": "a", "sender": "acme", "sender": "beta", "more": {"a": 1, "a": 2}}'
    read = decode_all(body)
    assert (read["address"], read["sender"]) == ("a", ["acme", "beta"])
    plain = {"address": "a", "sender": "acme", "more": [{"a": 1}, {"a": 2}]}
    assert decode_all(json.dumps(plain).encode()) == plain
