"""Which versions of other people's data a decision rested on."""

from functools import cache
from types import MappingProxyType
from typing import Mapping

import holidays
import phonenumbers
import tzdata


@cache
def data_versions() -> Mapping[str, str]:
    """Versions of ``tzdata`` (IANA's name, such as 2026f), ``phonenumbers`` and ``holidays``.

    A replay of an old decision compares them: another version may answer differently.
    """
    return MappingProxyType(
        {
            "tzdata": tzdata.IANA_VERSION,
            "phonenumbers": phonenumbers.__version__,
            "holidays": holidays.__version__,
        }
    )
