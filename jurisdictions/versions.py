"""Which versions of other people's data a decision rested on."""


def data_versions() -> dict[str, str]:
    """Versions of ``tzdata`` (IANA's name), ``phonenumbers`` and ``holidays``."""
    raise NotImplementedError
