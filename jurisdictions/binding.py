"""Whose law binds: from a country and its regions to jurisdictions, unions included."""


def jurisdictions_of(
    country: str | None, regions: tuple[str, ...], *, with_sheet: frozenset[str]
) -> tuple[str, ...]:
    """Every jurisdiction whose law binds there, widest first.

    ``with_sheet``: the countries that have regulations of their own; a member state of the
    EEA without them is bound by ``EU-BASE`` as well.
    """
    raise NotImplementedError
