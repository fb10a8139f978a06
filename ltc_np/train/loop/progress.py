"""What a training shows of itself on standard error: a bar, some lines, a line an epoch, or nothing."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ...base import checks
from ...base.types import Logs
from ...base.visible import visible
from .clock import Clock


class Silent:
    """Shows nothing."""

    def line(self, text: str) -> None:
        """A message of its own line."""

    def epoch(self, epoch: int, logs: Logs) -> None:
        """After each epoch, which the clock has counted."""

    def close(self) -> None:
        """After the last epoch."""


class Lines(Silent):
    """A line an epoch."""

    clock: Clock

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def line(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    def epoch(self, epoch: int, logs: Logs) -> None:
        done, of = self.clock.done, self.clock.epochs
        timing = f"{self.clock.elapsed:.1f} s" if done == of else f"ETA {self.clock.left:.0f} s"
        before = self.clock.before
        self.line(f"epoch {before + done}/{before + of}  {describe(logs)}  {timing}")


class Plain(Lines):
    """About ten lines for the whole training, at most one every half second."""

    last: float

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.last = clock.elapsed

    def epoch(self, epoch: int, logs: Logs) -> None:
        done, of, now = self.clock.done, self.clock.epochs, self.clock.elapsed
        if done < of and (now - self.last < 0.5 or done % max(1, of // 10)):
            return
        self.last = now
        super().epoch(epoch, logs)


class Bar(Silent):
    """tqdm's bar; the time that is left is the clock's."""

    clock: Clock
    tqdm: Any
    bar: Any

    def __init__(self, clock: Clock, tqdm: Any) -> None:
        self.clock, self.tqdm = clock, tqdm
        shape = "{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"
        before = clock.before
        self.bar = tqdm(total=before + clock.epochs, initial=before, unit="epoch", dynamic_ncols=True, bar_format=shape)

    def line(self, text: str) -> None:
        self.tqdm.write(text, file=sys.stderr)

    def epoch(self, epoch: int, logs: Logs) -> None:
        self.bar.set_postfix_str(f"ETA {self.clock.left:.0f} s  {describe(logs)}", refresh=False)
        self.bar.update()

    def close(self) -> None:
        self.bar.close()


def describe(logs: Logs) -> str:
    """``loss 0.0123  val_loss 0.0234``."""
    return "  ".join(f"{visible(name)} {value:.4g}" for name, value in logs.items())


def check_verbose(verbose: object) -> int:
    """``verbose`` as 0 (nothing), 1 (a bar or some lines) or 2 (a line an epoch)."""
    if isinstance(verbose, str) and verbose == "auto":
        return 1
    if isinstance(verbose, (bool, np.bool_)):
        return int(verbose)
    rule = '`verbose` must be a bool, 0 (nothing), 1 or "auto" (a bar) or 2 (a line an epoch)'
    if not isinstance(verbose, (int, np.integer)):
        raise TypeError(f"{rule}, got {checks.brief(verbose)}")
    if verbose not in (0, 1, 2):
        raise ValueError(f"{rule}, got {verbose}")
    return int(verbose)


def progress(clock: Clock, verbose: int) -> Silent:
    """The display of a training, for what `check_verbose` gave."""
    if verbose == 0:
        return Silent()
    if verbose == 2:
        return Lines(clock)
    try:
        from tqdm import tqdm
    except ImportError:
        return Plain(clock)
    return Bar(clock, tqdm)
