"""What consent records would be worth; nothing is recorded."""
