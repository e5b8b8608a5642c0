"""What is asked for, what the ledger knows of it, and what names it for ever: plain data."""
