"""The append-only log, whatever it carries. ``tree.py`` and ``tiles.py`` are pure; ``log.py`` appends."""
