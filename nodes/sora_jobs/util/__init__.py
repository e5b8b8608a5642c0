"""Tools that know nothing of jobs: atomic files, addresses, bounded reading, threads, redaction."""
