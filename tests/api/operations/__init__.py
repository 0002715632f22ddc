"""Operations, each on both databases."""
