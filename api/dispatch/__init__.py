"""Carrying what stands in the outbox to where it is wanted: who attempts what, and when.

What a delivery is and what becomes of it is in ``consent/propagation``; here it is driven.
"""
