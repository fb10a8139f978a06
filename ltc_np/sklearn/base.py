"""What all estimators have in common: hyperparameters, training, and what a trained network answers.

An estimator of another kind derives from `LiquidEstimator`, as a dataclass with fields for what its users may choose.
It says three things: ``cell`` (of the recipe), ``loss`` (a name, or a function of the library's kind) and ``numbers``
(whether answers are numbers in the units of the targets, or logits).  And it defines ``_targets``, which makes
`Targets` of what users want learned, and `predict`, which calls ``self._answers(X, dt, lengths)``.  What `fit` of the
model is told besides stands in ``_settings``.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from joblib import Parallel, delayed
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from .. import losses
from ..base import checks
from ..base.calls import SignatureHints
from ..base.elsewhere import Elsewhere
from ..base.types import Array, Backend, DType, Loss, Numbers, PathLike, ReadoutKind, ShortcutKind
from ..ensemble import members
from ..model import Model
from ..network.clipped import warn_of_clipped
from ..network.elapsed import range_of, warn_of_times
from ..network.trained import Trained, together
from ..online import Learner, Rule
from ..optim import AdamW, Optimizer
from ..recipe import Recipe, auto
from ..shortcut import beside
from ..shortcut.advice import advice
from ..train.callbacks import EarlyStopping, as_callbacks
from ..train.data.augment import Augment
from ..train.history import History
from . import held_out, inputs, stored, streamed, targets
from .inputs import Inputs
from .streamed import Streamed
from .targets import Targets
from .tune import tune

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..train.callbacks.base import Callbacks


DEFAULT = Recipe()
MORE = "sample_weight", "dt", "lengths"  # beside X and y
ELSEWHERE = {
    "evaluate": "`score` does it",
    "model": "write model_",
    "history": "write history_",
    "summary": "write model_.summary()",
    "step": "`model_.step` answers one step after another",
}


@dataclass(kw_only=True, eq=False, repr=False)
class RecipeEstimator(Elsewhere, SignatureHints, BaseEstimator):
    """The hyperparameters of any network and of its training, by the names of `Recipe`."""

    _elsewhere: ClassVar[Mapping[str, str]] = ELSEWHERE | {
        "save": "`model_.save(path)` writes the network, joblib.dump(estimator, path) all of it",
        "load": "joblib.load(path) reads an estimator, ltc_np.load(path) a network",
    }
    _in_words = "an estimator"

    units: int = DEFAULT.units
    mixed_memory: bool = DEFAULT.mixed_memory
    readout_units: int = DEFAULT.readout_units
    dropout: float = DEFAULT.dropout
    input_dropout: float = DEFAULT.input_dropout
    standardize: bool = DEFAULT.standardize
    clip_inputs: float | None = DEFAULT.clip_inputs
    learning_rate: float = DEFAULT.learning_rate
    schedule: str = DEFAULT.schedule
    weight_decay: float = DEFAULT.weight_decay
    clip_norm: float | None = DEFAULT.clip_norm
    epochs: int | str = DEFAULT.epochs
    batch_size: int = DEFAULT.batch_size
    ensemble: int = DEFAULT.ensemble
    n_jobs: int | None = None
    random_state: Any = None
    dtype: DType = "float32"
    backend: Backend = "auto"
    verbose: bool | int = False

    def recipe(self) -> Recipe:
        """The `Recipe` of these hyperparameters, which are checked by it."""
        return Recipe(**{name: getattr(self, name) for name in Recipe.names() if hasattr(self, name)})

    def _each(self, function: Any, networks: list[Any]) -> Any:
        """``map`` over the networks of an ensemble, by ``n_jobs`` processes or as `joblib.parallel_config` says."""
        return Parallel(n_jobs=self.n_jobs)(delayed(function)(network) for network in networks)


@dataclass(kw_only=True, eq=False, repr=False)
class LiquidEstimator(RecipeEstimator):
    """Base of the estimators: a `Recipe`, and what scikit-learn's users expect around it.

    Parameters
    ----------
    units, conv_layers, mixed_memory, bidirectional, readout, readout_units, dropout, input_dropout, shortcut
        The network, as for `Recipe`.
    standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size
        Its training, as for `Recipe`.
    ensemble : int >= 1
        So many networks, as for `Recipe`: the first is the one that there would be without the others.
    n_jobs : int, optional
        Processes that train the networks of an ensemble, or what ``tune`` tries, as everywhere in scikit-learn: -1 for
        all processors; None is 1, or what ``joblib.parallel_config`` says, such as Dask.
    every_step : bool, optional
        Whether there is a target at every step, or one for each sequence.  Default: what the form of y says, see `fit`.
    early_stopping : bool
        Hold out sequences, stop when their loss does not improve any more, and keep the best weights.  `fit` takes data
        of your own for this, ``validation=(X, y)``, and then holds out none.
    validation_fraction : float in (0, 1)
        How many of the sequences are held out for that, or to choose the share of a ``shortcut``.
    n_iter_no_change : int >= 1 or "auto"
        Epochs without an improvement after which training stops; "auto" is a tenth of ``epochs``, and at least 10.
    augment : function (x, y, rng) -> (x, y), optional
        Changes each batch of the training, as for `Batching`: x are sequences (n, T, features), y numbers (n, ...) or
        the numbers of classes.  What is held out stays as it is.
    callbacks : callback or function (epoch, logs), or a list of them, optional
        Told of every epoch, as for `fit` of `Model`; its epochs go on while the network learns what was held out.
    warm_start : bool
        `fit` goes on with the network that is there, with the scales it has standardised by, and with its line.
    tune : float > 0, optional
        Seconds for which `fit` searches for better hyperparameters, as `ltc_np.sklearn.tune` does.  Those of this
        estimator stay as they are; it has the network that the others have made.
    online : Rule or Optimizer, optional
        How `partial_fit` learns from each target once (`ltc_np.online.Learner`): by a rule for the readout, such as
        ``RLS()``, which is not for labels; or by an optimiser, such as ``Adam(1e-3)``, for the whole network.  None:
        by an epoch of training.  Otherwise ``shortcut="auto"`` means None.
    random_state : int, RandomState or None
        Of initial values, of the order of sequences, of what is dropped and held out.
    dtype, backend
        As for `Model`.
    verbose : bool, 0, 1 or 2
        As for `fit` of `Model`.

    Attributes
    ----------
    model_ : Model
        The network.  Of an ensemble it is one model of all networks, which
        `ltc_np.ensemble.members` takes apart.
    history_ : History
        Of the last training; of an ensemble that of its first network.
    loss_curve_ : list of float
        The mean loss in each epoch of that training: ``history_["loss"]``.
    n_iter_ : int
        Epochs that the network was trained, with those in which it learned what had been held out for a ``shortcut``.
    n_features_in_ : int
        Features of a step; of a table (n, T) its columns, as everywhere in scikit-learn.
    feature_names_in_ : array of str
        The names of the columns, of a table that has them.
    every_step_ : bool
        Whether the network answers at every step.
    learner_ : Learner
        Of the last `partial_fit` with ``online``: `Learner.log` has the errors of answers before they were learnt from.
    tuned_ : list of dicts
        With ``tune``: what was tried, as for `ltc_np.sklearn.tune`.
    report_ : dict
        ``reads`` of the line, as for `Line`, "convolutions", or "nothing" where it is the mean of the targets, and
        ``penalty`` for each output; the losses of the ``line`` alone, of the ``network`` alone and of ``both`` on
        sequences that were held out, ``held_out`` of them; and the ``share`` of the network, between 0, where the line
        alone answers, and 1. ``{}`` without a line.
    advice_ : list of str
        What the training says that should be known, a sentence each with a number and a remedy: that it overfits from
        the start, or has learnt by heart; that its loss has risen; that the network is not used; that a class has few
        sequences.  None is usual.  With ``verbose`` they are printed.
    """

    _elsewhere: ClassVar[Mapping[str, str]] = ELSEWHERE

    conv_layers: int = DEFAULT.conv_layers
    bidirectional: bool = DEFAULT.bidirectional
    readout: ReadoutKind = DEFAULT.readout
    shortcut: ShortcutKind = "auto"
    every_step: bool | None = None
    early_stopping: bool = False
    validation_fraction: float = 0.1
    n_iter_no_change: int | str = "auto"
    augment: Augment | None = None
    callbacks: Callbacks = None
    warm_start: bool = False
    tune: float | None = None
    online: Rule | Optimizer | None = None

    cell: ClassVar[str] = DEFAULT.cell
    loss: ClassVar[Loss]
    numbers: ClassVar[bool]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    # ------------------------------------------------------------------------------------------------- training

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        dt: Any = None,
        lengths: Any = None,
        validation: Any = None,
    ) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : (n, T, features) array, (n, T) array or frame, or list of (T_i, features) arrays
            Sequences; a table has one feature, whose steps are the columns.
        y : array or list
            What is to be learned of each sequence: a regressor takes numbers, (n,) or (n, outputs), a classifier
            labels, text or numbers, (n,).  Or of each step: (n, T, outputs) numbers, (n, T) labels, or a list of
            arrays (T_i,), of numbers also (T_i, outputs); and (n, T) numbers with ``every_step=True``.
        sample_weight : (n,) array, or (n, T) with targets at every step, optional
        dt : number, (T,) or (n, T) array, or list of (T_i,) arrays, optional
            Elapsed time before each step; default 1.
        lengths : (n,) integers, optional
            Steps of each sequence of an array that is padded at the end.
        validation : (X, y), or dict with X, y and maybe sample_weight, dt, lengths, optional
            Other sequences, of which none is trained: the network gets the weights of the epoch that has the smallest
            loss there.  With `early_stopping` training stops by that loss, and nothing is held out of ``X``.

        Returns
        -------
        self
        """
        if self.tune is not None:
            return self._tune(X, y, sample_weight, dt, lengths, validation)
        data, wanted, weight = self._learnt(X, y, sample_weight, dt, lengths)
        held = None if validation is None else self._read_validation(validation, data, wanted)
        self._train(X, data, wanted, weight, held)
        return self

    def _learnt(
        self, X: Any, y: Any, sample_weight: Any, dt: Any, lengths: Any
    ) -> tuple[Inputs, Targets, Array | None]:
        """What a new network learns, checked."""
        data = inputs.read(self, X, dt, lengths)
        inputs.warn_of_form(X, data)
        wanted = self._targets(y, data)
        return data, wanted, targets.read_weight(sample_weight, data, wanted.every_step)

    def answers_every_step(
        self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None
    ) -> bool:
        """Whether a network that `fit` makes for these data, which are checked, answers at every step."""
        return self._learnt(X, y, sample_weight, dt, lengths)[1].every_step

    def _tune(self, X: Any, y: Any, sample_weight: Any, dt: Any, lengths: Any, validation: Any) -> Self:
        """Take all but the hyperparameters of an estimator that `tune` has found."""
        for name, value in (("validation", validation), ("warm_start", self.warm_start or None)):
            if value is not None:
                raise ValueError(f"`{name}` must be left out with `tune`, got both: `ltc_np.sklearn.tune` takes `cv`")
        budget = checks.number("tune", self.tune, low_open=True)
        more = {"sample_weight": sample_weight, "dt": dt, "lengths": lengths}
        found, own = tune(self, X, y, budget=budget, n_jobs=self.n_jobs, **more), self.get_params(deep=False)
        self.__dict__ = vars(found) | own  # and nothing of a former fit
        return self

    def _read_validation(self, given: Any, data: Inputs, wanted: Targets) -> dict[str, Any]:
        """The arguments of `fit` of a model that are the user's data for validation; errors say that they are."""
        if isinstance(given, (tuple, list)) and len(given) == 2:
            given = {"X": given[0], "y": given[1]}
        if not isinstance(given, Mapping) or not {"X", "y"} <= given.keys() <= {"X", "y", *MORE}:
            what = f"a dict with {', '.join(map(str, given))}" if isinstance(given, Mapping) else checks.brief(given)
            raise ValueError(
                f"`validation` must be (X, y), or a dict with X, y and maybe {', '.join(MORE)}, got {what}"
            )
        try:
            held = inputs.read(self, given["X"], given.get("dt"), given.get("lengths"))
            if held.x.shape[2] != data.x.shape[2]:
                raise ValueError(f"`X` must have {data.x.shape[2]} features of a step, got {held.x.shape[2]}")
            if (held.dt is None) != (data.dt is None):
                raise ValueError(f"`dt` must be given {'here' if held.dt is None else 'for training'} too, got None")
            found = self._targets(given["y"], held, wanted.classes)
            if (found.outputs, found.every_step) != (wanted.outputs, wanted.every_step):
                raise ValueError("`y` must be of the form of that for training")
            weight = targets.read_weight(given.get("sample_weight"), held, found.every_step)
        except (ValueError, TypeError) as error:
            raise type(error)(f"`validation`: {error}") from None
        return _fit_arguments(*_that_count(held, found, weight))

    def _partial_fit(self, X: Any, y: Any, sample_weight: Any, dt: Any, lengths: Any, classes: Numbers | None) -> Self:
        """Train for one epoch more, or let a learner learn; the first call makes the network."""
        if self.tune is not None:
            raise ValueError(f"`tune` must be None for `partial_fit`, got {self.tune!r}")
        first = not hasattr(self, "model_")
        data = inputs.read(self, X, dt, lengths) if first else self._read(X, dt, lengths)
        if first:
            inputs.warn_of_form(X, data)
        wanted = self._targets(y, data, classes)
        if not first and (wanted.outputs, wanted.every_step) != (self.model_.output_size, self.every_step_):
            raise ValueError("`y` must be of the form of the first call")
        weight = targets.read_weight(sample_weight, data, wanted.every_step)
        self._continue(X, data, wanted, weight)
        return self

    def _targets(self, y: Any, data: Inputs, classes: Numbers | None = None) -> Targets:
        """Checked targets; of labels those of the ``classes``, None: of those that are in y."""
        raise NotImplementedError

    def _settings(self, wanted: Targets) -> Mapping[str, Any]:
        """What `fit` of the model is told besides."""
        return {}

    def _read(self, X: Any, dt: Any, lengths: Any) -> Inputs:
        """Sequences for a network that is there, which they must fit."""
        data = inputs.read(self, X, dt, lengths)
        if data.form == "table" and self._table:
            validate_data(self, X, reset=False, skip_check_array=True)
        if data.x.shape[2] != self.model_.input_size:
            got, has = data.x.shape[2], self.model_.input_size
            hint = ""
            if data.x.shape[1] == has:
                hint = {"table": ": one sequence is X[None]", "sequences": f": {inputs.OF_AEON}"}.get(data.form, "")
            raise ValueError(f"`X` must have the {has} features of a step that were seen in fit, got {got}{hint}")
        stride = self.model_.layer_stack.stride
        short = [n for n in data.own_lengths if 0 < n < stride]
        if short:
            raise ValueError(f"`X` must be sequences of at least {stride} steps, those of an output, got {min(short)}")
        return data

    def _keep(self, seen: Any, data: Inputs, wanted: Targets, model: Model, history: History, optimizer: Any) -> None:
        """Set all attributes of a trained estimator; before, nothing has changed but the network that goes on."""
        # A temperature was of the network before; one that goes on has it in its last layer.
        for name in ("n_features_in_", "feature_names_in_", "temperature_", "tuned_", "learner_", "_streamed"):
            if hasattr(seen, name):
                setattr(self, name, getattr(seen, name))
            elif hasattr(self, name):
                delattr(self, name)
        self._table, self._optimizer = data.form == "table", optimizer
        self._made_by = self._of_network()
        self.model_: Model = model
        self.history_: History = history
        self.loss_curve_: list[float] = list(history.get("loss", ()))
        self.every_step_: bool = wanted.every_step
        self._flat = wanted.flat
        if wanted.classes is not None:
            self.classes_: Numbers = wanted.classes
        self.n_iter_: int = _epochs_of(model)

    def _of_network(self) -> dict[str, Any]:
        """The hyperparameters that a network is made by."""
        return self.recipe().of_network() | {"dtype": self.dtype, "backend": self.backend}

    def _check_of_network(self) -> None:
        """Refuse hyperparameters that were changed, and of which a network that goes on would take no notice."""
        now = self._of_network()
        for name, before in self._made_by.items():  # of a pickle these may be fewer
            if now[name] != before:
                raise ValueError(
                    f"`{name}` must stay {before!r}, by which the network was made that goes on, got {now[name]!r}: "
                    "for a new network call `fit` with warm_start=False"
                )

    def _new_model(self, recipe: Recipe, data: Inputs, wanted: Targets, seed: int) -> Model:
        return recipe.model(
            data.x.shape[2], wanted.outputs, steps=data.steps, duration=data.duration, seed=seed,
            every_step=wanted.every_step, numbers=self.numbers, dtype=self.dtype, backend=self.backend,
        )  # fmt: skip

    def _train(self, X: Any, data: Inputs, wanted: Targets, weight: Array | None, given: dict[str, Any] | None) -> None:
        """Train a network, and keep it; ``given`` are data for validation."""
        self._check_online()
        seen = _seen(X, data)
        recipe, rng = self.recipe(), generator(self.random_state)
        model_seed, seed = _seeds(rng)
        settings: dict[str, Any] = {"loss": self.loss, "seed": seed, "verbose": self.verbose, **self._settings(wanted)}
        data, wanted, weight = _that_count(data, wanted, weight)
        model = self._warm(data, wanted) if checks.boolean("warm_start", self.warm_start) else None
        whole, classes = beside.Data(**_fit_arguments(data, wanted, weight)), 0 if self.numbers else wanted.outputs
        reads, report = None, {} if model is None else getattr(self, "report_", {})
        if model is None and self._takes_shortcut(recipe):
            reads = beside.choose(recipe, self._new_model(recipe, data, wanted, model_seed), whole, classes)
        stops, holds = checks.boolean("early_stopping", self.early_stopping), given is None
        if holds and (stops or reads is not None):
            share = checks.number(
                "validation_fraction", self.validation_fraction, high=1, low_open=True, high_open=True
            )
            known = np.arange(len(data.x)) if reads is None else np.flatnonzero(whole.known(wanted.every_step))
            held, rows = held_out.choose(data.part(known), wanted.part(known), share, rng, any_number=not stops)
            given = whole.part(known[held])._asdict()
            rows = np.sort(np.concatenate([known[rows], np.setdiff1d(np.arange(len(data.x)), known)]))
            data, wanted, weight = data.part(rows), wanted.part(rows), None if weight is None else weight[rows]
        if stops or not holds:
            settings["validation"] = given
        settings["callbacks"] = as_callbacks(self.callbacks)
        if stops:
            epochs = recipe.epochs_for(len(data.x), every_step=wanted.every_step)
            settings["callbacks"].append(EarlyStopping(self._patience(epochs)))
        if model is None:
            model = self._new_model(recipe, data, wanted, model_seed)
        else:  # its weights belong to its scales
            settings["standardize"] = False
        settings["augment"] = self.augment
        learnt: dict[str, Any] = _fit_arguments(data, wanted, weight)
        if reads is None:
            plain = replace(recipe, shortcut=None)
            history = plain.fit(model, sequences=len(data.x), each=self._each, **learnt, **settings)
        else:
            of, asked = beside.Data(**learnt), beside.Data(**(given or {}))
            model, history, report = beside.fit(
                recipe, model, reads, of, asked, classes, whole=whole if holds else None, each=self._each, **settings
            )
        self._keep(seen, data, wanted, model, history, None)
        self.report_: dict[str, Any] = report
        self.advice_: list[str] = advice(history, report, wanted.of_classes())
        if self.verbose:
            for sentence in self.advice_:
                print(f"ltc_np: {sentence}", file=sys.stderr)

    def _takes_shortcut(self, recipe: Recipe) -> bool:
        """Whether a line may stand beside the network."""
        if recipe.shortcut == "auto" and self.online is not None:
            return False
        if self.loss in beside.LOSSES or recipe.shortcut is None:
            return recipe.shortcut is not None
        if recipe.shortcut != "auto":
            raise ValueError(f'`shortcut` must be None or "auto" with loss={self.loss!r}, got {recipe.shortcut!r}')
        return False

    def _continue(self, X: Any, data: Inputs, wanted: Targets, weight: Array | None) -> None:
        """One epoch more with these sequences, by a constant learning rate; or a learner reads them."""
        recipe, seen = self.recipe(), _seen(X, data)
        settings: dict[str, Any] = {"loss": self.loss, "verbose": self.verbose, **self._settings(wanted)}
        data, wanted, weight = _that_count(data, wanted, weight)
        self._check_online()
        if hasattr(self, "model_"):
            self._check_of_network()
            model, optimizer = self.model_, getattr(self, "_optimizer", None)  # a file has none
            model.best = None  # of another training
        else:
            if recipe.shortcut not in (None, "auto"):
                raise ValueError(
                    f'`shortcut` must be None or "auto" where `partial_fit` begins, since it fits no line, got '
                    f"{recipe.shortcut!r}: call `fit` first"
                )
            model_seed, settings["seed"] = _seeds(generator(self.random_state))
            model, optimizer = self._new_model(recipe, data, wanted, model_seed), None
        if self.ensemble != 1:
            raise ValueError(f"`ensemble` must be 1 for `partial_fit`, which trains one network, got {self.ensemble!r}")
        if self.online is not None:
            self._stream(seen, data, wanted, weight, model)
            return
        optimizer = optimizer or AdamW()
        optimizer.lr, optimizer.weight_decay = recipe.learning_rate, recipe.weight_decay
        done = _epochs_of(model)
        settings |= {"optimizer": optimizer, "epochs": range(done, done + 1), "augment": self.augment}
        settings["callbacks"] = self.callbacks
        plain = replace(recipe, shortcut=None)
        history = plain.fit(model, sequences=len(data.x), **_fit_arguments(data, wanted, weight), **settings)
        self._keep(seen, data, wanted, model, history, optimizer)
        self.report_ = getattr(self, "report_", {})

    def _check_online(self) -> None:
        """Refuse what `partial_fit` could not learn by."""
        rule = self.online
        if rule is not None and not isinstance(rule, (Rule, Optimizer)):
            got = checks.brief(rule)
            raise TypeError(
                f"`online` must be a Rule such as RLS(), an optimiser such as Adam(1e-3), or None, got {got}"
            )
        if isinstance(rule, Rule) and losses.name_of(losses.get(cast("Any", self.loss))) != "mse":
            raise ValueError(
                f"`online` must be an optimiser such as Adam(1e-3) here, since {rule!r} learns by the mean squared "
                f"error, and {type(self).__name__} by {checks.brief(self.loss)}"
            )

    def _stream(self, seen: Any, data: Inputs, wanted: Targets, weight: Array | None, model: Model) -> None:
        """Let the learner of this network, or a new one, learn from these sequences; keep what it has become."""
        rule, loss = cast("Rule | Optimizer", self.online), cast("Any", self.loss)
        known: Streamed | None = getattr(self, "_streamed", None)
        if known is not None and known.model is model and known.rule == rule:
            learner = copy.deepcopy(known.learner)
        else:
            if not hasattr(self, "model_") and self.standardize:
                model.adapt(data.x, wanted.values if self.numbers else None, lengths=data.lengths)
            clip_norm = self.clip_norm if isinstance(rule, Optimizer) else None
            learner = Learner(model, rule, loss=loss, clip_norm=clip_norm)
        streamed.learn(learner, data, wanted, weight, self._settings(wanted).get("class_weight"))
        if not hasattr(self, "model_"):
            self._keep(seen, data, wanted, model, History(), None)
            self.report_ = {}
        elif hasattr(self, "temperature_"):
            delattr(self, "temperature_")  # the last layer keeps it, but it no longer calibrates what learns on
        self.learner_: Learner = learner
        warn_of_times(model.trained, data.dt, data.lengths)
        before = model.trained or Trained(0, 0, loss=losses.identity(cast("Any", losses.get(cast("Any", self.loss)))))
        self.model_, self._optimizer = learner.network(), None
        self.model_.trained = before._replace(dt=together([before.dt, range_of(data.dt, data.lengths)]))
        self._streamed = Streamed(learner, rule, self.model_)

    def _warm(self, data: Inputs, wanted: Targets) -> Model | None:
        """The network that is there, if there is one."""
        if not hasattr(self, "model_"):
            return None
        sizes = data.x.shape[2], wanted.outputs, wanted.every_step
        before = self.model_.input_size, self.model_.output_size, self.every_step_
        if sizes != before:
            raise ValueError(
                f"`warm_start` must be False for data of other sizes: features, outputs and answers at every step are "
                f"{sizes}, those of the network {before}"
            )
        self._check_of_network()
        return self.model_

    def _patience(self, epochs: int) -> int:
        """Of early stopping, in epochs."""
        given = self.n_iter_no_change
        return max(10, epochs // 10) if auto("n_iter_no_change", given) else checks.integer("n_iter_no_change", given)

    # ---------------------------------------------------------------------------------------------------- files

    def save(self, path: PathLike) -> None:
        """Write the fitted estimator to a file, whole or not at all: `load` reads one that gives the same answers.

        It is the file of `model_`, with the hyperparameters and the other attributes beside it, and holds no code; so
        `ltc_np.load` and the command line read its network, too.  The moments of an optimiser and `learner_` are not
        in it: `partial_fit` begins with new ones.

        Parameters
        ----------
        path : str or Path
            As for `Model.save`.

        Raises
        ------
        TypeError
            A hyperparameter that is no plain data, such as ``augment`` or a RandomState.  Nothing is written then.
        OSError, ValueError
            As of `Model.save`.
        """
        stored.save(self, path)

    @classmethod
    def load(cls, path: PathLike, backend: Backend | None = None) -> Self:
        """The estimator of a file that `save` of this class wrote.  Loading runs no code of the file.

        Parameters
        ----------
        path : str or Path
        backend : str, optional
            Default: that of the estimator when it was saved.

        Raises
        ------
        OSError, ValueError
            As of `ltc_np.load`, and for a file of something else.
        """
        return stored.load(cls, path, backend)

    # -------------------------------------------------------------------------------------------------- answers

    def spread(self, X: Any, dt: Any = None, lengths: Any = None) -> Any:
        """How far the networks of an ensemble are from each other: the standard deviation of their answers.

        It is large where the data of the training say little.  It knows nothing of noise in the targets, which all
        networks see alike, and nothing of a line beside them, which is the same for all: where that answers alone, it
        is 0.

        Parameters
        ----------
        X, dt, lengths
            As for `fit`.

        Returns
        -------
        array or list of the form of `predict`, of classifiers of `predict_proba`
            With k - 1 in the denominator; 0 behind the end of a sequence.
        """
        check_is_fitted(self)
        networks = members(self.model_)
        if len(networks) < 2:
            raise ValueError("`spread` needs an ensemble of several networks, got one: fit with ensemble=5")
        data = self._read(X, dt, lengths)
        found = [self._told(net.predict(data.x, dt=data.dt, lengths=data.lengths), data) for net in networks]
        spread = np.std(found, axis=0, ddof=1)
        return data.unpadded(spread) if self.every_step_ else spread

    def _told(self, y: Array, data: Inputs) -> Array:
        """What users are told of the outputs of a network: (B, ...) or (B, T, ...) float64, 0 behind the end."""
        return np.asarray(y, np.float64)

    def _answers(self, X: Any, dt: Any, lengths: Any) -> tuple[Inputs, Array]:
        """The sequences, and the network's outputs for them in float64: (B, O) or (B, T, O)."""
        check_is_fitted(self)
        data = self._read(X, dt, lengths)
        warn_of_clipped(members(self.model_)[0], data.x, data.lengths)
        y = self.model_.predict(data.x, dt=data.dt, lengths=data.lengths)
        return data, np.asarray(y, np.float64)


@dataclass(kw_only=True, eq=False, repr=False)
class LTCFields:
    """The hyperparameters that only an LTC has."""

    wiring: str = DEFAULT.wiring
    ode_unfolds: int = DEFAULT.ode_unfolds
    time_constants: tuple[float, float] | str | None = DEFAULT.time_constants


@dataclass(kw_only=True, eq=False, repr=False)
class CfCFields:
    """The hyperparameters that only a CfC has."""

    backbone_units: int = DEFAULT.backbone_units


def _seen(X: Any, data: Inputs) -> Any:
    """An estimator that has the attributes of scikit-learn that say what the inputs were."""
    seen: Any = BaseEstimator()
    if data.form == "table":
        validate_data(seen, X, reset=True, skip_check_array=True)
    else:
        seen.n_features_in_ = data.x.shape[2]
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


def _that_count(data: Inputs, wanted: Targets, weight: Array | None) -> tuple[Inputs, Targets, Array | None]:
    """Without the sequences of weight 0."""
    if weight is None or weight.all():
        return data, wanted, weight
    rows = weight.reshape(len(weight), -1).any(axis=1)
    return data.part(rows), wanted.part(rows), weight[rows]


def _fit_arguments(data: Inputs, wanted: Targets, weight: Array | None) -> dict[str, Any]:
    """The arguments of `fit` of a model that are data."""
    return {
        "x": data.x, "y": wanted.values, "dt": data.dt, "lengths": data.lengths, "sample_weight": weight,
    }  # fmt: skip
