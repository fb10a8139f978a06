"""Estimators whose answers are numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from . import inputs, targets
from .base import CfCFields, LiquidEstimator, LTCFields

if TYPE_CHECKING:
    from typing_extensions import Self

    from ..base.types import Loss, Missing
    from .inputs import Given
    from .targets import Targets


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(RegressorMixin, LiquidEstimator):
    """Numbers, one or several for each sequence or for each step.

    Parameters
    ----------
    missing : "error" or "ignore"
        What NaN in y means: an error, or a target that is missing and weighs nothing.
    """

    missing: Missing = "error"

    loss: ClassVar[Loss] = "mse"
    numbers: ClassVar[bool] = True

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        X : (n, T, features) array, (n, T) array or frame, or list of (T_i, features) arrays
            Sequences; a table has one feature, whose steps are the columns.
        y : (n,) or (n, outputs) array; (n, T, outputs) array, or list of (T_i,) or (T_i, outputs) arrays
            One target for each sequence; or one for each step, and also (n, T) with ``every_step=True``.
        sample_weight : (n,) array, or (n, T) with targets at every step, optional
        dt : number, (T,) or (n, T) array, or list of (T_i,) arrays, optional
            Elapsed time before each step; default 1.
        lengths : (n,) integers, optional
            Steps of each sequence of an array that is padded at the end.

        Returns
        -------
        self
        """
        given = inputs.read(self, X, dt, lengths)
        wanted = self._targets(y, given)
        weight = targets.read_weight(sample_weight, given, wanted.every_step)
        self._train(X, given, wanted, weight, {"missing": self.missing})
        self._flat = wanted.flat
        return self

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> Self:
        """Train for one epoch more, by the constant `learning_rate`; arguments are those of `fit`.

        The first call makes the network and takes the scales of its data; give it as many sequences as you have.
        """
        first = not hasattr(self, "model_")
        given = inputs.read(self, X, dt, lengths) if first else self._read(X, dt, lengths)
        wanted = self._targets(y, given)
        if not first and (wanted.outputs, wanted.every_step) != (self.model_.output_size, self.every_step_):
            raise ValueError("`y` must be of the form of the first call")
        weight = targets.read_weight(sample_weight, given, wanted.every_step)
        self._continue(X, given, wanted, weight, {"missing": self.missing})
        self._flat = wanted.flat
        return self

    def _targets(self, y: Any, given: Given) -> Targets:
        return targets.read_numbers(targets.required(self, y), given, self.every_step, self.missing)

    def predict(self, X: Any, dt: Any = None, lengths: Any = None) -> Any:
        """The answers.

        Parameters
        ----------
        X, dt, lengths
            As for `fit`.

        Returns
        -------
        (n,) or (n, outputs) array of float64; (n, T), (n, T, outputs) or a list, as the targets were
            0 behind the end of a sequence.
        """
        given, y = self._answers(X, dt, lengths)
        y = y[..., 0] if self._flat else y
        return given.unpadded(y) if self.every_step_ else y

    def score(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> float:
        """The coefficient of determination R², over all sequences or over all steps that count.

        Of several outputs it is the mean, each over the targets of its own that are not missing.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.
        """
        given, found = self._answers(X, dt, lengths)
        wanted = targets.read_numbers(targets.required(self, y), given, self.every_step_, self.missing)
        weight = targets.read_weight(sample_weight, given, self.every_step_)
        true, weight = targets.in_rows(wanted.values, weight, given, self.every_step_)
        found, _ = targets.in_rows(found, None, given, self.every_step_)
        known = ~np.isnan(true)
        if self.missing == "error" and not known.all():
            raise ValueError('`y` must be finite, got NaN: for targets that are missing give missing="ignore"')
        return float(
            np.mean(
                [
                    r2_score(true[rows, k], found[rows, k], sample_weight=None if weight is None else weight[rows])
                    for k, rows in enumerate(known.T)
                ]
            )
        )


@dataclass(kw_only=True, eq=False, repr=False)
class LTCRegressor(LTCFields, Regressor):
    """Sequences to numbers by a liquid time-constant network.

    Parameters
    ----------
    wiring, ode_unfolds, time_constants
        The LTC, as for `Recipe`.
    units, mixed_memory, bidirectional, readout, dropout, standardize
        The network, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size
        Its training, as for `Recipe`.
    every_step, early_stopping, validation_fraction, n_iter_no_change, warm_start, random_state, dtype, backend, verbose
        As for `LiquidEstimator`, which says too what attributes there are.
    missing : "error" or "ignore"
        What NaN in y means: an error, or a target that is missing and weighs nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.sklearn import LTCRegressor
    >>> X = np.random.default_rng(0).normal(size=(60, 10, 2))
    >>> y = X.sum(axis=(1, 2))
    >>> regressor = LTCRegressor(units=8, epochs=30, random_state=0).fit(X, y)
    >>> bool(regressor.score(X, y) > 0.5)
    True
    """


@dataclass(kw_only=True, eq=False, repr=False)
class CfCRegressor(CfCFields, Regressor):
    """Sequences to numbers by a closed-form continuous-time network.

    Parameters
    ----------
    backbone_units
        The CfC, as for `Recipe`.
    units, mixed_memory, bidirectional, readout, dropout, standardize
        The network, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size
        Its training, as for `Recipe`.
    every_step, early_stopping, validation_fraction, n_iter_no_change, warm_start, random_state, dtype, backend, verbose
        As for `LiquidEstimator`, which says too what attributes there are.
    missing : "error" or "ignore"
        What NaN in y means: an error, or a target that is missing and weighs nothing.
    """
