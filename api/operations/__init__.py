"""One file for each thing the service does: works for the writer's turn, and reads.

The only place where packages meet. Nothing here knows HTTP, and nothing here commits.
"""
