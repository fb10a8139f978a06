"""What a training has measured."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base.checks import counted
from ..base.notebook import html_table
from ..base.optional import need
from ..base.types import Logs

if TYPE_CHECKING:
    from matplotlib.figure import Figure


SHOWN = 5  # rows at either end of a long table
WIDEST = 4  # pictures side by side
# Of `advice`: epochs from which it speaks, and the share of them that is the start; what is a rise of the validation
# loss; of a loss far below another; and how much of what was learnt is lost.
OFTEN, RISEN, APART, HALF = 20, 0.1, 2.0, 0.5


class History(dict[str, list[float]]):
    """What `fit` measured: name -> list with one value an epoch (``val_*``: an epoch of validation).

    Attributes
    ----------
    epoch : list of int
        Epochs done, from 0.
    val_epoch : list of int
        Epochs after which validation ran.
    best_epoch : int or None
        Epoch with the best value of what is monitored, whose weights the model has if ``keep_best``.
    stopped : str
        Why training ended.
    steps : str
        How steps were made: ``"bound"``, many in one call, in arrays that were made ready once, which is quick where
        networks are small; ``"bound, one a call: ..."``, or ``"one by one: ..."``, with the reason.
    seconds : float
    """

    epoch: list[int]
    val_epoch: list[int]
    best_epoch: int | None
    stopped: str
    steps: str
    seconds: float

    def __init__(self) -> None:
        super().__init__()
        self.epoch, self.val_epoch = [], []
        self.best_epoch, self.stopped, self.steps, self.seconds = None, "", "", 0.0

    def add(self, epoch: int, logs: Logs) -> None:
        """Append the logs of one epoch."""
        self.epoch.append(epoch)
        if "val_loss" in logs:
            self.val_epoch.append(epoch)
        for name, value in logs.items():
            self.setdefault(name, []).append(value)

    def state(self) -> dict[str, Any]:
        """As plain data and arrays, for a file."""
        return {
            "epoch": np.array(self.epoch, np.int64),
            "val_epoch": np.array(self.val_epoch, np.int64),
            "columns": {name: np.array(values, np.float64) for name, values in self.items()},
            "best_epoch": self.best_epoch,
            "stopped": self.stopped,
            "steps": self.steps,
            "seconds": self.seconds,
        }

    @classmethod
    def restored(cls, state: Mapping[str, Any]) -> History:
        """Inverse of `state`."""
        history = cls()
        history.epoch, history.val_epoch = state["epoch"].tolist(), state["val_epoch"].tolist()
        history.update({name: values.tolist() for name, values in state["columns"].items()})
        history.best_epoch, history.stopped, history.seconds = (
            state[name] for name in ("best_epoch", "stopped", "seconds")
        )
        history.steps = state.get("steps", "")  # checkpoints of before have none
        return history

    @property
    def history(self) -> dict[str, list[float]]:
        """The same lists in a plain dict, as Keras has it."""
        return dict(self)

    def table(self) -> dict[str, list[float]]:
        """Columns of equal length, NaN where nothing was measured: ``pandas.DataFrame(history.table())``.

        Returns
        -------
        dict of str to list
            ``"epoch"`` and all that was measured, a value for each epoch.
        """
        columns: dict[str, list[float]] = {"epoch": list(self.epoch)}
        for name in self:
            values: dict[int, float] = dict(zip(self._epochs(name), self[name], strict=True))
            columns[name] = [values.get(epoch, math.nan) for epoch in self.epoch]
        return columns

    def _epochs(self, name: str) -> list[int]:
        """When a quantity was measured."""
        return self.val_epoch if name.startswith("val_") else self.epoch

    def plot(self) -> Figure:
        """Draw everything over the epochs: the loss and each metric, four in a row, with those of the validation data.

        Needs matplotlib (``pip install "ltc-np[plot]"``).

        Returns
        -------
        matplotlib.figure.Figure
            Show it with ``matplotlib.pyplot.show()``, or save it with its ``savefig(path)``.  A dot marks `best_epoch`.
            Each picture is one of `ltc_np.plot.learning_curves`.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        ValueError
            Nothing was measured.
        """
        from .. import plot  # slow to import, and only pictures need it

        pyplot = need("matplotlib.pyplot", "plot", "`History.plot`")
        names = [name for name in self if not name.startswith("val_")]
        if not names:
            raise ValueError("`plot` needs at least one epoch, got a history without any")
        with plot.style():
            columns = min(len(names), WIDEST)
            rows = -(-len(names) // columns)
            figure, axes = pyplot.subplots(
                rows, columns, figsize=(3.15 * columns, 2.05 * rows), squeeze=False, layout="constrained"
            )
        for ax in axes.flat[len(names) :]:
            ax.remove()
        for name, ax in zip(names, axes.flat, strict=False):
            plot.learning_curves(self, name, ax=ax)
        return figure

    def advice(self) -> list[str]:
        """What the curves of the loss say that should be known: sentences with numbers and a remedy; none is usual.

        It overfits from the start, where the validation loss is least in the first twentieth of at least 20 epochs; or
        has learnt by heart, where the best one is more than twice the training's; or the training loss has risen again
        by half of what it had fallen.
        """
        loss, validation, found = self.get("loss", []), self.get("val_loss", []), []
        epochs, ran = len(self.epoch), dict(zip(self.val_epoch, validation, strict=True))
        if len(validation) == epochs >= OFTEN:
            best = min(ran, key=ran.__getitem__)
            at, last, learnt = self.epoch.index(best), validation[-1], loss[self.epoch.index(best)]
            if at < epochs / OFTEN and last - ran[best] > RISEN * abs(ran[best]):
                found.append(
                    f"it overfits from the start: the validation loss is least, {ran[best]:.3g}, after epoch {at + 1} "
                    f"of {epochs}, and {last:.3g} at the end: fewer units, early stopping or more data"
                )
            elif ran[best] > APART * learnt > 0:
                found.append(
                    f"the validation loss is {ran[best]:.3g} at best where that of the training is {learnt:.3g}: more "
                    "data, fewer units or dropout bring them together"
                )
        least = min(loss, default=math.nan)
        if epochs >= OFTEN and loss[-1] - least > HALF * (loss[0] - least):
            found.append(
                f"the training loss has risen from {least:.3g} in epoch {loss.index(least) + 1} to {loss[-1]:.3g}: a "
                "smaller learning rate keeps what was learnt"
            )
        return found

    def _repr_html_(self) -> str:
        """The table, as notebooks show it; of many epochs the first and the last ones."""
        columns = self.table()
        rows = [[f"{v:.4g}" if isinstance(v, float) else v for v in row] for row in zip(*columns.values(), strict=True)]
        if len(rows) > 2 * SHOWN:
            rows = [*rows[:SHOWN], ["..."] * len(columns), *rows[-SHOWN:]]
        told = "; ".join([f"{counted(len(self.epoch), 'epoch')}, {self.seconds:.1f} s, {self.stopped}", *self.advice()])
        return html_table(list(columns), rows, told)

    def __repr__(self) -> str:
        last = "  ".join(f"{name} {values[-1]:.4g}" for name, values in self.items())
        return f"<History: {counted(len(self.epoch), 'epoch')}, {self.seconds:.1f} s, {self.stopped}; last {last}>"
