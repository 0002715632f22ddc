"""Rule kind ``template_match``: which text follows which template, and by which values."""

import pytest

from rules.kinds.template_match import VARIABLES_MAX, values_of

LONGEST = 30


@pytest.mark.parametrize(
    ("text", "template", "values"),
    [
        ("Pay 5 now", "Pay {#var#} now", ("5",)),
        ("Pay now", "Pay now", ()),
        ("Pay now!", "Pay now", None),
        ("Pay  now", "Pay {#var#} now", None),
        ("Pay 5 now now", "Pay {#var#} now", ("5 now",)),
        ("Pay 5", "Pay {#var#}", ("5",)),
        ("abc", "{#var#}{#var#}", ("ab", "c")),
        ("a", "{#var#}{#var#}", None),
        ("", "{#var#}", None),
        ("aXbX", "{#var#}X{#var#}X", ("a", "b")),
        ("aXbXcX", "{#var#}X{#var#}X", ("aXb", "c")),
        ("x" * 31, "{#var#}", None),
        ("x" * 31, "{#var#}{#numeric#}", ("x" * 30, "x")),
        ("a\nb", "{#var#}", None),
        ("Go https://a.example/1 2", "Go {#url#} {#var#}", ("https://a.example/1", "2")),
        ("Go https://a.example/" + "1" * 100, "Go {#url#}", ("https://a.example/" + "1" * 100,)),
    ],
)
def test_the_values_are_what_stands_in_the_places(
    text: str, template: str, values: tuple[str, ...] | None
) -> None:
    found = values_of(text, template, LONGEST)
    assert (None if found is None else tuple(value for _, value in found)) == values


def test_a_text_that_almost_follows_does_not_keep_everybody_waiting() -> None:
    template = "{#var#} " * 40 + "!"
    assert values_of("a " * 600, template, LONGEST) is None
    assert values_of("a " * 600 + "!", template, LONGEST) is not None


def test_a_template_of_too_many_variables_is_followed_by_nothing() -> None:
    assert values_of("a" * VARIABLES_MAX, "{#var#}" * VARIABLES_MAX, LONGEST) is not None
    assert values_of("a" * (VARIABLES_MAX + 1), "{#var#}" * (VARIABLES_MAX + 1), LONGEST) is None
