"""`python -m nodes.sora` in the pack's folder is the command `sora`."""

import sys

from .cli import main

sys.exit(main())
