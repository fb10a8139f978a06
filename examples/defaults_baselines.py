"""What may win: ridge regression on the inputs side by side, on the last inputs, and on random convolutions.

Each takes the sets of `defaults_tasks`, chooses its penalty (and how many inputs) by the validation set, is fitted
again on training and validation together, and gives what the networks are judged by as well.
"""

import time
from dataclasses import dataclass
from functools import partial

import numpy as np
from defaults_tasks import Task
from defaults_trainings import scores, targets

PENALTIES = 10.0 ** np.arange(-3, 6)
LAGS = 1, 2, 4, 9, 16
KERNELS = 1000


def ridge(rows, wanted, penalties):
    """What predicts ``wanted`` (n, m) from ``rows`` (n, p) linearly, for each penalty on standardised columns.

    The smaller of the two Gram matrices is decomposed, once for all penalties.
    """
    center, scale, mean = rows.mean(0), rows.std(0), wanted.mean(0)
    scale = np.where(scale > 1e-9 * np.abs(center) + 1e-30, scale, np.inf)  # a constant column says nothing
    a, b = (rows - center) / scale, wanted - mean
    wide = a.shape[0] < a.shape[1]
    values, vectors = np.linalg.eigh(a @ a.T if wide else a.T @ a)

    def predictor(penalty):
        inverse = vectors / (np.maximum(values, 0) + penalty)
        weights = a.T @ (inverse @ (vectors.T @ b)) if wide else inverse @ (vectors.T @ (a.T @ b))
        return lambda new: (new - center) / scale @ weights + mean

    return [predictor(penalty) for penalty in penalties]


def side_by_side(known):
    """All inputs of a sequence in a row (n, T I); sequences of unequal length are stretched, events are not."""
    x = known["x"].astype(float)
    if "lengths" not in known or "dt" in known:
        return x.reshape(len(x), -1)
    places = np.linspace(0, 1, x.shape[1])
    own = [np.linspace(0, 1, length) for length in known["lengths"]]
    return np.array(
        [np.ravel([np.interp(places, at, c[: len(at)]) for c in row.T]) for row, at in zip(x, own, strict=True)]
    )


def last_inputs(known, lags):
    """The last inputs at every step, (n, T, lags I); before the first one they are 0."""
    x = known["x"].astype(float)
    x = np.pad(x, ((0, 0), (lags - 1, 0), (0, 0)))
    return np.concatenate([x[:, k : x.shape[1] - lags + 1 + k] for k in range(lags)], axis=2)


def convolved(known, kernels=KERNELS):
    """Features of random convolutions, (n, 2 kernels): the largest value, and the share of positive ones.

    ROCKET, by its description (Dempster, Petitjean and Webb, Data Mining and Knowledge Discovery 34, 2020): kernels
    of 7, 9 or 11 normal weights of mean 0, a bias, a dilation, with and without padding, on some of the channels.
    Channels are brought to mean 0 and spread 1 in each series.
    """
    rng = np.random.default_rng(0)
    n, steps, channels = known["x"].shape
    x = side_by_side(known)
    x = x.reshape(n, channels, steps) if "lengths" in known and "dt" not in known else known["x"].transpose(0, 2, 1)
    x = x - x.mean(2, keepdims=True)
    x = (x / (x.std(2, keepdims=True) + 1e-9)).astype(np.float32)
    found = []
    for _ in range(kernels):
        length = rng.choice([size for size in (7, 9, 11) if size <= steps])
        own = rng.permutation(channels)[: int(2 ** rng.uniform(0, np.log2(min(channels, length) + 1)))]
        weights = rng.standard_normal((len(own), length)).astype(np.float32)
        weights -= weights.mean(1, keepdims=True)
        dilation = int(2 ** rng.uniform(0, np.log2((steps - 1) / (length - 1))))
        reach = (length - 1) * dilation
        pad = reach // 2 if rng.random() < 0.5 else 0
        values = np.full((n, steps + 2 * pad - reach), rng.uniform(-1, 1), np.float32)
        for channel, taps in zip(own, weights, strict=True):
            series = np.pad(x[:, channel], ((0, 0), (pad, pad)))
            for k, weight in enumerate(taps):
                values += weight * series[:, k * dilation : k * dilation + values.shape[1]]
        found += [values.max(1), (values > 0).mean(1)]
    return np.stack(found, axis=1).astype(float)


@dataclass(frozen=True)
class Baseline:
    """What is fitted to a task: "linear" or "rocket"."""

    task: Task
    name: str

    def key(self):
        """What is written beside its result, and by which that is found again."""
        return {"task": self.task.name, "baseline": self.name}

    def rows(self):
        """Functions of a set that give the rows of the regression: candidates for the validation set."""
        if self.name == "rocket":
            return [convolved]
        return [partial(last_inputs, lags=lags) for lags in LAGS] if self.task.every_step else [side_by_side]

    def run(self, folder):
        """Fit, judge by the test set, and say what it took: a line of results."""
        start, cpu = time.perf_counter(), time.process_time()
        split = self.task.make(folder, 0, self.task.sizes)

        def fitted(known, make, penalties):
            wanted = targets(known, self.task)
            kept = known.get("sample_weight", np.ones(wanted.shape[:-1])) > 0
            return ridge(make(known)[kept], wanted[kept], penalties)

        best = np.inf, None, None
        for make in self.rows():
            asked = make(split.valid)
            for penalty, predict in zip(PENALTIES, fitted(split.train, make, PENALTIES), strict=True):
                error, _ = scores(predict(asked), split.valid, self.task)
                best = min(best, (error, penalty, make), key=lambda own: own[0])
        _, penalty, make = best
        (predict,) = fitted(split.whole, make, [penalty])
        error, right = scores(predict(make(split.test)), split.test, self.task)
        took = {"cpu": time.process_time() - cpu, "seconds": time.perf_counter() - start}
        return self.key() | {"error": error, "right": right, "penalty": penalty} | took


def baselines(task):
    """Those of a task: convolutions where a whole sequence has one answer."""
    return [Baseline(task, name) for name in (("linear",) if task.every_step else ("linear", "rocket"))]
