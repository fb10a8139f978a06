"""What may happen between epochs of `fit`."""

import numpy as np

from . import checks
from .io import check_folder, save


class Callback:
    """Base: override what you need.

    Before training, ``self.model``, ``self.optimizer`` and ``self.measured``, the names that logs will hold, are set.

    A plain function ``f(epoch, logs)`` serves as a callback too: it is called as `on_epoch_end`.
    """

    model = optimizer = None
    measured = ()

    def on_train_begin(self):
        """Before the first batch."""

    def on_batch_end(self, step, logs):
        """After batch ``step`` (counted from 0 through the whole training); logs: ``loss``."""

    def on_epoch_end(self, epoch, logs):
        """After epoch ``epoch`` (from 0); logs: ``loss``, metrics, ``val_*``.  Return True to stop training."""

    def on_train_end(self):
        """After the last epoch, also when training stopped early."""


class FunctionCallback(Callback):
    """``function(epoch, logs)`` as a callback."""

    def __init__(self, function):
        self.function = function

    def on_epoch_end(self, epoch, logs):
        return self.function(epoch, logs)


class EarlyStopping(Callback):
    """Stop when ``monitor`` has not become smaller for ``patience`` epochs in which it was measured.

    Parameters
    ----------
    patience : int >= 1
    monitor : str
        A name in the logs, such as ``"val_loss"``.
    min_delta : float >= 0
        A decrease by no more than this does not count.
    """

    def __init__(self, patience, monitor="val_loss", min_delta=0.0):
        self.patience = checks.positive_int("patience", patience)
        self.monitor, self.min_delta = monitor, checks.number("min_delta", min_delta)

    def on_train_begin(self):
        if self.monitor not in self.measured:
            raise ValueError(f"`monitor` must be one of {', '.join(self.measured)}, got {self.monitor!r}")
        self.best, self.waited = np.inf, 0

    def on_epoch_end(self, epoch, logs):
        if self.monitor not in logs:
            return False  # not an epoch of validation
        if logs[self.monitor] < self.best - self.min_delta:
            self.best, self.waited = logs[self.monitor], 0
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
        self.path, self.every = path, checks.positive_int("every", every)

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
        return FunctionCallback(value)
    raise TypeError(f"`callbacks` must be Callback objects or functions (epoch, logs), got {value!r}")
