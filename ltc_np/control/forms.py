"""What the files of all ways to learn have in common: distributions and histories as plain data."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from ..base import checks
from ..base.types import PathLike
from ..train.history import History
from .distributions import Categorical, Distribution, Gaussian, MixtureOfGaussians, SquashedGaussian

DISTRIBUTIONS: dict[str, type[Distribution]] = {
    kind.__name__: kind for kind in (Categorical, Gaussian, SquashedGaussian, MixtureOfGaussians)
}


def of_distribution(distribution: Distribution) -> dict[str, Any]:
    """Its name and arguments."""
    name = type(distribution).__name__
    if DISTRIBUTIONS.get(name) is not type(distribution):
        raise TypeError(f"`distribution` must be one of {', '.join(DISTRIBUTIONS)} to be saved, got {name}")
    return {"name": name, **distribution.config()}


def distribution_of(form: dict[str, Any]) -> Distribution:
    """Inverse of `of_distribution`."""
    arguments = dict(form)
    return DISTRIBUTIONS[arguments.pop("name")](**arguments)


def of_history(history: History) -> dict[str, Any]:
    """Values and numbers of a history."""
    return {
        "epoch": np.array(history.epoch, np.int64), "seconds": history.seconds,
        "values": {name: np.array(values, np.float64) for name, values in history.items()},
    }  # fmt: skip


def take_history(history: History, form: dict[str, Any]) -> None:
    """Inverse of `of_history`, into an empty one."""
    history.epoch = form["epoch"].tolist()
    history.seconds = float(form["seconds"])
    history.update({name: values.tolist() for name, values in form["values"].items()})


@contextlib.contextmanager
def damaged(path: PathLike) -> Iterator[None]:
    """What goes wrong with plain data that nobody wrote so, as an error that names the file."""
    try:
        yield
    except (TypeError, KeyError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError(f"{path} has a damaged training: {checks.one_line(error)}") from None
