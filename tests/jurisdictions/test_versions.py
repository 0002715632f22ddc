"""A decision can say which data it rested on."""

import re

from jurisdictions.versions import data_versions


def test_the_data_of_others_has_versions() -> None:
    versions = data_versions()
    assert set(versions) == {"tzdata", "phonenumbers", "holidays"}
    assert versions["tzdata"] >= "2026f", "older data is an hour off in western Canada"
    assert re.fullmatch(r"\d+(\.\d+)+", versions["phonenumbers"])
    assert re.fullmatch(r"\d+(\.\d+)+", versions["holidays"])
