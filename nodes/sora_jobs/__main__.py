"""`python -m nodes.sora_jobs` in the pack's folder is the command `sora`."""

import sys

sys.dont_write_bytecode = True  # nothing is written into the pack (but what Python wrote before it came here)

from .cli.main import main  # noqa: E402 - that first

sys.exit(main())
