"""The service broken on purpose: each trial asserts that its fault really happened."""
