"""Draw every figure of docs/maths.

    python docs/scripts/figures            # half a minute; writes docs/images/maths/

Each script of this folder draws one of them by itself.
"""

import importlib
import pathlib

from book import main

NAMES = sorted(
    file.stem for file in pathlib.Path(__file__).parent.glob("*.py") if file.stem not in ("__main__", "book")
)

if __name__ == "__main__":
    main({name: importlib.import_module(name).draw for name in NAMES}, "Draw every figure of docs/maths.")
