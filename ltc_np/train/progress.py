"""A progress bar over epochs: tqdm where it is installed, plain lines otherwise, nothing on request."""

import sys
import time


class Silent:
    """Shows nothing."""

    def line(self, text):
        """A message of its own line."""

    def epoch(self, epoch, logs):
        """After each epoch."""

    def close(self):
        """After the last epoch."""


class Plain(Silent):
    """About ten lines for the whole training, at most one every half second."""

    def __init__(self, epochs):
        self.epochs, self.done = epochs, 0
        self.start = self.last = time.monotonic()

    def line(self, text):
        print(text, file=sys.stderr, flush=True)

    def epoch(self, epoch, logs):
        self.done += 1
        now = time.monotonic()
        last = self.done == self.epochs
        if not last and (now - self.last < 0.5 or self.done % max(1, self.epochs // 10)):
            return
        self.last = now
        left = (now - self.start) / self.done * (self.epochs - self.done)
        timing = f"{now - self.start:.1f} s" if last else f"ETA {left:.0f} s"
        self.line(f"epoch {self.done}/{self.epochs}  {describe(logs)}  {timing}")


class Bar(Silent):
    """tqdm's bar."""

    def __init__(self, epochs, tqdm):
        self.tqdm = tqdm
        self.bar = tqdm(total=epochs, unit="epoch", dynamic_ncols=True)

    def line(self, text):
        self.tqdm.write(text, file=sys.stderr)

    def epoch(self, epoch, logs):
        self.bar.set_postfix_str(describe(logs), refresh=False)
        self.bar.update()

    def close(self):
        self.bar.close()


def describe(logs):
    """``loss 0.0123  val_loss 0.0234``."""
    return "  ".join(f"{name} {value:.4g}" for name, value in logs.items())


def progress(epochs, verbose):
    """The progress display for ``epochs`` epochs; ``verbose=False`` shows nothing."""
    if not verbose:
        return Silent()
    try:
        from tqdm import tqdm
    except ImportError:
        return Plain(epochs)
    return Bar(epochs, tqdm)
