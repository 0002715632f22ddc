"""What the plan makes of rules before it meets people: bound, in force, folded, and compared.

Each check here says the same as the kind it is made from, in less time, and hands what is rare
back to that kind. The reference is ``rules/engine.py``; a property test holds the two equal.
"""
