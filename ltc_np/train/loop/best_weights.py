"""The weights with the best value of what is monitored: an option of `fit`, and what keeps them."""

from __future__ import annotations

from ...base import checks
from ...base.from_arguments import Immutable
from ...base.types import Logs, MonitorMode, State
from ...network.best import Best
from ...network.network import Network
from ..callbacks.averages import WeightAverage
from ..monitor import MODES, Monitor


class BestWeights(Immutable):
    """Which epoch of a training counts as the best, and whether `fit` leaves the model with the weights of that epoch.

    ``fit(keep_best="val_accuracy")`` means ``fit(keep_best=BestWeights("val_accuracy"))``; True means
    ``BestWeights()``, and False ``BestWeights(keep=False)``.

    Parameters
    ----------
    monitor : str, optional
        A name in the logs, such as ``"val_accuracy"``.  Default: ``"val_loss"``; without validation data there is none,
        and the model has its last weights.
    mode : "auto", "min" or "max"
        Whether smaller or larger is better; as for `EarlyStopping`.
    keep : bool
        False: the model has its last weights, and the history says which epoch was the best.
    """

    monitor: str | None
    mode: MonitorMode
    keep: bool

    def __init__(self, monitor: str | None = None, *, mode: MonitorMode = "auto", keep: bool = True) -> None:
        self.monitor = None if monitor is None else checks.text("monitor", monitor)
        self.mode, self.keep = checks.one_of("mode", mode, MODES), checks.boolean("keep", keep)


class BestKeeper:
    """Keeps the best weights in ``model.best``, and gives them back in the end.

    Parameters
    ----------
    model : Model
        If training is resumed and its best weights are of this kind of training, they have to be improved upon;
        otherwise they are forgotten.
    monitor : Monitor or None
        None if there is nothing to monitor.
    keep : bool
        False: only note which epoch was the best.
    loss : str
        `ltc_np.losses.identity` of the loss.
    initial_epoch : int
    average : WeightAverage or None
        What the model is left with if there are no best weights.

    Attributes
    ----------
    epoch : int or None
        The best one so far, from 0.
    """

    model: Network
    monitor: Monitor | None
    keep: bool
    loss: str
    average: WeightAverage | None
    epoch: int | None

    def __init__(
        self,
        model: Network,
        monitor: Monitor | None,
        keep: bool,
        loss: str,
        initial_epoch: int,
        average: WeightAverage | None = None,
    ) -> None:
        self.model, self.monitor, self.loss, self.average = model, monitor, loss, average
        self.keep, self.epoch = keep and monitor is not None, None
        best, model.best = model.best, None
        if not keep or best is None or best.epoch >= initial_epoch:
            return
        if monitor is not None and (best.monitor, best.mode, best.loss) == (monitor.name, monitor.mode, loss):
            model.best, self.epoch, monitor.best = best, best.epoch, best.value
        else:
            now = f"{monitor.mode} {monitor.name} with the loss {loss}" if monitor is not None else "nothing"
            checks.warn(
                f"the best weights so far, those of epoch {best.epoch}, are forgotten: they have the {best.mode} "
                f"{best.monitor} with the loss {best.loss}, and what is monitored now is {now}"
            )

    def update(self, epoch: int, logs: Logs) -> None:
        """After an epoch."""
        if self.monitor is None or not self.monitor.improves(logs):
            return
        self.epoch = epoch
        if self.keep:
            best, model = self.monitor, self.model
            buffers = model.buffer_vector.copy() if model.layer_stack.batch_statistics else None
            value: float = best.best  # type: ignore[assignment]  # since it improves
            model.best = Best(value, epoch, self.loss, model.theta.copy(), best.name, best.mode, buffers)

    def state(self) -> State:
        """What a checkpoint needs besides ``model.best``; plain data, for `load_state`."""
        return {"epoch": self.epoch, "monitor": None if self.monitor is None else self.monitor.state()}

    def load_state(self, state: State) -> None:
        """Go on from a `state`; it is left aside if something else is monitored now."""
        told, monitor = state["monitor"], self.monitor
        if monitor is not None and told is not None and (told["monitor"], told["mode"]) == (monitor.name, monitor.mode):
            self.epoch = state["epoch"]
            monitor.load_state(told)

    def restore(self) -> None:
        """Give the model its best weights, or where there are none those that `average` has found."""
        best = self.model.best
        if best is None:
            if self.average is not None:
                self.average.give()
            return
        self.model.theta[:] = best.theta
        if best.buffers is not None:
            self.model.buffer_vector[:] = best.buffers
