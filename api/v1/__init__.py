"""The HTTP contract, version 1: one file a resource, shapes beside their handlers."""
