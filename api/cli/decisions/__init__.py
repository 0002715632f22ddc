"""Commands about what was decided: making it again, and letting it go."""
