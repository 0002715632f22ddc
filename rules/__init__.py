"""What is allowed: pure functions on facts.

Here: the vocabulary of the law, typed history, facts, the rule kinds, the reference engine and
the compiled plan. Not here: any I/O, clock, database, country or third-party library.
Start at ``engine.py``, which reads like the law; then ``kinds/``, one file a kind.
"""
