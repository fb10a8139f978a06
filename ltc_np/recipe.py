"""A recipe: which network is made for given data, and how it is trained.

Estimators and the command line make their networks here, so a default that is good for one is the default of the other.
examples/defaults.py compares recipes; docs/training.md says what to change first.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, cast

from .base import checks
from .cells import GRU, LSTM, LTC, CfC
from .layers import Bidirectional, Dense, Dropout, MixedMemory, Pooling, Residual, Standardize
from .layers.pooling import KINDS
from .model import Model
from .optim import AdamW, CosineDecay
from .wirings import AutoNCP, FullyConnected

if TYPE_CHECKING:
    from .base.types import Backend, DType, PoolingKind, ReadoutKind, Seed
    from .cells.base import Layer
    from .train.history import History

CELLS = ("ltc", "cfc", "lstm", "gru")
WIRINGS = ("full", "ncp")
READOUTS = ("auto", "last+mean", *KINDS)  # how one answer comes of all steps
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True)
class Recipe:
    """Hyperparameters of a network with one recurrent cell, and of its training; they cannot be changed.

    Parameters
    ----------
    cell : "ltc", "cfc", "lstm" or "gru"
    units : int >= 1
        Neurons of the cell.
    wiring : "full" or "ncp"
        Of an LTC: all synapses, or those of `AutoNCP` with half as many synapses and one motor neuron in four.
    ode_unfolds : int >= 1
        Of an LTC: how often the solver evaluates the synapses in a step.
    time_constants : "auto", (low, high) or None
        Of an LTC: the range of its neurons' time constants at the beginning, in units of dt; "auto" is from one step
        to the length of the sequences; None: the initial values of ncps, whose memory is short.
    mixed_memory : bool
        Put an LSTM beside the cell.
    bidirectional : bool
        Where a whole sequence gets one answer: read it in both directions.  Has no effect where every step gets one.
    readout : "auto", "last", "mean", "max" or "last+mean"
        Where a whole sequence gets one answer: what of the cell's outputs over time is read.  "auto" is the last one of
        an LTC with ``time_constants``, which remembers that long; where a cell may forget or reads in both directions,
        it is the mean for classes, and for numbers, which may be a forecast, the sum of both.
    dropout : float in [0, 1)
        Share of the cell's outputs that are dropped in training.
    standardize : bool
        Bring inputs, and targets that are numbers, to mean 0 and spread 1; the network keeps their scale.
    learning_rate : float > 0
    schedule : "constant" or "cosine"
        "cosine": it falls to 0 along half a cosine until the last epoch.
    weight_decay : float >= 0
        Of `AdamW`.
    clip_norm : float > 0 or None
        Largest norm of a gradient.
    epochs, batch_size : int >= 1
    """

    cell: str = "ltc"
    units: int = 32
    wiring: str = "full"
    ode_unfolds: int = 3
    time_constants: tuple[float, float] | str | None = "auto"
    mixed_memory: bool = False
    bidirectional: bool = False
    readout: ReadoutKind = "auto"
    dropout: float = 0.0
    standardize: bool = True
    learning_rate: float = 0.01
    schedule: str = "cosine"
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    epochs: int = 100
    batch_size: int = 16

    def __post_init__(self) -> None:
        for name, known in (("cell", CELLS), ("wiring", WIRINGS), ("readout", READOUTS), ("schedule", SCHEDULES)):
            checks.one_of(name, getattr(self, name), known)
        for name in ("units", "ode_unfolds", "epochs", "batch_size"):
            checks.integer(name, getattr(self, name))
        for name in ("mixed_memory", "bidirectional", "standardize"):
            checks.boolean(name, getattr(self, name))
        checks.number("dropout", self.dropout, high=1, high_open=True)
        checks.number("learning_rate", self.learning_rate, low_open=True)
        checks.number("weight_decay", self.weight_decay)
        if self.clip_norm is not None:
            checks.number("clip_norm", self.clip_norm, low_open=True)

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the hyperparameters."""
        return tuple(f.name for f in fields(cls))

    def model(
        self,
        inputs: int,
        outputs: int,
        *,
        steps: float,
        every_step: bool,
        numbers: bool,
        duration: float | None = None,
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
    ) -> Model:
        """The untrained network.

        Parameters
        ----------
        inputs, outputs : int
            Features per step, and numbers per answer.
        steps : float
            The usual length of a sequence.
        every_step : bool
            An answer at every step, or else one for the whole sequence.
        numbers : bool
            Answers are numbers in the units of the targets; otherwise logits.
        duration : float, optional
            The usual elapsed time of a whole sequence; default: dt is 1, so ``steps``.
        seed, dtype, backend
            As for `Model`.
        """
        duration = float(steps) if duration is None else duration
        cell = self._cell(duration / steps, duration)
        if self.mixed_memory:
            cell = MixedMemory(cell)
        if self.bidirectional and not every_step:
            cell = Bidirectional(cell)
        layers: list[Layer] = [Standardize()] if self.standardize else []
        layers += [cell]
        if not every_step:
            layers += self._pooled(numbers)
        if self.dropout:
            layers += [Dropout(self.dropout)]
        layers += [Dense(outputs)]
        if self.standardize and numbers:
            layers += [Standardize(inverse=True)]
        return Model(*layers, input_dim=inputs, seed=seed, dtype=dtype, backend=backend, return_sequences=every_step)

    def fit(self, model: Model, x: Any, y: Any, *, sequences: int, **more: Any) -> History:
        """Train ``model`` on ``sequences`` sequences; ``more`` goes to `fit` of the model."""
        batches = -(-sequences // self.batch_size)
        rate = self.learning_rate
        optimizer = AdamW(
            CosineDecay(rate, self.epochs * batches) if self.schedule == "cosine" else rate,
            weight_decay=self.weight_decay,
        )
        settings: dict[str, Any] = {
            "epochs": self.epochs,
            "batch_size": self.batch_size,
            "optimizer": optimizer,
            "clip_norm": self.clip_norm,
            "standardize": self.standardize,
        }
        return model.fit(x, y, **(settings | more))

    def _pooled(self, numbers: bool) -> list[Layer]:
        """The layers that make one answer of all steps."""
        remembers = self.cell == "ltc" and self.time_constants is not None and not self.bidirectional
        of_others: ReadoutKind = "last+mean" if numbers else "mean"
        kind = ("last" if remembers else of_others) if self.readout == "auto" else self.readout
        if kind == "last+mean":
            return [Residual(Pooling("mean"))]
        return [] if kind == "last" else [Pooling(cast("PoolingKind", kind))]

    def _cell(self, step: float, duration: float) -> Layer:
        if self.cell == "ltc":
            span = (step, max(step, duration)) if self.time_constants == "auto" else self.time_constants
            init = None if span is None else {"time_constants": span}
            return LTC(self._wiring(), ode_unfolds=self.ode_unfolds, init=init)
        return {"cfc": CfC, "lstm": LSTM, "gru": GRU}[self.cell](self.units)

    def _wiring(self) -> Any:
        if self.wiring == "ncp":
            return AutoNCP(self.units, max(1, self.units // 4))
        return FullyConnected(self.units)
