"""The command line: the same operations, for operators."""
