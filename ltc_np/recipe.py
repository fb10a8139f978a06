"""A recipe: which network is made for given data, and how it is trained.

Estimators and the command line make their networks here, so a default that is good for one is the default of the other.
examples/defaults.py compares recipes; docs/training.md says what to change first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np

from . import ensemble
from .base import checks
from .base.calls import SignatureHints
from .base.elsewhere import Elsewhere
from .base.types import Backend, DType, PoolingKind, Rate, ReadoutKind, Seed, ShortcutKind
from .cells import GRU, LSTM, LTC, CfC
from .cells.base import Layer
from .layers import Bidirectional, Conv1D, Dense, Dropout, MixedMemory, MixtureDensity, Pooling, Residual, Standardize
from .layers.pooling import KINDS
from .model import Model
from .optim import AdamW, CosineDecay
from .train.callbacks import CollapseGuard, as_callbacks
from .train.data.augment import Augment
from .train.data.batching import Batching
from .train.history import History
from .train.loop.divergence import Diverged
from .train.loop.interrupt import BY_SIGINT
from .wirings import AutoNCP, FullyConnected, Wiring

CELLS = ("ltc", "cfc", "lstm", "gru", "gru_decay")
# Of so many neurons.
WIRINGS: dict[str, Callable[[int], Wiring]] = {
    "full": FullyConnected,
    "ncp": lambda units: AutoNCP(units, max(1, units // 4)),
}
SHORTCUTS = ("auto", "ridge", "convolutions")  # and None
READOUTS = ("auto", "last+mean", *KINDS)  # how one answer comes of all steps
KERNEL, STRIDE = 7, 2  # of each convolution in front of a cell
# From a rate at the beginning, over so many steps.
SCHEDULES: dict[str, Callable[[float, int], Rate]] = {"constant": lambda rate, steps: rate, "cosine": CosineDecay}
TRAINING = ("learning_rate", "schedule", "weight_decay", "clip_norm", "epochs", "batch_size")
FEWEST, STEPS = 100, 1000  # of `epochs="auto"`: epochs, steps of the optimiser
TRIES, SLOWER = 3, 0.3  # of a training that overflows, each with so much of the learning rate


def enough_epochs(sequences: int, batch_size: int, steps: int = STEPS, fewest: int = FEWEST) -> int:
    """The epochs in which the optimiser makes ``steps`` steps, one for each batch; at least ``fewest``."""
    batches = -(-sequences // batch_size)
    return max(fewest, -(-steps // batches))


def auto(name: str, value: object) -> bool:
    """Whether ``value`` is "auto"; another text is refused."""
    if isinstance(value, str) and value != "auto":
        raise ValueError(f'`{name}` must be a number or "auto", got {value!r}')
    return isinstance(value, str)


@dataclass(frozen=True)
class Recipe(Elsewhere, SignatureHints):
    """Hyperparameters of a network with one recurrent cell, and of its training; they cannot be changed.

    Parameters
    ----------
    cell : "ltc", "cfc", "lstm", "gru" or "gru_decay"
        The last is a GRU whose state fades over elapsed time, by rates that begin from one in a step to one in a whole
        sequence.
    units : int >= 1
        Neurons of the cell.
    wiring : "full" or "ncp"
        Of an LTC: all synapses, or those of `AutoNCP` with half as many synapses and one motor neuron in four.
    ode_unfolds : int >= 1
        Of an LTC: how often the solver evaluates the synapses in a step.
    time_constants : "auto", (low, high) or None
        Of an LTC: the range of its neurons' time constants at the beginning, in units of dt; "auto" is from one step
        to the length of the sequences; None: the initial values of ncps, whose memory is short.
    backbone_units : int >= 0
        Of a CfC: width of the dense layer that its heads read; 0: there is none, and they read input and state.
    conv_layers : int >= 0
        So many `Conv1D` in front of the cell, for raw signals: each has as many channels as the cell has units, reads 7
        steps, and halves their number, so that 3 of them leave an eighth.  With an answer at every step they keep all
        steps, and read every second or fourth one instead.  Then ``shortcut="auto"`` means None.
    mixed_memory : bool
        Put an LSTM beside the cell.
    bidirectional : bool
        Read each sequence in both directions.  Then an answer depends on later steps too: it is no forecast, and
        `Model.step` refuses the network.
    readout : "auto", "last", "mean", "max" or "last+mean"
        Where a whole sequence gets one answer: what of the cell's outputs over time is read.  "auto" is the last one of
        an LTC with ``time_constants``, which remembers that long; where a cell may forget or reads in both directions,
        it is the mean for classes, and for numbers, which may be a forecast, the sum of both; with ``conv_layers`` it
        is the maximum, which finds what happens at any place of a signal.
    readout_units : int >= 0
        Neurons (silu) of a hidden layer between the cell and the readout; 0: there is none.
    dropout : float in [0, 1)
        Share of the cell's outputs that are dropped in training.
    input_dropout : float in [0, 1)
        The same of its inputs.
    shortcut : None, "ridge", "convolutions" or "auto"
        "ridge": the answer is a mixture of the network's and of a line's, which ridge regression fits to the last
        inputs, all inputs or summaries of them, by their errors on what is held out.  "convolutions": the line reads
        random convolutions (`RandomConvolutions`), where a whole sequence has one answer.  "auto": the best of all
        these, where it explains at least a tenth of the targets.  Estimators and the command line do so, not `fit`.
    standardize : bool
        Bring inputs, and targets that are numbers, to mean 0 and spread 1; the network keeps their scale.
    clip_inputs : float > 0 or None
        Largest absolute value of an input then, so that outliers do not drown all else; None: inputs stay as they are,
        as they do without ``standardize``.
    learning_rate : float > 0
    schedule : "constant" or "cosine"
        "cosine": it falls to 0 along half a cosine until the last epoch.
    weight_decay : float >= 0
        Of `AdamW`.
    clip_norm : float > 0 or None
        Largest norm of a gradient.
    epochs : int >= 1 or "auto"
        "auto" is 100, and more where few sequences have one answer each: as many as 1,000 steps of the optimiser take,
        one for each batch.
    batch_size : int >= 1
    ensemble : int >= 1
        So many networks, which begin with other seeds, are trained one by one; the answer is the mean of theirs, of
        classes that of their probabilities.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("predict", "score", "evaluate", "save"), "the model has it, which `model` makes and `fit` trains"
    )
    _in_words = "a recipe"

    cell: str = "ltc"
    units: int = 32
    wiring: str = "full"
    ode_unfolds: int = 3
    time_constants: tuple[float, float] | str | None = "auto"
    backbone_units: int = 0
    conv_layers: int = 0
    mixed_memory: bool = False
    bidirectional: bool = False
    readout: ReadoutKind = "auto"
    readout_units: int = 0
    dropout: float = 0.0
    input_dropout: float = 0.0
    shortcut: ShortcutKind = None
    standardize: bool = True
    clip_inputs: float | None = 5.0
    learning_rate: float = 0.01
    schedule: str = "cosine"
    weight_decay: float = 0.01
    clip_norm: float | None = 1.0
    epochs: int | str = "auto"
    batch_size: int = 16
    ensemble: int = 1

    def __post_init__(self) -> None:
        for name, known in (("cell", CELLS), ("wiring", WIRINGS), ("readout", READOUTS), ("schedule", SCHEDULES)):
            checks.one_of(name, getattr(self, name), known)
        for name in ("units", "ode_unfolds", "batch_size", "ensemble"):
            checks.integer(name, getattr(self, name))
        for name in ("backbone_units", "readout_units", "conv_layers"):
            checks.integer(name, getattr(self, name), 0)
        if self.conv_layers and self.ensemble > 1:
            raise ValueError(f"`ensemble` must be 1 with `conv_layers`, got {self.ensemble!r}")
        if not auto("epochs", self.epochs):
            checks.integer("epochs", self.epochs)
        for name in ("mixed_memory", "bidirectional", "standardize"):
            checks.boolean(name, getattr(self, name))
        for name in ("dropout", "input_dropout"):
            checks.number(name, getattr(self, name), high=1, high_open=True)
        checks.number("learning_rate", self.learning_rate, low_open=True)
        checks.number("weight_decay", self.weight_decay)
        for name in ("clip_norm", "clip_inputs"):
            if getattr(self, name) is not None:
                checks.number(name, getattr(self, name), low_open=True)
        checks.one_of("shortcut", self.shortcut, (*SHORTCUTS, None))

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """The names of the hyperparameters."""
        return tuple(f.name for f in fields(cls))

    def of_network(self) -> dict[str, Any]:
        """The hyperparameters that a network is made by, and which it keeps; all others are those of its training."""
        return {name: getattr(self, name) for name in self.names() if name not in TRAINING}

    def model(
        self,
        inputs: int,
        outputs: int,
        *,
        steps: float,
        every_step: bool,
        numbers: bool,
        duration: float | None = None,
        components: int | None = None,
        seed: Seed = None,
        dtype: DType = "float32",
        backend: Backend = "auto",
    ) -> Model:
        """The untrained network; of an ensemble all of them, joined (`ltc_np.ensemble.join`).

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
        components : int, optional
            Answers are not numbers but their density, of so many components (`MixtureDensity`); not of an ensemble.
        seed, dtype, backend
            As for `Model`.
        """
        if self.ensemble > 1:
            alone = replace(self, ensemble=1)
            networks = [
                alone.model(
                    inputs, outputs, steps=steps, every_step=every_step, numbers=numbers, duration=duration,
                    components=components, seed=own, dtype=dtype, backend=backend,
                )
                for own in ensemble.seeds(seed, self.ensemble)
            ]  # fmt: skip
            return ensemble.join(networks, "numbers" if numbers else "classes")
        duration = float(steps) if duration is None else duration
        fewer = 1 if every_step else STRIDE**self.conv_layers
        if steps < fewer:
            raise ValueError(f"`conv_layers` must leave a step of sequences of {steps:g}, got {self.conv_layers}")
        cell = self._cell(fewer * duration / steps, duration)
        if self.mixed_memory:
            cell = MixedMemory(cell)
        if self.bidirectional:
            cell = Bidirectional(cell)
        layers: list[Layer] = [Standardize(clip=self.clip_inputs)] if self.standardize else []
        if self.input_dropout:
            layers += [Dropout(self.input_dropout)]
        layers += [self._convolution(k, every_step) for k in range(self.conv_layers)] + [cell]
        if not every_step:
            layers += self._pooled(numbers)
        if self.dropout:
            layers += [Dropout(self.dropout)]
        if self.readout_units:
            layers += [Dense(self.readout_units, "silu")]
        if components is not None:
            layers += [MixtureDensity(outputs, components)]
        else:
            layers += [Dense(outputs)]
            layers += [Standardize(inverse=True)] * (self.standardize and numbers)
        return Model(*layers, input_dim=inputs, seed=seed, dtype=dtype, backend=backend, return_sequences=every_step)

    def epochs_for(self, sequences: int, *, every_step: bool) -> int:
        """The number of epochs of a training on so many sequences, of answers at every step or one for each."""
        if not isinstance(self.epochs, str):
            return self.epochs
        return FEWEST if every_step else enough_epochs(sequences, self.batch_size)

    def fit(
        self,
        model: Model,
        x: Any,
        y: Any,
        *,
        sequences: int,
        augment: Augment | None = None,
        each: Callable[..., Any] = map,
        **more: Any,
    ) -> History:
        """Train ``model`` on ``sequences`` sequences; ``augment`` is that of `Batching`, and ``more`` goes to `fit` of
        the model.

        A `CollapseGuard` is among the callbacks, unless ``epochs`` is a range: then data may be others every time.
        A training whose gradients overflow begins again with a smaller rate, and a warning says so, twice at most and
        not with an ``optimizer`` or a ``checkpoint`` of one's own.
        The networks of an ensemble are trained by ``each(function, networks)``, which is `map` or does the same side by
        side; the history is that of the first, with the seconds of all.

        Raises
        ------
        KeyboardInterrupt
            Ctrl-C while an ensemble is trained; the model is as it was.
        """
        if self.shortcut not in (None, "auto"):
            raise ValueError(f'`shortcut` must be None or "auto" for `fit` of a recipe, got {self.shortcut!r}')
        if self.ensemble > 1:
            return self._fit_each(model, each, {"x": x, "y": y, "sequences": sequences, "augment": augment} | more)
        epochs = self.epochs_for(sequences, every_step=model.return_sequences)
        batches = -(-sequences // self.batch_size)
        settings: dict[str, Any] = {
            "epochs": epochs,
            "batch_size": self.batch_size if augment is None else Batching(self.batch_size, augment=augment),
            "clip_norm": self.clip_norm,
            "standardize": self.standardize,
        }
        if not isinstance(more.get("epochs"), range):
            more["callbacks"] = [CollapseGuard(), *as_callbacks(more.get("callbacks"))]
        settings |= more
        if settings.get("optimizer") is not None:
            return model.fit(x, y, **settings)
        tries, rate = 1 if settings.get("checkpoint") is not None else TRIES, self.learning_rate
        theta, buffers, trained = model.theta.copy(), model.buffer_vector.copy(), model.trained
        while True:
            schedule = SCHEDULES[self.schedule](rate, epochs * batches)
            settings["optimizer"] = AdamW(schedule, weight_decay=self.weight_decay)
            try:
                return model.fit(x, y, **settings)
            except Diverged as error:
                tries -= 1
                if not tries:
                    raise
                model.theta[:], model.buffer_vector[:], model.trained = theta, buffers, trained
                rate *= SLOWER
                checks.warn(
                    f"ltc_np: the training has overflowed ({str(error).partition(';')[0]}); it begins again with the "
                    f"learning rate {rate:.2g}: such a one from the beginning saves this time"
                )

    def _fit_each(self, model: Model, each: Callable[..., Any], given: dict[str, Any]) -> History:
        """Train the networks of an ensemble one by one."""
        for name in ("checkpoint", "optimizer", "comm"):
            if given.get(name) is not None:
                raise ValueError(f"`{name}` must be None for an ensemble, whose networks are trained one by one")
        networks = ensemble.members(model)
        if len(networks) != self.ensemble:
            raise ValueError(
                f"`model` must be of {self.ensemble} networks, as `model` of the recipe makes it, got {model!r}"
            )
        settings = [given | {"seed": seed} for seed in ensemble.seeds(given.get("seed"), self.ensemble)]
        found = each(_Training(replace(self, ensemble=1)), list(zip(networks, settings, strict=True)))
        trained, histories = zip(*found, strict=True)
        ensemble.take(model, trained)
        histories[0].seconds = sum(history.seconds for history in histories)
        return histories[0]

    def _pooled(self, numbers: bool) -> list[Layer]:
        """The layers that make one answer of all steps."""
        remembers = self.cell == "ltc" and self.time_constants is not None and not self.bidirectional
        of_others: ReadoutKind = "last+mean" if numbers else "mean"
        usual: ReadoutKind = "max" if self.conv_layers else "last" if remembers else of_others
        kind = usual if self.readout == "auto" else self.readout
        if kind == "last+mean":
            return [Residual(Pooling("mean"))]
        return [] if kind == "last" else [Pooling(cast("PoolingKind", kind))]

    def _convolution(self, k: int, every_step: bool) -> Conv1D:
        """The k-th one in front of the cell."""
        stride, dilation = (1, STRIDE**k) if every_step else (STRIDE, 1)
        return Conv1D(self.units, KERNEL, stride=stride, dilation=dilation, activation="relu")

    def _cell(self, step: float, duration: float) -> Layer:
        if self.cell == "ltc":
            span = (step, max(step, duration)) if self.time_constants == "auto" else self.time_constants
            init = None if span is None else {"time_constants": span}
            return LTC(WIRINGS[self.wiring](self.units), ode_unfolds=self.ode_unfolds, init=init)
        if self.cell == "cfc":
            layers, width = min(self.backbone_units, 1), max(self.backbone_units, 1)
            return CfC(self.units, backbone_layers=layers, backbone_units=width)
        if self.cell == "gru_decay":
            rates = np.geomspace(1 / step, 1 / max(step, duration), self.units)
            return GRU(self.units, decay=True, init={"rate": rates})
        gated: dict[str, type[LSTM | GRU]] = {"lstm": LSTM, "gru": GRU}
        return gated[self.cell](self.units)


class _Training(NamedTuple):
    """Trains one network of an ensemble, maybe in another process, and gives it back with its history."""

    recipe: Recipe

    def __call__(self, given: tuple[Model, dict[str, Any]]) -> tuple[Model, History]:
        model, settings = given
        history = self.recipe.fit(model, **settings)
        if history.stopped.startswith(BY_SIGINT):  # which is of all networks
            raise KeyboardInterrupt(history.stopped)
        return model, history
