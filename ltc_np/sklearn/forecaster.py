"""Series continued by a liquid network: docs/forecasting.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import losses
from ..base import checks
from ..base.levels import check_levels
from ..base.types import Array
from ..losses.quantile import check_quantiles
from ..model import Model
from ..network.elapsed import warn_of_times
from ..recipe import auto
from ..train.callbacks import EarlyStopping
from ..train.history import History
from . import conformal, curves, rollout
from .ahead import Ahead, Request, read_past
from .backtest import Backtest, measure, origins
from .base import DEFAULT, CfCFields, LTCFields, RecipeEstimator, generator
from .differencing import chosen_lag
from .framing import Frame, Prepared, frame_of
from .series import Collection, read
from .windows import Windows, cuts, held_out, training, window_and_hop

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from typing_extensions import Self


STRATEGIES = "direct", "recursive"
LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)
PATIENCE = 20


@dataclass(kw_only=True, eq=False, repr=False)
class LiquidForecaster(LTCFields, CfCFields, RecipeEstimator):
    """Series continued by a network with one liquid cell.

    The network reads a series step by step and answers at every step with quantiles of what comes next, so that one
    series gives many targets; it never reads what comes later.

    Parameters
    ----------
    strategy : "direct" or "recursive"
        "direct": the network answers all steps of the horizon at once.  "recursive": it answers the next step, reads
        its median as if it had been observed, and so on; then any horizon may be asked for.
    quantiles : tuple of two or more increasing floats in (0, 1) with 0.5 among them, or None
        What is learned of each step, by the pinball loss; the forecast is the median, others lie between them
        or beyond (linear in the quantiles of a normal distribution).  None: only a forecast, by the mean squared error.
    components : int >= 1 or None
        The network answers with the density of all that it forecasts at once, a mixture of so many normal densities,
        learned by its likelihood (`MixtureDensity`), and `quantiles` are those of the density.  None: each quantile is
        learned by itself.
    validation_fraction : float in [0, 1)
        Share of each series, at its end, that is held out at first: it says after how many epochs to stop, and how much
        wider or narrower intervals must be to cover what they should (split conformal prediction: docs/forecasting.md),
        for each step ahead by itself.  Intervals for 90 % need 9 values at the last step ahead, for 95 % 19.  Then the
        network is trained anew with all.  0: nothing is held out, all epochs are trained, and quantiles stay as they
        were learned, which is too narrow where a network knows its series by heart.
    window : int >= 2, optional
        Steps that the network reads before it answers, and the length of the sequences in training.  Default: 64, or
        twice the horizon and the lag of `difference` together if that is more, and at most half of the longest series.
    difference : int >= 1, "auto" or None
        The network reads differences to the value so many steps before, and forecasts the difference to the seasonal
        naive forecast: for trends 1, for months of a year 12.  None: values as they are.  "auto" takes the one of None,
        1 and the length of a season, if there is one, with which a linear function forecasts the last fifth of the
        series best: `ltc_np.sklearn.differencing`.
    in_advance : bool
        Exogenous values of the steps that are forecast are known, and given to `predict`; otherwise those of the past
        are read only, and the strategy must be "direct".
    paths : int >= 1
        Of the strategy "recursive": how many continuations are drawn for quantiles.
    cell, units, wiring, ode_unfolds, time_constants, backbone_units, mixed_memory, readout_units, dropout
        The network, as for `Recipe`.
    input_dropout, standardize, clip_inputs
        Of inputs, as for `Recipe`.
    learning_rate, schedule, weight_decay, clip_norm, epochs, batch_size, ensemble, n_jobs
        Its training, as for `Recipe`; `LiquidEstimator` says what the last two are.
    random_state : int, RandomState or None
        Of initial values, of the order of windows, of what is dropped, and of the paths.
    dtype, backend
        As for `Model`.
    verbose : bool, 0, 1 or 2
        As for `fit` of `Model`.

    Attributes
    ----------
    model_ : Model
        The network; ``model_.save(path)`` writes it to a file.
    history_ : History
        Of the training.
    horizon_ : int
    difference_ : int or None
        The differences that are read.
    n_iter_ : int
        Epochs of the training.
    network_ : Network
        The model and how it is used: its `Frame` says what it reads at a step.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.sklearn import LiquidForecaster
    >>> series = np.sin(np.arange(200) * 0.3)
    >>> forecaster = LiquidForecaster(units=8, epochs=30, random_state=0).fit(series, horizon=5)
    >>> forecaster.predict().shape, forecaster.predict_interval(coverage=0.9).shape
    ((5,), (5, 2))
    >>> bool(np.abs(forecaster.predict() - np.sin(np.arange(200, 205) * 0.3)).max() < 0.5)
    True
    """

    strategy: str = "direct"
    quantiles: tuple[float, ...] | None = LEVELS
    components: int | None = None
    validation_fraction: float = 0.2
    window: int | None = None
    difference: int | str | None = "auto"
    in_advance: bool = True
    paths: int = 500
    cell: str = DEFAULT.cell

    def fit(self, series: Any, horizon: int = 1, exogenous: Any = None, *, dt: Any = None) -> Self:
        """Train a new network.

        Parameters
        ----------
        series : (T,) or (T, F) array or frame, or a list of these of any lengths
            NaN is a value that is missing: it is no target, and the network reads the last one that is known, and which
            ones are.
        horizon : int >= 1
            Steps to forecast.
        exogenous : (T, E) or (T,) array, or a list of these, optional
            What else is known at each step.
        dt : number, (T,) array, or a list of these, optional
            Elapsed time before each step, of irregular series; default 1.

        Returns
        -------
        self
        """
        self._check(exogenous)
        horizon = checks.integer("horizon", horizon)
        data = read("series", series, exogenous, dt)
        ahead = horizon if self.strategy == "direct" else 1
        frame = frame_of(data, ahead, self._lag(data, horizon), self.in_advance)
        prepared = [frame.prepare(one) for one in data.series]
        window, hop = window_and_hop(frame, prepared, horizon, self.window)
        levels = (0.5,) if self.quantiles is None else check_quantiles(self.quantiles)
        rng = generator(self.random_state)
        seeds = rng.randint(np.iinfo(np.int32).max, size=3)
        recursive, density = self.strategy == "recursive", self.components is not None
        shifts: Array = np.zeros(())
        errors = np.zeros((frame.ahead, len(frame.first)), int) if self.validation_fraction else None
        ends = cuts(frame, prepared, self.validation_fraction)
        epochs, held = self.recipe().epochs_for(len(prepared), every_step=True), held_out(frame, prepared, ends, window)
        if held is not None:
            known = [one.until(end) for one, end in zip(prepared, ends, strict=True)]
            model, history = self._train(frame, levels, training(frame, known, window, hop), seeds, epochs, held)
            epochs = int(np.argmin(history["val_loss"])) + 1
            network = rollout.Network(model, frame, window, levels, shifts, errors, recursive, density).calibrated(held)
            shifts, errors = network.shifts, network.errors
        model, history = self._train(frame, levels, training(frame, prepared, window, hop), seeds, epochs)
        self.model_: Model = model
        self.history_: History = history
        self.horizon_: int = horizon
        self.difference_: int | None = frame.lag or None
        self.n_iter_: int = epochs
        self.network_: rollout.Network = rollout.Network(
            model, frame, window, levels, shifts, errors, recursive, density
        )
        self._ends = [one.last(window + frame.lag) for one in prepared]
        self._form, self._path_seed = data.form, int(seeds[2])
        return self

    def _check(self, exogenous: Any) -> None:
        """Refuse what neither the recipe nor `read` checks."""
        if exogenous is not None and self.strategy == "recursive" and not self.in_advance:
            raise ValueError(
                "`strategy` must be 'direct' for exogenous values that are not known in advance, got 'recursive', "
                "which would need those of the steps it has forecast"
            )
        checks.one_of("strategy", self.strategy, STRATEGIES)
        checks.boolean("in_advance", self.in_advance)
        checks.integer("paths", self.paths)
        checks.number("validation_fraction", self.validation_fraction, high=1, high_open=True)
        if self.window is not None:
            checks.integer("window", self.window, 2)
        if self.difference is not None and not auto("difference", self.difference):
            checks.integer("difference", self.difference)
        if self.quantiles is not None and (len(check_quantiles(self.quantiles)) < 2 or 0.5 not in self.quantiles):
            raise ValueError(f"`quantiles` must be two or more, 0.5 among them, got {self.quantiles}")
        if self.components is not None:
            checks.integer("components", self.components)
            if self.quantiles is None or self.ensemble > 1:
                name, got = ("quantiles", None) if self.quantiles is None else ("ensemble", self.ensemble)
                raise ValueError(f"`components` must be None with {name}={got}, got {self.components}")

    def _lag(self, data: Collection, horizon: int) -> int:
        """Of the differences that are read, 0 for none."""
        if self.difference is None:
            return 0
        return chosen_lag(data, horizon, self.in_advance) if isinstance(self.difference, str) else self.difference

    def _train(
        self,
        frame: Frame,
        levels: tuple[float, ...],
        windows: Windows,
        seeds: Any,
        epochs: int,
        held: Windows | None = None,
    ) -> tuple[Model, History]:
        """A network that has learned from windows; the weights of the epoch that is best for those held out."""
        recipe, B, O = self.recipe(), len(windows.x), windows.y.shape[2]
        model = recipe.model(
            frame.features, O if self.components else O * len(levels), steps=float(windows.lengths.mean()),
            duration=None if windows.dt is None else float(windows.dt.sum() / B) or None, every_step=True, numbers=True,
            components=self.components, seed=int(seeds[0]), dtype=self.dtype, backend=self.backend,
        )  # fmt: skip
        loss: Any = "mse" if self.quantiles is None else partial(losses.quantile, quantiles=levels)
        loss = loss if self.components is None else "mixture_density"
        settings: dict[str, Any] = {"loss": loss, "missing": "ignore", "seed": int(seeds[1]), "verbose": self.verbose}
        if held is not None:
            settings |= {"validation": held.data(), "callbacks": [EarlyStopping(PATIENCE)]}
        return model, recipe.fit(model, sequences=B, each=self._each, epochs=epochs, **windows.data(), **settings)

    def predict(self, horizon: int | None = None, past: Any = None, **ahead: Any) -> Any:
        """The forecast: the median, or the mean without `quantiles`.

        Parameters
        ----------
        horizon : int >= 1, optional
            Steps to forecast; default as in `fit`, which is the most that the strategy "direct" can.
        past : (T,) or (T, F) array or frame, or a list of these, optional
            What was observed before the first forecast; the last `window` steps are read.  Default: the series of
            `fit`, which are continued.
        exogenous : (horizon, E) array, or a list of these
            Exogenous values of the steps that are forecast, if they are known in advance.  The strategy "direct" reads
            them, and ``dt``, of all steps of the horizon of `fit`.
        dt : number or (horizon,) array, or a list of these
            Elapsed time before each of them, if `fit` had elapsed times.
        past_exogenous, past_dt
            Of the steps of ``past``, if `fit` had such values.

        Returns
        -------
        (horizon,) or (horizon, F) array, or a Series or frame of pandas, as the past was; a list of these for a list
            An index goes on as it has gone; where that is not known the rows are the numbers of the steps.
        """
        request = self._request(horizon, past, ahead)
        return request.form.of(self._medians(request.ends, request.horizon))

    def predict_quantiles(
        self, levels: Any = (0.1, 0.5, 0.9), horizon: int | None = None, past: Any = None, **ahead: Any
    ) -> Any:
        """Quantiles of what may come.

        Those of p and 1 - p are the ends of an interval, which are moved by the same number: what is promised is the
        share between them, and not how much of the rest is below.

        Parameters
        ----------
        levels : (n,) numbers in (0, 1)
            Also others than those that were learned.
        horizon, past, exogenous, dt, past_exogenous, past_dt
            As for `predict`.

        Returns
        -------
        (horizon, n) or (horizon, F, n) array, or a frame with a column for each level, or a list of these

        Warns
        -----
        RuntimeWarning
            Too few values were held out for quantiles so far out.
        """
        wanted = check_levels("levels", levels)
        return self._spread(wanted, wanted.tolist(), self._request(horizon, past, ahead))

    def predict_interval(
        self, coverage: float = 0.9, horizon: int | None = None, past: Any = None, **ahead: Any
    ) -> Any:
        """Where what comes lies with probability ``coverage``: quantiles with as much below as above.

        Parameters
        ----------
        coverage : float in (0, 1)
        horizon, past, exogenous, dt, past_exogenous, past_dt
            As for `predict`.

        Returns
        -------
        (horizon, 2) or (horizon, F, 2) array, or a frame with the columns "lower" and "upper", or a list of these
            The lower and the upper end.

        Warns
        -----
        RuntimeWarning
            Too few values were held out for this coverage; docs/forecasting.md says what the ends are then.
        """
        request = self._request(horizon, past, ahead)
        return self._spread(curves.ends("coverage", coverage), ["lower", "upper"], request)

    def plot(
        self,
        horizon: int | None = None,
        past: Any = None,
        *,
        coverage: float = 0.9,
        series: int = 0,
        feature: int = 0,
        ax: Axes | None = None,
        **ahead: Any,
    ) -> Axes:
        """Draw the last values, the forecast, and its intervals.

        Parameters
        ----------
        horizon, past, exogenous, dt, past_exogenous, past_dt
            As for `predict`.
        coverage : float in (0, 1)
            Of the intervals; without `quantiles` there are none.
        series, feature : int
            Which series of a list, and which of its values.
        ax : matplotlib.axes.Axes, optional
            Default: those of a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            Over the dates of an index that goes on; else over steps, of which 0 is the last that was observed.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from .. import plot  # slow to import, and only pictures need it

        request = self._request(horizon, past, ahead)
        k = checks.integer("series", series, 0, len(request.ends) - 1)
        (one, T), H, labels = request.ends[k], request.horizon, request.form.labels[k]
        f = checks.integer("feature", feature, 0, one.values.shape[1] - 1)
        dates, gap = None if labels is None else labels.dates(T, H), np.full(H, np.nan)
        name = None if labels is None else labels.name if labels.columns is None else labels.columns[f]

        def beside(values: Array) -> Array:
            return np.append(np.full(T, np.nan), values)

        intervals = None
        if self.network_.spreads:
            low, high = self._quantiles(request.ends, H, curves.ends("coverage", coverage))[k, :, f].T
            intervals = {coverage: (beside(low), beside(high))}
        ax = plot.predictions(
            np.arange(1 - T, H + 1) if dates is None else dates,
            np.append(np.where(one.known, one.values, np.nan)[:T, f], gap),
            beside(self._medians(request.ends, H)[k, :, f]),
            intervals=intervals,
            names=None if name is None else [str(name)],
            ax=ax,
        )
        ax.set_xlabel("steps after the last value" if dates is None else "time")
        return ax

    def backtest(
        self,
        series: Any,
        start: int,
        exogenous: Any = None,
        *,
        dt: Any = None,
        season: int = 1,
        step: int = 1,
        coverage: float = 0.9,
    ) -> Backtest:
        """Forecasts from many times of a series, each from what was known then, beside naive ones.

        The network is not trained anew: give `fit` the part before ``start`` alone, else it has seen the answers.

        Parameters
        ----------
        series, exogenous, dt
            As for `fit`; each series of a list is gone through.
        start : int
            The step of the first forecast; from the steps before it comes the unit of the scaled error.
        season : int >= 1
            Steps of a season, for the seasonal naive forecast.
        step : int >= 1
            Steps from one time to the next.
        coverage : float in (0, 1)
            Of the intervals whose true coverage is counted.

        Returns
        -------
        Backtest
            Errors for each step of the horizon; ``print`` shows a table.
        """
        check_is_fitted(self)
        frame, H = self.network_.frame, self.horizon_
        data = read("series", series, exogenous, dt)
        prepared = read_past("series", data, frame)
        times = origins(prepared, start, H, step, max(frame.lag, season) + 1)
        ends = [(prepared[k], T) for k, T in times]
        self._warn_of_times([(one, start) for one in prepared])
        within = None if not self.network_.spreads else self._quantiles(ends, H, curves.ends("coverage", coverage))
        return measure(prepared, times, self._medians(ends, H), within, start, season)

    def _request(self, horizon: Any, past: Any, ahead: dict[str, Any]) -> Request:
        """What a call asks for, checked."""
        check_is_fitted(self)
        if np.ndim(horizon):
            raise TypeError(f"`horizon` must be an int >= 1, got {checks.brief(horizon)}: give values as past=...")
        horizon = checks.integer("horizon", self.horizon_ if horizon is None else horizon)
        direct = not self.network_.recursive
        if direct and horizon > self.horizon_:
            raise ValueError(
                f"`horizon` must be at most that of fit, {self.horizon_}, with strategy 'direct', got {horizon}: fit "
                "with a longer one, or with strategy='recursive'"
            )
        steps = self.horizon_ if direct else horizon
        found = Ahead.read(ahead).request(horizon, steps, past, self._ends, self._form, self.network_.frame)
        self._warn_of_times(found.ends)
        return found

    def _warn_of_times(self, ends: list[tuple[Prepared, int]]) -> None:
        """One warning of elapsed times that are far from those of fit: of the steps ahead and, with "recursive", of the
        past too.  With "direct" `predict` of the network, which reads the past, warns of that."""
        if self.network_.frame.timed:
            unread = [np.asarray(one.dt)[0 if self.network_.recursive else T :] for one, T in ends]
            warn_of_times(self.network_.model.trained, unread)

    def _spread(self, levels: Array, names: list[Any], request: Request) -> Any:
        """Quantiles in the form of what they continue."""
        return request.form.of(self._quantiles(request.ends, request.horizon, levels), names)

    def _medians(self, ends: list[tuple[Prepared, int]], horizon: int) -> Array:
        """(B, horizon, F)."""
        if self.network_.recursive:
            return rollout.recursive(self.network_, ends, horizon, rollout.median(self.network_))
        return rollout.direct(self.network_, ends, np.array([0.5]))[:, :horizon, :, 0]

    def _quantiles(self, ends: list[tuple[Prepared, int]], horizon: int, levels: Array) -> Array:
        """(B, horizon, F, n)."""
        if not self.network_.spreads:
            raise ValueError("`quantiles` must be given to forecast them, or intervals, got None")
        if self.network_.errors is not None:
            conformal.warn_of_few(levels, self.network_.errors[:horizon])
        if not self.network_.recursive:
            return rollout.direct(self.network_, ends, levels)[:, :horizon]
        rng = np.random.RandomState(self._path_seed)
        choose = rollout.drawn(self.network_, rng)
        paths = (rollout.recursive(self.network_, [end], horizon, choose, self.paths) for end in ends)
        return np.stack([np.moveaxis(np.quantile(path, levels, axis=0), 0, -1) for path in paths])
