"""Looking the whole ledger through, and building again what follows from it.

``entries.py`` recomputes a log from its leaves up: hashes, tiles, head, checkpoints, payloads.
``people.py`` walks the consent log person by person: chains, payloads, and the standing and
suppression that they add up to. ``rebuild.py`` writes those two anew. Memory does not grow with
the ledger: whatever is read is read in order and forgotten.
"""
