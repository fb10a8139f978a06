"""Signals as a program at a terminal has them."""

import signal

import pytest


@pytest.fixture(autouse=True)
def ctrl_c():
    """A shell ignores Ctrl-C for what it starts in the background, and the library keeps what a program has chosen."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
