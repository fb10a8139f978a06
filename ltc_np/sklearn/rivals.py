"""The simplest answers to questions about irregular series, beside which a network is judged."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from typing import Any

import numpy as np

from ..base.types import Array
from .points import Points, numbered

LAST, MEAN, LINE = "the value seen last", "the mean of the channel", "a line through each series"


def answers(known: Points, past: Points, asked: Points) -> dict[str, Array]:
    """Answers (n,) of each rival, by what the series had until then; without a value of the channel, the mean of those
    known.

    Parameters
    ----------
    known : Points
        What networks learn from: its means of channels are an answer.
    past, asked : Points
    """
    means = _means(known)
    own: dict[Any, tuple[list[float], list[float]]] = {}
    rows = np.argsort(past.time, kind="stable")
    values = np.asarray(past.value)
    for k in rows:
        times, seen = own.setdefault((past.series[k], past.channel[k]), ([], []))
        times.append(past.time[k].item())
        seen.append(float(values[k]))
    found: dict[str, Array] = {name: np.empty(len(asked.time)) for name in (LAST, MEAN, LINE)}
    for k, key in enumerate(zip(asked.series, asked.channel, strict=True)):
        times, seen = own.get(key, ([], []))
        at, mean = asked.time[k].item(), means.get(key[1], np.nan)
        known_by_then = bisect_right(times, at)
        times, seen = times[:known_by_then], seen[:known_by_then]
        found[MEAN][k] = mean
        found[LAST][k] = seen[-1] if seen else mean
        found[LINE][k] = _line(times, seen, at) if len(seen) > 1 else found[LAST][k]
    return found


def squared(errors: Mapping[str, Array], series: Any) -> dict[str, Array]:
    """Of each answer the mean squared error of each series (S,)."""
    names = {name: k for k, name in enumerate(dict.fromkeys(series))}
    of = numbered(series, names)
    count = np.bincount(of)
    return {who: np.bincount(of, own**2) / count for who, own in errors.items()}


def better(errors: Mapping[str, Array], series: Any, own: str) -> str | None:
    """Who errs less than ``own`` by more than a standard error of their difference over the series; None: nobody."""
    found = squared(errors, series)
    best = min(found, key=lambda who: float((errors[who] ** 2).mean()))
    apart = found[own] - found[best]
    if best == own or len(apart) < 2 or apart.mean() <= apart.std(ddof=1) / np.sqrt(len(apart)):
        return None
    return best


def _means(known: Points) -> Mapping[Any, float]:
    values = np.asarray(known.value)
    return {name: float(values[known.channel == name].mean()) for name in dict.fromkeys(known.channel)}


def _line(times: Any, values: list[float], at: Any) -> float:
    """Least squares; times are made small before they are floats, since of dates these are whole nanoseconds."""
    since = (np.array(times) - times[0]).astype(np.float64)
    centre = since.mean()
    spread = float(((since - centre) ** 2).sum())
    mean = float(np.mean(values))
    slope = float((since - centre) @ (np.array(values) - mean)) / spread if spread else 0.0
    return mean + slope * (float(at - times[0]) - centre)
