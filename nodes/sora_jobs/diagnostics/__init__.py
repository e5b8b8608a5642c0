"""What is wrong on this machine, and what a provider really does."""
