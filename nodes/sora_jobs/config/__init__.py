"""What the machine's owner decides: settings, providers, keys, budgets, places."""
