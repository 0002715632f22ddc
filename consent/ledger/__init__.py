"""The append-only log, whatever it carries.

Here: its tables, the leaf, the tree and its tiles (pure), appending and reading. Not here: what
an entry means, and how its payload is sealed (``consent/keys``). Start at ``log.py``.
"""
