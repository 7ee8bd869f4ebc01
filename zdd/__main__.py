"""``python -m zdd``."""

import sys

from zdd.command_line.main import main

if __name__ == "__main__":
    sys.exit(main())
