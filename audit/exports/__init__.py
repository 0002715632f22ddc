"""Bundles that leave the house: what an auditor takes along and verifies alone."""
