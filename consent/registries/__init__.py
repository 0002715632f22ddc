"""Loaded copies of public registers. ``formats.py`` reads their files, ``snapshots.py`` keeps copies.

Not here: what a listing means, or how old a copy may be (``rules``).
Start at ``snapshots.py``.
"""
