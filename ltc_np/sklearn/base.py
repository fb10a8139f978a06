"""What all estimators have in common: hyperparameters, training, and what a trained network answers.

An estimator of another kind derives from `LiquidEstimator`, as a dataclass with fields for what its users may choose.
It says three things: ``cell`` (of the recipe), ``loss`` (a name, or a function of the library's kind) and ``numbers``
(whether answers are numbers in the units of the targets, or logits).  It turns what users give into `Given` and
`Targets`, calls ``self._train(X, given, targets, weight)`` in its `fit`, and ``self._answers(X, dt, lengths)`` in its
`predict`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..base import checks
from ..optim import AdamW
from ..recipe import Recipe, auto
from ..train.callbacks import EarlyStopping
from . import inputs

if TYPE_CHECKING:
    from ..base.types import Array, Backend, DType, Loss, ReadoutKind
    from ..model import Model
    from ..train.history import History
    from .inputs import Given
    from .targets import Targets

DEFAULT = Recipe()
NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(kw_only=True, eq=False, repr=False)
class LiquidEstimator(BaseEstimator):
    """Base of the estimators: a `Recipe`, and what scikit-learn's users expect around it.

    Parameters
    ----------
    units, mixed_memory, bidirectional, readout, dropout, standardize
        The network, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size
        Its training, as for `Recipe`.
    every_step : bool, optional
        Whether there is a target at every step, or one for each sequence.  Default: what the form of y says, see `fit`.
    early_stopping : bool
        Hold out sequences, stop when their loss does not improve any more, and keep the best weights.
    validation_fraction : float in (0, 1)
        How many of the sequences are held out for that.
    n_iter_no_change : int >= 1 or "auto"
        Epochs without an improvement after which training stops; "auto" is a tenth of ``epochs``, and at least 10.
    warm_start : bool
        `fit` goes on with the network that is there, and with the scales it has standardised by.
    random_state : int, RandomState or None
        Of initial values, of the order of sequences, of what is dropped and held out.
    dtype, backend
        As for `Model`.
    verbose : bool, 0, 1 or 2
        As for `fit` of `Model`.

    Attributes
    ----------
    model_ : Model
        The network; ``model_.save(path)`` writes it to a file.
    history_ : History
        Of the last training.
    n_iter_ : int
        Epochs that the network was trained.
    n_features_in_ : int
        Features of a step; of a table (n, T) its columns, as everywhere in scikit-learn.
    feature_names_in_ : array of str
        The names of the columns, of a table that has them.
    every_step_ : bool
        Whether the network answers at every step.
    """

    units: int = DEFAULT.units
    mixed_memory: bool = DEFAULT.mixed_memory
    bidirectional: bool = DEFAULT.bidirectional
    readout: ReadoutKind = DEFAULT.readout
    dropout: float = DEFAULT.dropout
    standardize: bool = DEFAULT.standardize
    learning_rate: float = DEFAULT.learning_rate
    schedule: str = DEFAULT.schedule
    weight_decay: float = DEFAULT.weight_decay
    clip_norm: float | None = DEFAULT.clip_norm
    epochs: int | str = DEFAULT.epochs
    batch_size: int = DEFAULT.batch_size
    every_step: bool | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int | str = "auto"
    warm_start: bool = False
    random_state: Any = None
    dtype: DType = "float32"
    backend: Backend = "auto"
    verbose: bool | int = False

    cell: ClassVar[str] = DEFAULT.cell
    loss: ClassVar[Loss]
    numbers: ClassVar[bool]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # ------------------------------------------------------------------------------------------------- training

    def recipe(self) -> Recipe:
        """The `Recipe` of these hyperparameters, which are checked by it."""
        own = {name: getattr(self, name) for name in Recipe.names() if hasattr(self, name)}
        return Recipe(**own)

    def _read(self, X: Any, dt: Any, lengths: Any) -> Given:
        """Sequences for a network that is there, which they must fit."""
        given = inputs.read(self, X, dt, lengths)
        if given.form == "table" and self._table:
            validate_data(self, X, reset=False, skip_check_array=True)
        if given.x.shape[2] != self.model_.input_size:
            got, has = given.x.shape[2], self.model_.input_size
            hint = ": one sequence is X[None]" if given.form == "table" and given.x.shape[1] == has else ""
            raise ValueError(f"`X` must have the {has} features of a step that were seen in fit, got {got}{hint}")
        if dt is None and self._elapsed:
            checks.warn(
                f"{type(self).__name__} was trained with elapsed times `dt`, and gets none here, which means 1: is "
                "`dt` routed to this method too?"
            )
        return given

    def _keep(self, seen: Any, given: Given, targets: Targets, model: Model, history: History, optimizer: Any) -> None:
        """Set all attributes of a trained estimator; before, nothing has changed but the network that goes on."""
        for name in ("n_features_in_", "feature_names_in_"):
            if hasattr(seen, name):
                setattr(self, name, getattr(seen, name))
            elif hasattr(self, name):
                delattr(self, name)
        self._table, self._elapsed, self._optimizer = given.form == "table", given.dt is not None, optimizer
        self._made_by = self._of_network()
        self.model_: Model = model
        self.history_: History = history
        self.every_step_: bool = targets.every_step
        self.n_iter_: int = _epochs_of(model)

    def _of_network(self) -> dict[str, Any]:
        """The hyperparameters that a network is made by."""
        return self.recipe().of_network() | {"dtype": self.dtype, "backend": self.backend}

    def _check_of_network(self) -> None:
        """Refuse hyperparameters that were changed, and of which a network that goes on would take no notice."""
        for name, value in self._of_network().items():
            if value != self._made_by[name]:
                raise ValueError(
                    f"`{name}` must stay {self._made_by[name]!r}, by which the network was made that goes on, got "
                    f"{value!r}: for a new network call `fit` with warm_start=False"
                )

    def _new_model(self, recipe: Recipe, given: Given, targets: Targets, seed: int) -> Model:
        return recipe.model(
            given.x.shape[2], targets.outputs, steps=given.steps, duration=given.duration, seed=seed,
            every_step=targets.every_step, numbers=self.numbers, dtype=self.dtype, backend=self.backend,
        )  # fmt: skip

    def _train(
        self, X: Any, given: Given, targets: Targets, weight: Array | None, more: Mapping[str, Any] = NOTHING
    ) -> None:
        """Train a network, and keep it; ``more`` goes to `fit` of the model."""
        seen = _seen(X, given)
        recipe, rng = self.recipe(), generator(self.random_state)
        model_seed, seed = _seeds(rng)
        settings: dict[str, Any] = {"loss": self.loss, "seed": seed, "verbose": self.verbose, **more}
        given, targets, weight = _that_count(given, targets, weight)
        held = self._held_out(given, targets, rng)
        if held is not None:
            own = None if weight is None else weight[held]
            settings["validation_data"] = _data(given.part(held), targets.part(held), own)
            rows = np.setdiff1d(np.arange(len(given.x)), held)
            given, targets, weight = given.part(rows), targets.part(rows), None if weight is None else weight[rows]
            settings["callbacks"] = [
                EarlyStopping(self._patience(recipe.epochs_for(len(rows), every_step=targets.every_step)))
            ]
        model = self._warm(given, targets) if checks.boolean("warm_start", self.warm_start) else None
        if model is None:
            model = self._new_model(recipe, given, targets, model_seed)
        else:  # its weights belong to its scales
            settings["standardize"] = False
        history = recipe.fit(model, sequences=len(given.x), **_data(given, targets, weight), **settings)
        self._keep(seen, given, targets, model, history, None)

    def _continue(
        self, X: Any, given: Given, targets: Targets, weight: Array | None, more: Mapping[str, Any] = NOTHING
    ) -> None:
        """One epoch more with these sequences, by a constant learning rate."""
        recipe, seen = self.recipe(), _seen(X, given)
        settings: dict[str, Any] = {"loss": self.loss, "verbose": self.verbose, **more}
        given, targets, weight = _that_count(given, targets, weight)
        if hasattr(self, "model_"):
            self._check_of_network()
            model, optimizer = self.model_, self._optimizer
            model.best = None  # of another training
        else:
            model_seed, settings["seed"] = _seeds(generator(self.random_state))
            model, optimizer = self._new_model(recipe, given, targets, model_seed), None
        optimizer = optimizer or AdamW()
        optimizer.lr, optimizer.weight_decay = recipe.learning_rate, recipe.weight_decay
        done = _epochs_of(model)
        settings |= {"optimizer": optimizer, "initial_epoch": done, "epochs": done + 1}
        history = recipe.fit(model, sequences=len(given.x), **_data(given, targets, weight), **settings)
        self._keep(seen, given, targets, model, history, optimizer)

    def _warm(self, given: Given, targets: Targets) -> Model | None:
        """The network that is there, if there is one."""
        if not hasattr(self, "model_"):
            return None
        sizes = given.x.shape[2], targets.outputs, targets.every_step
        own = self.model_.input_size, self.model_.output_size, self.every_step_
        if sizes != own:
            raise ValueError(
                f"`warm_start` must be False for data of other sizes: features, outputs and answers at every step are "
                f"{sizes}, those of the network {own}"
            )
        self._check_of_network()
        return self.model_

    def _held_out(self, given: Given, targets: Targets, rng: Any) -> Any:
        """The numbers of the sequences for early stopping, None without."""
        if not checks.boolean("early_stopping", self.early_stopping):
            return None
        share = checks.number("validation_fraction", self.validation_fraction, high=1, low_open=True, high_open=True)
        classes = None if self.numbers or targets.every_step else targets.values
        return train_test_split(np.arange(len(given.x)), test_size=share, random_state=rng, stratify=classes)[1]

    def _patience(self, epochs: int) -> int:
        """Of early stopping, in epochs."""
        own = self.n_iter_no_change
        return max(10, epochs // 10) if auto("n_iter_no_change", own) else checks.integer("n_iter_no_change", own)

    # -------------------------------------------------------------------------------------------------- answers

    def _answers(self, X: Any, dt: Any, lengths: Any) -> tuple[Given, Array]:
        """The sequences, and the network's outputs for them in float64: (B, O) or (B, T, O)."""
        check_is_fitted(self)
        given = self._read(X, dt, lengths)
        y = self.model_.predict(given.x, dt=given.dt, lengths=given.lengths)
        return given, np.asarray(y, np.float64)


