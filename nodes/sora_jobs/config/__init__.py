"""What the machine's owner decides (settings, providers, keys, budgets, folders), and the engine's waits (timing)."""
