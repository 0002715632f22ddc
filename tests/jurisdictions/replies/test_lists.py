"""Word lists are strict files: every mistake is named with its line, and no country is left out."""

from pathlib import Path

import pytest

from jurisdictions.errors import WordFileError
from jurisdictions.loader import load_regulations
from jurisdictions.releases import bundled_release
from jurisdictions.replies.lexicon import lexicon_of
from jurisdictions.replies.lists import GROUPED, WordList, load_word_lists, word_list_of
from jurisdictions.strict_yaml import load

LIST = """\
language: xa
name: Language of XA
spoken_in: [XA]
sources:
  usage: {citation: common usage}
stop:
  - {source: usage, words: [halt]}
phrases:
  - halt .. now
"""


def compiled(text: str) -> WordList:
    document = load(text, name="words/xa.yaml", raises=WordFileError)
    written = word_list_of(document)
    lexicon_of([(document, written)])
    return written


def test_a_list_is_read() -> None:
    written = compiled(LIST)
    assert written.stop[0].words == ("halt",)
    assert written.phrases == ("halt .. now",)


@pytest.mark.parametrize(
    ("old", "new", "line", "told"),
    [
        ("language: xa", "language: xb", 1, "has its name"),
        ("spoken_in: [XA]", "spoken_in: [Exa]", 3, "alpha-2"),
        ("source: usage", "source: rumour", 7, "none of the sources"),
        ("[halt]", "[halt, halt]", 7, "stands twice"),
        ("[halt]", "[]\n    words: [halt]", 8, ""),
        ("[halt]", '[""]', 7, "length"),
        ("[halt]", '["!?"]', 7, "holds no word"),
        ("words: [halt]", "words: [halt], countries: [Exa]", 7, "alpha-2"),
        ("words: [halt]", "words: [halt], elsewhere: perhaps", 7, "elsewhere"),
        ("halt .. now", "halt ..", 9, "a gap stands between words"),
        ("halt .. now", "halt? now?", 9, "without any word"),
        ("phrases:", "phrasses:", 8, "phrasses"),
        ("phrases:", "scopes:\n  - {words: [ads]}\nphrases:", 9, "names a channel or a purpose"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, line: int, told: str) -> None:
    assert old in LIST
    with pytest.raises(WordFileError) as refused:
        compiled(LIST.replace(old, new, 1))
    assert refused.value.detail.startswith(f"words/xa.yaml:{line}:")
    assert told in refused.value.detail


def test_every_country_whose_law_we_know_has_a_language() -> None:
    spoken = {country for _, written in load_word_lists() for country in written.spoken_in}
    countries = {name for name in bundled_release().with_sheet if len(name) == 2}
    assert countries - spoken == set()


def test_every_list_says_where_its_words_come_from() -> None:
    for document, written in load_word_lists():
        used = {group.source for name in GROUPED for group in getattr(written, name)}
        assert used <= set(written.sources), document.name
        assert all(source.citation for source in written.sources.values())


def test_a_word_list_is_no_regulation(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "xa.yaml").write_text(LIST, encoding="utf-8")
    assert load_regulations(tmp_path) == ()
