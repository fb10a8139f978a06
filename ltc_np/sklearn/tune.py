"""`tune`: a search for the hyperparameters of an estimator on its user's own data; docs/sklearn.md says when to use it.

What is tried stands in space.py, and how the search goes on in halving.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import joblib
import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import GroupKFold, StratifiedGroupKFold, StratifiedKFold, check_cv

from ..base import checks
from ..base.calls import with_signature_hints
from . import halving, inputs
from .halving import Data, Journal, Search, changed, known
from .own_code import is_own
from .space import usual

NO_PART = ("n_jobs", "verbose", "tune")  # hyperparameters that change no result


@with_signature_hints
def tune(
    estimator: Any,
    X: Any,
    y: Any,
    *,
    budget: float,
    cv: Any = 3,
    groups: Any = None,
    sample_weight: Any = None,
    dt: Any = None,
    lengths: Any = None,
    space: Mapping[str, Iterable[Any]] | None = None,
    resume: Any = None,
    n_jobs: int | None = None,
    verbose: bool | None = None,
) -> Any:
    """Search for better hyperparameters on these data, and fit an estimator that has them.

    Each candidate changes up to three hyperparameters.  Successive halving trains many of them for a share of the
    epochs, the best third of these three times as long, and so on; the last ones are trained as long as `fit` does.  A
    share is at least 10 epochs and 300 steps of the optimiser; of more than 1,000 sequences it may have fewer.  The
    estimator as it was given is trained beside them, and what is worse does not go on.  It stays unless another one is
    better by more than the standard error of the difference between both, after whole trainings, or after shorter ones
    where there is no time for these.  Errors are means over folds that were held out: of classes the `brier_score`, of
    numbers 1 - R².

    Parameters
    ----------
    estimator : LiquidEstimator
        It stays as it is.
    X, y, sample_weight, dt, lengths
        As for its `fit`.
    budget : float > 0
        Seconds.  What will clearly not end in time, with the last fit to all data, is not begun.  The given estimator
        is trained for the least share, and one estimator is fitted to all data, whatever that takes.
    cv : int, splitter of scikit-learn, or list of (train, test)
        Folds; an int gives `StratifiedKFold` for labels of sequences, else `KFold`.  ``TimeSeriesSplit(3)`` never
        learns from what comes later.
    groups : (n,) array, optional
        Sequences of one group are in one fold: `StratifiedGroupKFold` or `GroupKFold` if ``cv`` is an int, else what
        your splitter does with them.
    space : dict from names of hyperparameters to lists of values, optional
        What is tried.  Default: the table in ltc_np/sklearn/space.py, without hyperparameters that differ from their
        defaults, which stay as you have set them.
    resume : path, optional
        File of results.  What stands there is not trained again; it must be of the same data, folds and estimator,
        whose ``random_state`` must be an int.  Functions and classes of your own are known
        by their code, and by what it reads.
    n_jobs : int, optional
        Trainings side by side, as everywhere in scikit-learn; None is 1, or what ``joblib.parallel_config`` says.
        Results are the same, but there is time for more.
    verbose : bool, optional
        Print a line for each candidate; default: as the estimator has it.

    Returns
    -------
    estimator
        Of the same class, with the hyperparameters that were found, and fitted to all data.  Its ``tuned_`` is a list
        of dicts, a row for each candidate on each rung, of which ``pandas.DataFrame`` makes a table: ``candidate`` (0
        is the given one), ``rung``, ``epochs``, ``sequences``, ``error`` and ``score`` (means over the folds),
        ``errors``, ``scores`` and ``seconds`` (of each fold), ``params`` (its changes) and ``chosen``.

    Warns
    -----
    RuntimeWarning
        There was no time for another candidate; or Ctrl-C ended the search, and the best so far is fitted.

    Notes
    -----
    Source: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter optimization", 2016.
    """
    deadline = halving.clock() + checks.number("budget", budget, low_open=True)
    if not hasattr(estimator, "answers_every_step") or isinstance(estimator, type):
        raise TypeError(f"`estimator` must be one of `ltc_np.sklearn` for sequences, got {checks.brief(estimator)}")
    given = changed(estimator, halving.had(estimator, {"tune": None}))
    every_step = given.answers_every_step(X, y, sample_weight, dt, lengths)
    space = (
        usual(given, every_step) if space is None else {name: _listed(name, values) for name, values in space.items()}
    )
    data, classes = _data(given, X, y, sample_weight, dt, lengths), is_classifier(given) and not every_step
    folds = _folds(cv, len(data.X), y if classes else None, groups)
    whole = isinstance(given.random_state, (int, np.integer))
    if resume is not None and not whole:
        raise ValueError(f"`random_state` must be an int with `resume`, got {checks.brief(given.random_state)}")
    others = _others(given, space)
    seed = int(given.random_state if whole else np.random.RandomState().randint(np.iinfo(np.int32).max))
    search = Search(
        given, data, folds, every_step, others, seed, Journal(resume, _head(given, data, folds)), n_jobs,
        bool(given.verbose if verbose is None else verbose), deadline,
    )  # fmt: skip
    try:
        search.run()
        if others and len(search.rows) == 1:
            checks.warn(f"`budget` must be larger than {budget:g} seconds to try another estimator than the given one")
    except KeyboardInterrupt:
        checks.warn("`tune` was interrupted: the best estimator so far is fitted")
    chosen = search.estimator(search.best()).fit(X, y, sample_weight, dt, lengths)
    chosen.tuned_ = search.table()
    return chosen


def _data(given: Any, X: Any, y: Any, sample_weight: Any, dt: Any, lengths: Any) -> Data:
    """The arguments of `fit`, a sequence a row in all of them."""
    read = inputs.read(given, X, dt, lengths)
    elapsed = None if read.dt is None else read.unpadded(read.dt)
    return Data(read.unpadded(read.x), y, sample_weight, elapsed, None if read.form == "list" else read.lengths)


def _folds(cv: Any, n: int, labels: Any, groups: Any) -> list[tuple[Any, Any]]:
    """Rows to learn from and rows to be judged by; ``labels`` are those of sequences, or None."""
    splitter: Any = check_cv(cv, labels, classifier=labels is not None)
    if groups is not None and isinstance(cv, (int, np.integer)):
        splitter = (StratifiedGroupKFold if isinstance(splitter, StratifiedKFold) else GroupKFold)(int(cv))
    return list(splitter.split(np.zeros(n), labels, groups))


def _listed(name: str, values: Any) -> list[Any]:
    """The values of a hyperparameter; one alone is a mistake, and of a text each letter would be tried."""
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise TypeError(f"`space` must have a list of values for {name!r}, got {checks.brief(values)}")
    return list(values)


def _others(given: Any, space: Mapping[str, list[Any]]) -> dict[str, list[Any]]:
    """The values that the given estimator does not have, each of which is tried here."""
    own = given.get_params(deep=False)
    for name, values in space.items():
        if name not in own:
            raise ValueError(f"`space` must name hyperparameters of {type(given).__name__}, got {name!r}")
        for value in values:
            changed(given, {name: value}).recipe()
    found = {name: [value for value in values if value != own[name]] for name, values in space.items()}
    return {name: values for name, values in found.items() if values}


def _head(given: Any, data: Data, folds: Any) -> dict[str, Any]:
    """By which a file of results is known."""
    told = {name: value for name, value in given.get_params(deep=False).items() if name not in NO_PART}
    told = {name: known(value) for name, value in told.items()}
    told["class"] = known(type(given)) if is_own(type(given)) else type(given).__name__
    return {"data": joblib.hash(tuple(data)), "folds": joblib.hash(folds), "estimator": told}
