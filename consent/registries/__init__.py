"""Loaded copies of public registers.

Here: their files' formats, our copies of them, and what a copy says of an address. Not here: what
a listing means, or how old a copy may be (``rules``). Start at ``snapshots.py``.
"""
