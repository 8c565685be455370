"""`python -m korad` is the command `korad`."""

from __future__ import annotations

import sys

from korad.cli import main

if __name__ == "__main__":
    sys.exit(main())
