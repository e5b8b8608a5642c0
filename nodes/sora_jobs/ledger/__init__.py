"""Money and memory: the only SQL."""
