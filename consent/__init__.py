"""What people have said: the ledger and what follows from it.

Here: the append-only log, keys, consent events, standing, suppression, senders, registries,
places held in caps. Not here: what any of it means in law (``rules``), and the web (``api``).
Start at ``ledger/log.py`` for how an entry is kept, ``events.py`` for what may be recorded.
"""
