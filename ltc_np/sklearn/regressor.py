"""Estimators whose answers are numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score

from ..base.types import Array, Loss, Missing, Numbers
from . import targets
from .base import CfCFields, LiquidEstimator, LTCFields
from .inputs import Inputs
from .targets import Targets

if TYPE_CHECKING:
    from typing_extensions import Self


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

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> Self:
        """Train for one epoch more, by the constant `learning_rate`; arguments are those of `fit`.

        The first call makes the network and takes the scales of its data; give it as many sequences as you have.

        With ``online`` a learner goes through the sequences instead, and learns from each target once; the network must
        be one that reads forward only, without a line beside it.
        """
        return self._partial_fit(X, y, sample_weight, dt, lengths, None)

    def _targets(self, y: Any, data: Inputs, classes: Numbers | None = None) -> Targets:
        return targets.read_numbers(targets.required(self, y), data, self.every_step, self.missing)

    def _settings(self, wanted: Targets) -> Mapping[str, Any]:
        return {"missing": self.missing}

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
        data, y = self._answers(X, dt, lengths)
        y = self._told(y, data)
        return data.unpadded(y) if self.every_step_ else y

    def _told(self, y: Array, data: Inputs) -> Array:
        y = super()._told(y, data)
        return y[..., 0] if self._flat else y

    def score(self, X: Any, y: Any, sample_weight: Any = None, dt: Any = None, lengths: Any = None) -> float:
        """The coefficient of determination R², over all sequences or over all steps that count.

        Of several outputs it is the mean, each over the targets of its own that are not missing.

        Parameters
        ----------
        X, y, sample_weight, dt, lengths
            As for `fit`.
        """
        data, found = self._answers(X, dt, lengths)
        wanted = targets.read_numbers(targets.required(self, y), data, self.every_step_, self.missing)
        weight = targets.read_weight(sample_weight, data, self.every_step_)
        true, weight = targets.in_rows(wanted.values, weight, data, self.every_step_)
        found, _ = targets.in_rows(found, None, data, self.every_step_)
        known = ~np.isnan(true)
        if self.missing == "error" and not known.all():
            raise ValueError('`y` must be finite, got NaN: for targets that are missing give missing="ignore"')
        of_outputs = [
            r2_score(true[rows, k], found[rows, k], sample_weight=None if weight is None else weight[rows])
            for k, rows in enumerate(known.T)
        ]
        return float(np.mean(of_outputs))


@dataclass(kw_only=True, eq=False, repr=False)
class LTCRegressor(LTCFields, Regressor):
    """Sequences to numbers by a liquid time-constant network.

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

    cell: ClassVar[str] = "ltc"


@dataclass(kw_only=True, eq=False, repr=False)
class CfCRegressor(CfCFields, Regressor):
    """Sequences to numbers by a closed-form continuous-time network.

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
        As for `LiquidEstimator`, which says too what attributes there are.
    missing : "error" or "ignore"
        What NaN in y means: an error, or a target that is missing and weighs nothing.
    """

    cell: ClassVar[str] = "cfc"


@dataclass(kw_only=True, eq=False, repr=False)
class GRURegressor(Regressor):
    """Sequences to numbers by gated recurrent units, which know no elapsed time.

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
        As for `LiquidEstimator`, which says too what attributes there are.
    missing : "error" or "ignore"
        As for `LTCRegressor`.
    """

    cell: ClassVar[str] = "gru"


@dataclass(kw_only=True, eq=False, repr=False)
class LSTMRegressor(Regressor):
    """Sequences to numbers by a long short-term memory, which knows no elapsed time.

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
        As for `LiquidEstimator`, which says too what attributes there are.
    missing : "error" or "ignore"
        As for `LTCRegressor`.
    """

    cell: ClassVar[str] = "lstm"
