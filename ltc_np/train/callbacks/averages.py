"""The mean of the weights along a training, by which the model is judged and with which it is left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ...base import checks
from ...base.types import Array, Logs, State
from .base import Callback


class WeightAverage(Callback):
    """Base of `EMA` and `SWA`: a mean over the optimiser's steps, which the optimiser itself does not see.

    A class of its own says by `share` how much the newest weights count, and by `takes_part` which steps count.

    Attributes
    ----------
    count : int
        Steps in the mean.
    theta, buffers : (P,) and (F,) float64 arrays
        The mean.
    epochs : int
        How many the training is to have, counted from epoch 0; set before it begins.

    Notes
    -----
    Averaged are the raw parameters (of what softplus keeps positive: the numbers before softplus; a mean of parameters
    that are clipped at a bound keeps to the bound), and the buffers, so the statistics of `BatchNorm` too.

    While training goes on, the mean is in the model from the end of an epoch's steps to the beginning of the next
    epoch, once a step is in it.  So validation, best weights and all callbacks after an epoch see the mean, and a file
    that `Checkpoint` writes has it.  Without best weights the model is left with the mean of the last step.  Where a
    callback changes the weights after an epoch, as `CollapseGuard` may, training goes on from there, with a new mean.

    Cost: some passes over the parameters for each step, and memory for 16 bytes each.  On a card, the parameters come
    to the host after every step.
    """

    count: int = 0
    theta: Array
    buffers: Array
    epochs: int = 1
    # While the model has the mean: weights and buffers of the training, and those that the model was given.
    _own: tuple[Array, Array] | None
    _given: tuple[Array, Array]

    def on_train_begin(self) -> None:
        self.count, self._own = 0, None
        self.theta, self.buffers = (np.zeros(now.size) for now in self._now())

    def on_batch_end(self, step: int, logs: Logs) -> None:
        if not self.takes_part():
            self.count = 0  # of a training that was finished, and goes on
            return
        self.count += 1
        share = self.share(self.count)
        for mean, now in zip((self.theta, self.buffers), self._now(), strict=True):
            mean += share * (now - mean)

    def takes_part(self) -> bool:
        """Whether the step that was just made counts.  The mean begins anew after one that does not."""
        return True

    def share(self, count: int) -> float:
        """The weight of step number ``count`` of the mean, from 1, in the mean of all steps so far; 1 of the first."""
        raise NotImplementedError(f"{type(self).__name__} must define `share`")

    def give(self) -> None:
        """Give the model the mean, if there is one."""
        if self.count:
            self.model.theta[:], self.model.buffer_vector[:] = self.theta, self.buffers
            self.model.project()

    @contextmanager
    def given(self) -> Iterator[None]:
        """A context in which the model has the mean; after an error it keeps what it has then."""
        self._own = _copies(self._now())
        self.give()
        self._given = _copies(self._now())
        yield
        self.count, own = self._go_on()
        self._own = None
        self.model.theta[:], self.model.buffer_vector[:] = own

    def _go_on(self) -> tuple[int, tuple[Array, Array]]:
        """With how many steps in the mean, and from which weights and buffers, the training goes on."""
        now = self._now()
        if self._own is not None and all(map(np.array_equal, now, self._given)):
            return self.count, _copies(self._own)
        return (self.count if self._own is None else 0), _copies(now)

    def state(self) -> State:
        """The mean, and the weights of the training, which a file may not have otherwise."""
        count, own = self._go_on()
        return {"count": count, "mean": _copies((self.theta, self.buffers)), "own": own}

    def load_state(self, state: State) -> None:
        now = self._now()
        count, mean, own = checks.integer("state['count']", state["count"], 0), tuple(state["mean"]), state["own"]
        for arrays, dtypes in ((mean, [np.dtype(np.float64)] * 2), (own, [array.dtype for array in now])):
            for array, dtype, there in zip(arrays, dtypes, now, strict=True):
                if array.shape != there.shape or array.dtype != dtype or not np.isfinite(array).all():
                    raise ValueError(f"its mean must be of finite {dtype} of shape {there.shape}")
        self.count, self._own, (self.theta, self.buffers) = count, None, _copies(mean)
        self.model.theta[:], self.model.buffer_vector[:] = own

    def _now(self) -> tuple[Array, Array]:
        return self.model.theta, self.model.buffer_vector


class EMA(WeightAverage):
    """An exponential moving average of the weights: the model is judged by it and left with it.

    After step t it is the mean of the weights of all steps so far, that of step s with weight beta**(t - s): from 0,
    mean = beta * mean + (1 - beta) * weights, divided by 1 - beta**t, so that nothing of the initial weights is left.

    Parameters
    ----------
    beta : float in [0, 1)
        About 1 / (1 - beta) steps count.

    Notes
    -----
    What is averaged, and who sees the mean: `WeightAverage`.  Under a learning rate that falls to 0 the last weights
    are nearly their own mean, and little is gained; give it a constant rate.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import EMA, LTCRNN, AutoNCP
    >>> x = np.random.default_rng(0).normal(size=(32, 10, 2))
    >>> model = LTCRNN(AutoNCP(8, 1), 2, seed=0)
    >>> history = model.fit(x, x[:, :, :1], epochs=3, validation=0.2, callbacks=EMA(0.9), seed=0, verbose=False)
    """

    beta: float

    def __init__(self, beta: float = 0.99) -> None:
        self.beta = checks.number("beta", beta, high=1, high_open=True)

    def share(self, count: int) -> float:
        return (1 - self.beta) / (1 - self.beta**count)


class SWA(WeightAverage):
    """Stochastic weight averaging: the equal mean of the weights of all steps in the last epochs.

    Parameters
    ----------
    last : float in (0, 1]
        Share of the epochs, those at the end: as many whole epochs as come nearest, and at least one.  Before, there is
        no mean, and the model is judged by its own weights.

    Notes
    -----
    What is averaged, and who sees the mean: `WeightAverage`.  It needs weights that still move: a constant learning
    rate.  The paper takes the weights once an epoch, and counts the statistics of `BatchNorm` anew in one more pass
    over the data; here every step counts, and the statistics are averaged, so that batches that come from a stream need
    not be read again.

    References
    ----------
    Izmailov et al., "Averaging weights leads to wider optima and better generalization", UAI 2018, arXiv:1803.05407.

    Examples
    --------
    >>> from ltc_np import SWA
    >>> SWA(last=0.5)  # fit(..., callbacks=SWA(last=0.5))
    SWA(last=0.5)
    """

    last: float

    def __init__(self, last: float = 0.25) -> None:
        self.last = checks.number("last", last, high=1, low_open=True)

    def takes_part(self) -> bool:
        epoch: Any = self.optimizer.epoch
        return bool(epoch >= self.epochs - max(1, round(self.last * self.epochs)))

    def share(self, count: int) -> float:
        return 1 / count


def average_of(callbacks: list[Callback]) -> WeightAverage | None:
    """The one among the callbacks that averages weights, None if there is none.

    Raises
    ------
    ValueError
        There are several.
    """
    found = [callback for callback in callbacks if isinstance(callback, WeightAverage)]
    if len(found) > 1:
        raise ValueError(f"`callbacks` must have at most one average of the weights, got {found}")
    return found[0] if found else None


def _copies(arrays: tuple[Array, Array]) -> tuple[Array, Array]:
    return arrays[0].copy(), arrays[1].copy()
