"""The ledger itself: opening, looking through, signing and forking it, letting its oldest go."""
