"""What may happen between epochs of `fit`."""

import contextlib
import inspect
import os

import numpy as np

from ..base import checks
from ..base.described import Described
from ..io import check_folder, save


class Callback(Described):
    """Base: override what you need.

    Before training, ``self.model``, ``self.optimizer`` and ``self.measured``, the names that logs will hold, are set.

    A plain function ``f(epoch, logs)`` serves as a callback too: it is called as `on_epoch_end`.
    """

    model = optimizer = None
    measured = ()

    def on_train_begin(self):
        """Before the first batch."""

    def on_batch_end(self, step, logs):
        """After the optimiser step of a batch, or of a chunk with ``tbptt``; logs: ``loss``.

        ``step`` counts all of them from 0 through the whole training, also those without a step because nothing in
        them weighs anything; with ``tbptt`` every batch counts for as many as its padded length has.
        """

    def on_epoch_end(self, epoch, logs):
        """After epoch ``epoch`` (from 0); logs: ``loss``, metrics, ``val_*``.  Return True to stop training."""

    def on_train_end(self):
        """After the last epoch, also when training stopped early, by an error too; not if the callback's own
        `on_train_begin` raised."""


class FunctionCallback(Callback):
    """``function(epoch, logs)`` as a callback."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, epoch, logs):
        return self.function(epoch, logs)


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not improved for ``patience`` epochs in which it was measured.

    Parameters
    ----------
    patience : int >= 1
    monitor : str
        A name in the logs, such as ``"val_loss"``.
    min_delta : float >= 0
        An improvement by no more than this does not count.
    mode : "auto", "min" or "max"
        Whether smaller or larger is better; "auto" is larger for accuracy, f1 and r2, smaller for all else.
    """

    def __init__(self, patience, monitor="val_loss", min_delta=0.0, mode="auto"):
        self.patience = checks.integer("patience", patience)
        self.monitor, self.min_delta = monitor, checks.number("min_delta", min_delta)
        self.mode = checks.one_of("mode", mode, ("auto", "min", "max"))
        if mode == "auto":
            self.mode = self.defaults()["mode"]

    def defaults(self):
        larger = str(self.monitor).removeprefix("val_") in ("accuracy", "f1", "r2")
        return super().defaults() | {"mode": "max" if larger else "min"}

    def on_train_begin(self):
        if self.monitor not in self.measured:
            hint = "" if "val_loss" in self.measured else " (val_* need `validation_data`)"
            raise ValueError(f"`monitor` must be one of {', '.join(self.measured)}, got {self.monitor!r}{hint}")
        self.best, self.waited = np.inf, 0

    def on_epoch_end(self, epoch, logs):
        if self.monitor not in logs:
            return False  # not an epoch of validation
        value = -logs[self.monitor] if self.mode == "max" else logs[self.monitor]
        if value < self.best - self.min_delta:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience


class Checkpoint(Callback):
    """Save the model and the optimiser's state every so many epochs, to resume with the same bits.

    Parameters
    ----------
    path : str or Path
        Overwritten atomically; ``{epoch}`` in it is replaced by the number of epochs done.
    every : int >= 1
    """

    def __init__(self, path, every=1):
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"`path` must be a str or Path, got {path!r}")
        self.path, self.every = path, checks.integer("every", every)
        if "{" in str(path).replace("{epoch}", ""):
            raise ValueError(f"`path` must have no braces but {{epoch}}, got {path}")

    def on_train_begin(self):
        check_folder(str(self.path))

    def on_epoch_end(self, epoch, logs):
        if (epoch + 1) % self.every == 0:
            save(str(self.path).replace("{epoch}", str(epoch + 1)), self.model, self.optimizer)


def as_callback(value):
    """A `Callback` from a callback or a function ``f(epoch, logs)``."""
    if isinstance(value, Callback):
        return value
    if callable(value) and not isinstance(value, type):
        with contextlib.suppress(ValueError):  # of a builtin that does not tell its arguments
            try:
                inspect.signature(value).bind(0, {})
            except TypeError as error:
                raise TypeError(f"`callbacks` must be functions (epoch, logs), got {value!r}: {error}") from None
        return FunctionCallback(value)
    raise TypeError(f"`callbacks` must be Callback objects or functions (epoch, logs), got {value!r}")
