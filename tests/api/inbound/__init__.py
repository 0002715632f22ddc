"""What providers call: signed as they sign, and every way of being wrong."""
