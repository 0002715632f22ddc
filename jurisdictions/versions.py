"""Which versions of other people's data a decision rested on."""

from collections.abc import Mapping
from functools import cache
from importlib.metadata import version
from types import MappingProxyType

import tzdata  # type: ignore[import-untyped]


@cache
def data_versions() -> Mapping[str, str]:
    """Versions of ``tzdata`` (IANA's name, such as 2026f), ``phonenumbers`` and ``holidays``.

    A replay of an old decision compares them: another version may answer differently.
    """
    return MappingProxyType(
        {
            "tzdata": tzdata.IANA_VERSION,
            "phonenumbers": version("phonenumbers"),
            "holidays": version("holidays"),
        }
    )
