"""What `tune` tries: values of hyperparameters, for which kind of network and for which answers."""

from __future__ import annotations

from typing import Any, NamedTuple


class Choice(NamedTuple):
    """Values of one hyperparameter.

    Attributes
    ----------
    values : tuple
    cell : str
        Of this cell only; "" for any.
    one_answer : bool
        Only where a whole sequence gets one answer.
    """

    values: tuple[Any, ...]
    cell: str = ""
    one_answer: bool = False


SPACE = {
    "units": Choice((16, 32, 64)),
    "ode_unfolds": Choice((1, 3), cell="ltc"),
    "time_constants": Choice(("auto", None), cell="ltc"),
    "backbone_units": Choice((0, 16), cell="cfc"),
    "mixed_memory": Choice((False, True)),
    "bidirectional": Choice((False, True), one_answer=True),  # elsewhere an answer would depend on later steps
    "readout": Choice(("auto", "mean", "max", "last+mean"), one_answer=True),
    "readout_units": Choice((0, 64, 128)),
    "dropout": Choice((0.0, 0.2)),
    "learning_rate": Choice((0.003, 0.01, 0.02, 0.03)),
    "schedule": Choice(("cosine", "constant")),
    "batch_size": Choice((8, 16, 32)),
    "early_stopping": Choice((False, True)),
}


def usual(estimator: Any, every_step: bool) -> dict[str, list[Any]]:
    """The part of `SPACE` for an estimator: what it has, what fits, and what its user has not set to another value."""
    given, default = estimator.get_params(deep=False), type(estimator)().get_params(deep=False)
    return {
        name: list(choice.values)
        for name, choice in SPACE.items()
        if name in given
        and given[name] == default[name]
        and choice.cell in ("", estimator.cell)
        and not (choice.one_answer and every_step)
    }


def slowness(given: Any, changes: dict[str, Any]) -> float:
    """About how many times as long an epoch takes with these changes, until it is measured."""
    new = {name: changes.get(name, getattr(given, name, 1)) for name in ("units", "ode_unfolds", "batch_size")}
    factor = new["units"] / given.units
    factor *= (new["ode_unfolds"] / getattr(given, "ode_unfolds", 1) * given.batch_size / new["batch_size"]) ** 0.5
    return factor * 2.0 ** (changes.get("bidirectional", False) + changes.get("mixed_memory", False))