@dataclass(kw_only=True, eq=False, repr=False)
class LTCFields:
    """The hyperparameters that only an LTC has."""

    wiring: str = DEFAULT.wiring
    ode_unfolds: int = DEFAULT.ode_unfolds
    time_constants: tuple[float, float] | str | None = DEFAULT.time_constants

    cell: ClassVar[str] = "ltc"


@dataclass(kw_only=True, eq=False, repr=False)
class CfCFields:
    """The hyperparameters that only a CfC has."""

    backbone_units: int = DEFAULT.backbone_units

    cell: ClassVar[str] = "cfc"


def _seen(X: Any, given: Given) -> Any:
    """An estimator that has the attributes of scikit-learn that say what the inputs were."""
    seen: Any = BaseEstimator()
    if given.form == "table":
        validate_data(seen, X, reset=True, skip_check_array=True)
    else:
        seen.n_features_in_ = given.x.shape[2]
    return seen


def generator(random_state: Any) -> Any:
    """The `RandomState` of a ``random_state``."""
    try:
        return check_random_state(random_state)
    except ValueError:
        got = checks.brief(random_state)
        raise ValueError(f"`random_state` must be an int, a RandomState or None, got {got}") from None


def _epochs_of(model: Model) -> int:
    """How many of its last training are done."""
    return 0 if model.trained is None else model.trained.epochs


def _seeds(rng: Any) -> list[int]:
    """Of the initial values, and of the training."""
    return [int(seed) for seed in rng.randint(np.iinfo(np.int32).max, size=2)]


def _that_count(given: Given, targets: Targets, weight: Array | None) -> tuple[Given, Targets, Array | None]:
    """Without the sequences of weight 0."""
    if weight is None or weight.all():
        return given, targets, weight
    rows = weight.reshape(len(weight), -1).any(axis=1)
    return given.part(rows), targets.part(rows), weight[rows]


def _data(given: Given, targets: Targets, weight: Array | None) -> dict[str, Any]:
    """The arguments of `fit` of a model that are data."""
    return {
        "x": given.x, "y": targets.values, "dt": given.dt, "lengths": given.lengths, "sample_weight": weight,
    }  # fmt: skip
