"""Ctrl-C during training."""

import contextlib
import os
import signal
import threading

MESSAGE = b"\nltc_np: training ends after this batch; Ctrl-C once more to raise KeyboardInterrupt now\n"


class Interrupt:
    """A context in which the first Ctrl-C (SIGINT) only sets ``asked``; the next one is Python's own again.

    In the main thread only, the only one that signals reach; and a program that has a handler of its own keeps it.
    """

    def __init__(self):
        self.asked, self.before = False, None

    def __enter__(self):
        if threading.current_thread() is threading.main_thread():
            now = signal.getsignal(signal.SIGINT)
            if now is signal.default_int_handler:
                self.before = now
                signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number, frame):
        self.asked = True
        signal.signal(signal.SIGINT, self.before)
        with contextlib.suppress(OSError):  # there may be no terminal
            os.write(2, MESSAGE)  # `print` may be in the middle of another line

    def __exit__(self, *error):
        if self.before is not None and signal.getsignal(signal.SIGINT) == self._note:
            signal.signal(signal.SIGINT, self.before)
