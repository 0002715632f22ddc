"""Recorded decisions made again: one that a caller names, or all of a stretch of time.

Nothing is recorded by it, and nothing is decided here: that is ``audit/replay.py``.
"""
