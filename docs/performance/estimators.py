"""What an estimator of `ltc_np.sklearn` adds to the calls of its model: milliseconds of `fit` and `predict`.

    python docs/performance/estimators.py

Of each call the time is taken that is spent outside of the recipe and the model.  The least of many calls counts, since
other programs on the machine only make a call slower.  Needs scikit-learn.
"""

import functools
from time import perf_counter

import numpy as np

from ltc_np import Model
from ltc_np.recipe import Recipe
from ltc_np.sklearn import LTCClassifier, LTCRegressor

RUNS = 101
CASES = (  # sequences, steps, features, and whether they come with elapsed times and lengths
    (32, 20, 2, False),
    (32, 20, 2, True),
    (1000, 50, 4, False),
    (1000, 50, 4, True),
)
inside = 0.0  # seconds that the recipe and the model took


def timed(kind, name):
    """Add up the time of a method in `inside`."""
    function = getattr(kind, name)

    @functools.wraps(function)
    def call(*args, **kwargs):
        global inside
        start = perf_counter()
        found = function(*args, **kwargs)
        inside += perf_counter() - start
        return found

    setattr(kind, name, call)


def milliseconds(call):
    """The least whole time, and the least of what is not the model's."""
    global inside
    taken = np.empty((RUNS, 2))
    for times in taken:
        inside, start = 0.0, perf_counter()
        call()
        whole = perf_counter() - start
        times[:] = whole, whole - inside
    return 1e3 * taken.min(axis=0)


def measured(kind, B, T, I, more):
    """(call, its milliseconds, those that are not the model's), for one epoch of training and for answers."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(B, T, I))
    y = rng.normal(size=B) if kind is LTCRegressor else np.array(["one", "three", "two"])[rng.integers(0, 3, B)]
    given = {"dt": rng.uniform(0.5, 1.5, (B, T)), "lengths": rng.integers(1, T + 1, B)} if more else {}
    estimator = kind(units=8, epochs=1, batch_size=B, random_state=0)
    yield "fit", *milliseconds(lambda: estimator.fit(x, y, **given))
    yield "predict", *milliseconds(lambda: estimator.predict(x, **given))


def main():
    for kind, name in ((Recipe, "model"), (Recipe, "fit"), (Model, "predict")):
        timed(kind, name)
    print(f"{'estimator':<14} {'(B, T, I)':<14} {'dt, lengths':<12} {'call':<8} {'ms':>8} {'added ms':>9}")
    for kind in (LTCRegressor, LTCClassifier):
        for B, T, I, more in CASES:
            for call, whole, added in measured(kind, B, T, I, more):
                form, says = f"({B}, {T}, {I})", "yes" if more else "no"
                print(f"{kind.__name__:<14} {form:<14} {says:<12} {call:<8} {whole:8.2f} {added:9.2f}")


if __name__ == "__main__":
    main()
