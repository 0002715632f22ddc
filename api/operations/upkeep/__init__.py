"""The ledger itself: opening, looking through, signing and forking it. No caller asks for these."""
