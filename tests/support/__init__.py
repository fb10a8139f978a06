"""What tests share: where things lie, oracles, the reader of golden files, the emulated card."""

import pathlib

TESTS = pathlib.Path(__file__).parents[1]
ROOT = TESTS.parent
GOLDEN = TESTS / "golden"
