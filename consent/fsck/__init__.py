"""Looking the whole ledger through, and building again what follows from it.

``entries.py`` recomputes a log from its leaves up: hashes, tiles, head, checkpoints, payloads.
``people.py`` walks the consent log person by person: chains, payloads, and the standing and
suppression that they add up to. ``ledger.py`` has the parts of a look, which ask nothing of each
other. ``rebuild.py`` writes standing and suppression anew. Memory does not grow with
the ledger: whatever is read is read in order and forgotten.
"""
