"""What we can prove.

Here: every decision on record with its facts, its explanation in words, permits. Not here: the
making of decisions (``rules``). Start at ``decisions.py``.
"""
