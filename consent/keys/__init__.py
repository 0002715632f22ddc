"""Keys: root, organisation and subject keys, their wrapping, and what is derived from them."""
