"""Estimators whose answers are labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.metrics import accuracy_score

from .. import analysis, losses
from ..base import checks
from ..base.types import Array, Loss, Numbers
from ..metrics import CalibrationError
from . import targets
from .base import CfCFields, LiquidEstimator, LTCFields
from .inputs import Inputs
from .targets import Targets

if TYPE_CHECKING:
    from typing_extensions import Self


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifierMixin, LiquidEstimator):
    """Labels, one for each sequence or for each step.

    Parameters
    ----------
    class_weight : dict from labels to weights, "balanced", or None
        Factors of the weights of targets; labels that are not named have 1.  "balanced" is n / (C n_c), with n_c of the
        n targets in class c of C.

    Attributes
    ----------
    classes_ : (C,) array
        The labels, in order; columns of probabilities are in this order.
    temperature_ : float
        After `calibrate`: what the logits were divided by.
    """

    class_weight: Mapping[Any, float] | str | None = None

    loss: ClassVar[Loss] = "cross_entropy"
    numbers: ClassVar[bool] = False

    def partial_fit(
        self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None, dt: Any = None, lengths: Any = None
    ) -> Self:
        """Train for one epoch more, by the constant `learning_rate`.

        The first call makes the network and takes the scales of its data; give it as many sequences as you have.  With
        ``online`` a learner goes through the sequences instead, as for `LTCRegressor.partial_fit`.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.
        classes : (C,) array
            All labels there will ever be; needed in the first call.
        """
        if self.class_weight == "balanced":
            raise ValueError(
                "`class_weight` must be a dict or None for `partial_fit`, which sees not all targets, got 'balanced'"
            )
        first = not hasattr(self, "model_")
        if first and classes is None:
            raise ValueError("`classes` must be passed on the first call to partial_fit, got None")
        known = np.unique(classes) if first else self.classes_
        if classes is not None and list(np.unique(classes)) != list(known):
            raise ValueError(f"`classes` must be those of the first call, {known.tolist()}, got {list(classes)}")
        return self._partial_fit(X, y, sample_weight, dt, lengths, known)

    def _targets(self, y: Any, data: Inputs, classes: Numbers | None = None) -> Targets:
        labels, every_step = targets.read_labels(targets.required(self, y), data, self.every_step)
        if classes is None:
            classes = np.unique(labels)
            if len(classes) < 2:
                raise ValueError(f"`y` must have at least 2 classes, got 1 class: {classes.tolist()[0]!r}")
            if self.warm_start and hasattr(self, "classes_") and list(classes) != list(self.classes_):
                before, got = self.classes_.tolist(), classes.tolist()
                raise ValueError(f"`warm_start` must be False for other classes than {before}, got {got}")
        return targets.as_targets(_numbers_of(labels, classes), classes, data, every_step)

    def _settings(self, wanted: Targets) -> Mapping[str, Any]:
        assert wanted.classes is not None
        return {"class_weight": self._weights(wanted.classes)}

    def _weights(self, classes: Numbers) -> Any:
        """``class_weight`` for `fit` of a model, which knows classes by their numbers."""
        chosen = self.class_weight
        if chosen is None or (isinstance(chosen, str) and chosen == "balanced"):
            return chosen
        if not isinstance(chosen, Mapping):
            raise ValueError(f"`class_weight` must be a dict, 'balanced' or None, got {checks.brief(chosen)}")
        numbers = {label: k for k, label in enumerate(classes.tolist())}
        for label in chosen:
            if label not in numbers:
                raise ValueError(f"`class_weight` must name labels of y, {classes.tolist()}, got {label!r}")
        return {numbers[label]: weight for label, weight in chosen.items()}

    def predict_proba(self, X: Any, dt: Any = None, lengths: Any = None) -> Any:
        """The probabilities of the classes.

        Parameters
        ----------
        X, dt, lengths
            As for `fit`.

        Returns
        -------
        (n, C) array of float64; (n, T, C) or a list of (T_i, C), as the sequences came, with labels at every step
            0 behind the end of a sequence.
        """
        data, logits = self._answers(X, dt, lengths)
        p = self._told(logits, data)
        return data.unpadded(p) if self.every_step_ else p

    def predict_log_proba(self, X: Any, dt: Any = None, lengths: Any = None) -> Any:
        """Logarithms of the probabilities, exact where these are too small for a number.

        Parameters
        ----------
        X, dt, lengths
            As for `fit`.

        Returns
        -------
        Like `predict_proba`
            -inf behind the end of a sequence.
        """
        data, logits = self._answers(X, dt, lengths)
        logits -= logits.max(axis=-1, keepdims=True)
        logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        if self.every_step_ and data.valid is not None:
            logits[~data.valid] = -np.inf
        return data.unpadded(logits) if self.every_step_ else logits

    def _told(self, y: Array, data: Inputs) -> Array:
        p = losses.probabilities(super()._told(y, data))
        if self.every_step_ and data.valid is not None:
            p[~data.valid] = 0
        return p

    def predict(self, X: Any, dt: Any = None, lengths: Any = None) -> Any:
        """The most probable labels.

        Parameters
        ----------
        X, dt, lengths
            As for `fit`.

        Returns
        -------
        (n,) array of labels; (n, T) or a list of (T_i,), as the sequences came, with labels at every step
            The first class behind the end of a sequence.
        """
        data, logits = self._answers(X, dt, lengths)
        labels = self.classes_[logits.argmax(axis=-1)]
        return data.unpadded(labels) if self.every_step_ else labels

    def calibrate(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> Self:
        """Divide the logits by the temperature that is best for these sequences, which `fit` must not have seen.

        Decisions stay as they are; probabilities become such as the sequences say (`calibration_error`).  The
        temperature stands in the last layer of ``model_``, so that its file has it, and in ``temperature_``; a second
        call finds it anew, as if there had been none.  Of an ensemble the mean of the probabilities is calibrated.  A
        network that learns on (`partial_fit`, ``warm_start``) keeps that layer, and should be calibrated again: what
        is found then is by what its logits are divided further.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.

        Returns
        -------
        self
        """
        logits, numbers, weight = self._judged(X, y, sample_weight, dt, lengths)
        before: float = getattr(self, "temperature_", 1.0)  # the logits are divided by it already
        self.temperature_: float = analysis.temperature(before * logits, numbers, weight)
        self.model_ = analysis.calibrated(self.model_, self.temperature_ / before)
        return self

    def calibration_error(
        self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None, *, bins: int = 15
    ) -> float:
        """How far the probabilities of the decisions are from the share of right ones: `metrics.CalibrationError`.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.
        bins : int >= 1
        """
        metric = CalibrationError(bins)
        metric.update(*self._judged(X, y, sample_weight, dt, lengths))
        return metric.result()

    def brier_score(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> float:
        """The mean of the squared errors of the probabilities, summed over the classes: 0 is perfect, 2 all wrong.

        A label that `fit` has not seen has probability 0.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.
        """
        data, logits = self._answers(X, dt, lengths)
        true, _ = targets.read_labels(targets.required(self, y), data, self.every_step_)
        weight = targets.read_weight(sample_weight, data, self.every_step_)
        p, weight = targets.in_rows(self._told(logits, data), weight, data, self.every_step_)
        of_class = true[:, None] == self.classes_
        return float(np.average(((p - of_class) ** 2).sum(axis=1) + ~of_class.any(axis=1), weights=weight))

    def _judged(self, X: Any, y: Any, sample_weight: Any, dt: Any, lengths: Any) -> tuple[Array, Numbers, Array | None]:
        """Logits, numbers of classes and weights of all that counts, a sequence or a step a row."""
        data, logits = self._answers(X, dt, lengths)
        true, _ = targets.read_labels(targets.required(self, y), data, self.every_step_)
        weight = targets.read_weight(sample_weight, data, self.every_step_)
        logits, weight = targets.in_rows(logits, weight, data, self.every_step_)
        return logits, _numbers_of(true, self.classes_), weight

    def score(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> float:
        """The share of right labels, of all sequences or of all steps that count.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.
        """
        data, logits = self._answers(X, dt, lengths)
        true, _ = targets.read_labels(targets.required(self, y), data, self.every_step_)
        weight = targets.read_weight(sample_weight, data, self.every_step_)
        found, weight = targets.in_rows(logits.argmax(axis=-1), weight, data, self.every_step_)
        return float(accuracy_score(true, self.classes_[found], sample_weight=weight))


def _numbers_of(labels: Numbers, classes: Numbers) -> Numbers:
    """Which of the classes each label is."""
    unknown = np.setdiff1d(labels, classes)
    if len(unknown):
        raise ValueError(f"`y` must have labels of the classes {classes.tolist()}, got {unknown.tolist()[0]!r}")
    return np.searchsorted(classes, labels)


@dataclass(kw_only=True, eq=False, repr=False)
class LTCClassifier(LTCFields, Classifier):
    """Sequences to labels by a liquid time-constant network.

    Parameters
    ----------
    wiring, ode_unfolds, time_constants
        The LTC, as for `Recipe`.
    units, conv_layers, mixed_memory, bidirectional, readout, readout_units, dropout, input_dropout, shortcut
        The network, as for `Recipe`.
    standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size, ensemble, n_jobs
        Its training, as for `Recipe`; `LiquidEstimator` says what the last two are.
    every_step, early_stopping, validation_fraction, n_iter_no_change, augment, callbacks, warm_start, tune, online
        As for `LiquidEstimator`.
    random_state, dtype, backend, verbose
        As for `LiquidEstimator`, which says too what attributes there are; ``classes_`` are the labels in order.
    class_weight : dict from labels to weights, "balanced", or None
        Factors of the weights of targets; labels that are not named have 1.  "balanced" is n / (C n_c), with n_c of the
        n targets in class c of C.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.sklearn import LTCClassifier
    >>> X = np.random.default_rng(0).normal(size=(60, 10, 1))
    >>> y = np.where(X.sum(axis=(1, 2)) > 0, "up", "down")
    >>> classifier = LTCClassifier(units=8, epochs=30, random_state=0).fit(X, y)
    >>> classifier.classes_.tolist(), classifier.predict_proba(X).shape
    (['down', 'up'], (60, 2))
    """

    cell: ClassVar[str] = "ltc"


@dataclass(kw_only=True, eq=False, repr=False)
class CfCClassifier(CfCFields, Classifier):
    """Sequences to labels by a closed-form continuous-time network.

    Parameters
    ----------
    backbone_units
        The CfC, as for `Recipe`.
    units, conv_layers, mixed_memory, bidirectional, readout, readout_units, dropout, input_dropout, shortcut
        The network, as for `Recipe`.
    standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size, ensemble, n_jobs
        Its training, as for `Recipe`; `LiquidEstimator` says what the last two are.
    every_step, early_stopping, validation_fraction, n_iter_no_change, augment, callbacks, warm_start, tune, online
        As for `LiquidEstimator`.
    random_state, dtype, backend, verbose
        As for `LiquidEstimator`, which says too what attributes there are; ``classes_`` are the labels in order.
    class_weight : dict from labels to weights, "balanced", or None
        As for `LTCClassifier`.
    """

    cell: ClassVar[str] = "cfc"


@dataclass(kw_only=True, eq=False, repr=False)
class GRUClassifier(Classifier):
    """Sequences to labels by gated recurrent units, which know no elapsed time.

    Parameters
    ----------
    units, conv_layers, mixed_memory, bidirectional, readout, readout_units, dropout, input_dropout, shortcut
        The network, as for `Recipe`.
    standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size, ensemble, n_jobs
        Its training, as for `Recipe`; `LiquidEstimator` says what the last two are.
    every_step, early_stopping, validation_fraction, n_iter_no_change, augment, callbacks, warm_start, tune, online
        As for `LiquidEstimator`.
    random_state, dtype, backend, verbose
        As for `LiquidEstimator`, which says too what attributes there are; ``classes_`` are the labels in order.
    class_weight : dict from labels to weights, "balanced", or None
        As for `LTCClassifier`.
    """

    cell: ClassVar[str] = "gru"


@dataclass(kw_only=True, eq=False, repr=False)
class LSTMClassifier(Classifier):
    """Sequences to labels by a long short-term memory, which knows no elapsed time.

    Parameters
    ----------
    units, conv_layers, mixed_memory, bidirectional, readout, readout_units, dropout, input_dropout, shortcut
        The network, as for `Recipe`.
    standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size, ensemble, n_jobs
        Its training, as for `Recipe`; `LiquidEstimator` says what the last two are.
    every_step, early_stopping, validation_fraction, n_iter_no_change, augment, callbacks, warm_start, tune, online
        As for `LiquidEstimator`.
    random_state, dtype, backend, verbose
        As for `LiquidEstimator`, which says too what attributes there are; ``classes_`` are the labels in order.
    class_weight : dict from labels to weights, "balanced", or None
        As for `LTCClassifier`.
    """

    cell: ClassVar[str] = "lstm"
