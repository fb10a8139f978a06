"""``python -m ltc_np COMMAND``."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
