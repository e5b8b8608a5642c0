"""The command line `sora`."""
