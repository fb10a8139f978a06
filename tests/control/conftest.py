"""Signals as a program at a terminal has them, and a stand-in for Gymnasium where that is missing."""

import signal
import sys

import pytest
from support import toys


@pytest.fixture(autouse=True)
def ctrl_c():
    """A shell ignores Ctrl-C for what it starts in the background, and the library keeps what a program has chosen."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(autouse=True)
def environments_of_gymnasium(monkeypatch):
    if toys.STANDS_IN:
        monkeypatch.setitem(sys.modules, "gymnasium", toys.gymnasium)
