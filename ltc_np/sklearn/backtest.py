"""Forecasts from many times of series, and how good they are beside naive ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..base import checks
from ..base.checks import counted
from ..base.notebook import html_table
from ..base.types import Array, Ints
from .framing import Prepared, naive_steps

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, repr=False)
class Backtest:
    """Errors of forecasts for each of H steps ahead; n forecasts of F values a step.

    Attributes
    ----------
    mae, rmse : (H,) arrays
        Mean absolute error, and root of the mean squared error.
    naive_mae, seasonal_mae : (H,) arrays
        Mean absolute errors of the last value, and of the last value of the same season.
    mase : (H,) array
        Mean absolute scaled error: absolute errors in units of the mean absolute difference between values one season
        apart, before the first forecast, of each series and each of its values; NaN where that is 0.
    coverage : (H,) array or None
        Share of the values that lay within their interval; None without quantiles.
    forecasts, actual : (n, H, F) arrays
        NaN where a value is missing, which counts nowhere.
    intervals : (n, H, F, 2) array or None
    origins : (n, 2) int array
        The series and the step of each first forecast.
    season : int

    References
    ----------
    Hyndman and Koehler, "Another look at measures of forecast accuracy", Int. J. Forecasting 22 (2006), 679-688.
    """

    mae: Array
    rmse: Array
    naive_mae: Array
    seasonal_mae: Array
    mase: Array
    coverage: Array | None
    forecasts: Array
    actual: Array
    intervals: Array | None
    origins: Ints
    season: int

    def table(self) -> dict[str, list[float]]:
        """Columns of equal length, one row for each step ahead, for pandas."""
        columns = {name: getattr(self, name) for name in ("mae", "naive_mae", "seasonal_mae", "mase", "coverage")}
        steps: dict[str, Any] = {"step": [k + 1 for k in range(len(self.mae))]}
        return steps | {name: values.tolist() for name, values in columns.items() if values is not None}

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the mean absolute errors for each step ahead: of the network, of the last value, of the season before.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Default: those of a new figure.

        Raises
        ------
        ImportError
            matplotlib is not installed.
        """
        from ..plot.styling import DASHES, drawing, legend_above  # slow to import, and only pictures need it

        errors = {"network": self.mae, "last value": self.naive_mae, "one season before": self.seasonal_mae}
        steps = np.arange(1, len(self.mae) + 1)
        with drawing(ax) as ax:
            for k, (name, error) in enumerate(errors.items()):
                if name != "one season before" or self.season > 1:
                    ax.plot(steps, error, marker=".", linestyle=DASHES[k], label=name)
            ax.set(xlabel="steps ahead", ylabel="mean absolute error", ylim=(0, None))
            ax.locator_params(axis="x", integer=True)
            legend_above(ax)
        return ax

    def _repr_html_(self) -> str:
        """The table, as notebooks show it."""
        columns = self.table()
        rows = zip(*([f"{v:.4g}" for v in values] for values in columns.values()), strict=True)
        return html_table(list(columns), rows)

    def __repr__(self) -> str:
        errors = {"mae": self.mae, "last value": self.naive_mae, "one season before": self.seasonal_mae}
        means = ", ".join(f"{name} {error.mean():.4g}" for name, error in errors.items())
        return f"<Backtest: {counted(len(self.origins), 'forecast')} of {counted(len(self.mae), 'step')}; {means}>"

    def __str__(self) -> str:
        """The table as text."""
        columns = self.table()
        rows = [[f"{v:d}" if name == "step" else f"{v:.4g}" for v in values] for name, values in columns.items()]
        width = [max(len(name), *map(len, row)) for name, row in zip(columns, rows, strict=True)]
        lines = [columns, *zip(*rows, strict=True)]
        return "\n".join("  ".join(cell.rjust(n) for cell, n in zip(line, width, strict=True)) for line in lines)


def origins(prepared: list[Prepared], start: Any, horizon: int, step: Any, least: int) -> list[tuple[int, int]]:
    """Series and first steps of all forecasts."""
    start, step = checks.integer("start", start), checks.integer("step", step)
    if start < least:
        raise ValueError(f"`start` must be at least {least}, so that there is a past, got {start}")
    found = [(k, T) for k, one in enumerate(prepared) for T in range(start, len(one.values) - horizon + 1, step)]
    if not found:
        longest = max(len(one.values) for one in prepared)
        raise ValueError(
            f"`start` must leave {horizon} steps of a series, of which the longest has {longest}, got {start}"
        )
    return found


def measure(
    prepared: list[Prepared],
    times: list[tuple[int, int]],
    forecasts: Array,
    intervals: Array | None,
    start: int,
    season: Any,
) -> Backtest:
    """`Backtest` of forecasts (n, H, F) and intervals (n, H, F, 2)."""
    season, H = checks.integer("season", season), forecasts.shape[1]
    truth = [np.where(one.known, one.values, np.nan) for one in prepared]
    actual = np.stack([truth[k][T : T + H] for k, T in times])
    if np.isnan(actual).all(axis=(0, 2)).any():
        raise ValueError("`series` must have values that are known at every step ahead, got NaN only")
    scale = np.stack([_scale(values[:start], season) for values in truth])[[k for k, _ in times]][:, None]
    naive, seasonal = (
        np.stack([prepared[k].values[naive_steps(np.array([T - 1]), H, lag)[0]] for k, T in times])
        for lag in (1, season)
    )
    error = np.abs(forecasts - actual)
    inside = None
    if intervals is not None:
        inside = np.where(np.isnan(actual), np.nan, (intervals[..., 0] <= actual) & (actual <= intervals[..., 1]))
    return Backtest(
        mae=_mean(error), rmse=np.sqrt(_mean(error**2)), naive_mae=_mean(np.abs(naive - actual)),
        seasonal_mae=_mean(np.abs(seasonal - actual)), mase=_mean(error / scale),
        coverage=None if inside is None else _mean(inside), forecasts=forecasts, actual=actual, intervals=intervals,
        origins=np.array(times), season=season,
    )  # fmt: skip


def _mean(values: Array) -> Array:
    """Over forecasts and values of a step that are known: (n, H, F) to (H,)."""
    known = ~np.isnan(values)
    with np.errstate(invalid="ignore"):  # none of them: NaN
        return np.where(known, values, 0).sum(axis=(0, 2)) / known.sum(axis=(0, 2))


def _scale(past: Array, season: int) -> Array:
    """Mean absolute difference between values one season apart, (F,); NaN where it is 0 or there is none."""
    change = np.abs(past[season:] - past[:-season])
    known = ~np.isnan(change)
    total = np.where(known, change, 0).sum(axis=0)
    return np.where(total > 0, total, np.nan) / np.maximum(known.sum(axis=0), 1)
