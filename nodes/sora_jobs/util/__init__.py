"""Tools without any knowledge of jobs: files, addresses, limits, threads, what is kept out of logs."""
