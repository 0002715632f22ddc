"""One file a rule kind: the terms that a law sets, and how a message is held against them.

A kind never names a country. Its terms come from data, each with its citation and dates.
"""
