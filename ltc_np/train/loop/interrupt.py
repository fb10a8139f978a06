"""Signals during training: Ctrl-C, and the one by which clusters end a process."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from typing_extensions import Self

    Handler: TypeAlias = Callable[[int, FrameType | None], Any] | int | None

BY_SIGINT, BY_SIGTERM = "interrupted", "terminated"  # what a signal does to a training
BY_SIGNAL = BY_SIGINT, BY_SIGTERM
BATCH = "training ends after this batch"
AGAIN = {
    signal.SIGINT: "Ctrl-C once more to raise KeyboardInterrupt now",
    signal.SIGTERM: "SIGTERM once more ends the process now",
}


def message(number: signal.Signals, ends: str = BATCH) -> bytes:
    """What the first signal says."""
    return f"\nltc_np: {ends}; {AGAIN[number]}\n".encode()


class StopRequest(Protocol):
    """What says in ``stop_reason`` whether training has to end: an `Interrupt`, or all ranks together."""

    stop_reason: str


class Interrupt:
    """A context in which the first signal only sets ``stop_reason``; a second one has the usual effect.

    This works in the main thread only, since Python handles signals there.  A program that has a handler of its own
    keeps it.

    Parameters
    ----------
    terminates : bool
        Whether it also holds for SIGTERM, and not only for Ctrl-C (SIGINT).
    ends : str
        What ends when, for the line that the first signal writes.

    Attributes
    ----------
    stop_reason : "", "interrupted" or "terminated"
        What the last signal has done to the training; "" if there was none.
    """

    stop_reason: str
    before: dict[int, Handler]
    terminates: bool
    ends: str

    def __init__(self, terminates: bool = False, ends: str = BATCH) -> None:
        self.stop_reason, self.before, self.terminates, self.ends = "", {}, terminates, ends

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._take(signal.SIGINT, signal.default_int_handler)
            if self.terminates:
                self._take(signal.SIGTERM, signal.SIG_DFL)
        return self

    def _take(self, number: signal.Signals, usual: Handler) -> None:
        """Take over a signal, if the program has left its handler as Python has it."""
        if signal.getsignal(number) is usual:
            self.before[number] = usual
            signal.signal(number, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.stop_reason = BY_SIGTERM if number == signal.SIGTERM else BY_SIGINT
        signal.signal(number, self.before[number])
        with contextlib.suppress(OSError):  # there may be no terminal
            os.write(2, message(signal.Signals(number), self.ends))  # `print` may be in the middle of a line

    def __exit__(self, *error: object) -> None:
        for number, usual in self.before.items():
            if signal.getsignal(number) == self._note:
                signal.signal(number, usual)
