"""Tasks on which no hyperparameter was chosen: `NEW`, for an honest test of what `defaults_tasks` has led to.

Recorded data come with packages (`pip install "ltc-np[examples]"`, and "ltc-np[aeon]" for the gestures), where
`data_files` finds them.  A training is as long as a user's own with the same data: `epochs="auto"` of `Recipe`.
"""

from functools import partial

import data_files
import numpy as np
from defaults_tasks import Task, archived, cut, in_turn, next_numbers, read_ts

from ltc_np.recipe import FEWEST

KINDS, KEPT, GRID, TONE_NOISE = 3, 48, 64, 0.3  # of tones: classes, samples that are seen, samples, deviation


def phases(times, frequency, change):
    """Radians at ``times`` in [0, 1] of a tone whose frequency goes evenly from f (1 - c) to f (1 + c)."""
    return 2 * np.pi * frequency * (times + change * (times**2 - times))


def tones(folder, fold, sizes):
    """Does the tone fall, stay or rise?  A quarter of the samples is missing; gaps are the elapsed times."""
    rng = np.random.default_rng(3)
    count = sum(sizes)
    y = rng.integers(0, KINDS, count)
    frequency, change, start = rng.uniform([4, 0.3, 0], [8, 0.6, 2 * np.pi], (count, 3)).T[:, :, None]
    places = np.sort(rng.permuted(np.tile(np.arange(GRID), (count, 1)), axis=1)[:, :KEPT], axis=1)
    seen = np.sin(start + phases(places / GRID, frequency, change * (y[:, None] - 1)))
    gaps = np.diff(places, axis=1, prepend=-1)
    x = np.stack([seen + TONE_NOISE * rng.standard_normal(seen.shape), gaps], axis=2)
    return cut({"x": x.astype(np.float32), "y": y, "dt": gaps.astype(np.float32)}, *in_turn(sizes))


def order(folder, fold, sizes):
    """Which of two symbols comes at each of two places?

    By the description of task 6a (Hochreiter and Schmidhuber, Neural Computation 9, 1997): 100 to 110 symbols, the
    first (6) and the last (7) always the same; two that count (0 or 1) stand at 10 to 20 and at 50 to 60, and any other
    is one of four.
    """
    rng = np.random.default_rng(4)
    count = sum(sizes)
    row, lengths, first, second = np.arange(count), *rng.integers([100, 10, 50], [111, 21, 61], (count, 3)).T
    y, symbols = rng.integers(0, 4, count), rng.integers(2, 6, (count, 110))
    symbols[row, first], symbols[row, second] = y // 2, y % 2
    symbols[:, 0], symbols[row, lengths - 1] = 6, 7
    x = np.eye(8, dtype=np.float32)[symbols]
    x[np.arange(110) >= lengths[:, None]] = 0
    return cut({"x": x, "y": y, "lengths": lengths}, *in_turn(sizes))


SWINGS, SPRING_NOISE = 48, 0.05  # samples; deviation


def swing(times, stiffness, friction, place, speed):
    """Where a mass of 1 on a spring is: x'' = -k x - c x', from ``place`` and ``speed`` at time 0."""
    rate, turning = friction / 2, np.sqrt(stiffness - friction**2 / 4)
    pushed = (speed + rate * place) / turning
    return np.exp(-rate * times) * (place * np.cos(turning * times) + pushed * np.sin(turning * times))


def spring(folder, fold, sizes):
    """How stiff is the spring?  Seen is where the mass is, at irregular times, and the time since the last sample."""
    rng = np.random.default_rng(5)
    count = sum(sizes)
    stiffness, friction, place, speed = rng.uniform([0.04, 0, -1, -1], [1, 0.1, 1, 1], (count, 4)).T[:, :, None]
    dt = rng.exponential(size=(count, SWINGS))
    seen = swing(np.cumsum(dt, axis=1), stiffness, friction, place, speed)
    x = np.stack([seen + SPRING_NOISE * rng.standard_normal(seen.shape), dt], axis=2)
    arrays = {"x": x, "y": stiffness, "dt": dt}
    return cut({name: own.astype(np.float32) for name, own in arrays.items()}, *in_turn(sizes))


# Of lorenz: samples, time between them, steps of the solver in it; how far ahead is asked.
STEPS, MEAN_GAP, PARTS, AHEAD = 64, 0.05, 20, 0.2


def lorenz_after(state, times):
    """The Lorenz system (3, ...) a time (...) later, by `PARTS` steps of the classical Runge-Kutta rule."""

    def slope(own):
        x, y, z = own
        return np.stack([10 * (y - x), x * (28 - z) - y, x * y - 8 / 3 * z])

    h = times / PARTS
    for _ in range(PARTS):
        first = slope(state)
        second = slope(state + h / 2 * first)
        third = slope(state + h / 2 * second)
        state = state + h / 6 * (first + 2 * second + 2 * third + slope(state + h * third))
    return state


def lorenz(folder, fold, sizes):
    """What will x be, at every step?  Seen are x at irregular times, and the time since the last sample."""
    rng = np.random.default_rng(6)
    state = rng.uniform([[-10], [-10], [15]], [[10], [10], [35]], (3, sum(sizes)))
    for _ in range(25):  # until it is on the attractor
        state = lorenz_after(state, AHEAD)
    dt, found = rng.exponential(size=(sum(sizes), STEPS)), []
    for gap in dt.T:
        state = lorenz_after(state, MEAN_GAP * gap)
        found.append(state)
    seen = np.stack(found, axis=2)
    arrays = {"x": np.stack([seen[0], dt], axis=2), "y": lorenz_after(seen, AHEAD)[0, :, :, None], "dt": dt}
    return cut({name: own.astype(np.float32) for name, own in arrays.items()}, *in_turn(sizes))


BACK, DRIVEN = 10, 100  # of narma: steps that it depends on; steps


def narma_of(u):
    """y (n, T) after inputs u (n, T): each depends on the last `BACK` outputs and inputs, which are 0 before."""
    count, steps = u.shape
    u, y = np.pad(u, ((0, 0), (BACK - 1, 0))), np.zeros((count, BACK + steps))
    for t in range(steps):
        last = y[:, BACK + t - 1]
        y[:, BACK + t] = 0.3 * last + 0.05 * last * y[:, t : t + BACK].sum(1) + 1.5 * u[:, t] * u[:, t + BACK - 1] + 0.1
    return y[:, BACK:]


def narma(folder, fold, sizes):
    """NARMA-10, of Atiya and Parlos (IEEE Transactions on Neural Networks 11, 2000): the output after each input."""
    u = np.random.default_rng(7).uniform(0, 0.5, (sum(sizes), DRIVEN))
    arrays = {"x": u[:, :, None], "y": narma_of(u)[:, :, None]}
    return cut({name: own.astype(np.float32) for name, own in arrays.items()}, *in_turn(sizes))


def of_package(name, every, packages, folder, fold, sizes):
    """A set of the archive of time series, as `archived` cuts it, from the first of these packages that brings it."""
    (train,) = data_files.of_archive(f"{name}/{name}_TRAIN.ts", packages=packages)
    return archived(name, every, data_files.found(train).parent, fold, sizes)


KNOWN = {"tecator": (100, 50), "digits": (400, 200), "elnino": (360, 120)}  # rows for training and for validation


def tecator(folder, fold, sizes):
    """Spectra and the share of fat, with the set's own test; what stands there twice counts once, in the test first."""
    (known, fat), (asked, others) = (read_ts(data_files.found(own)) for own in data_files.TECATOR)
    x, y = np.stack(asked + known)[:, ::2], np.array(others + fat, np.float32)[:, None]
    rows = np.sort(np.unique(x, axis=0, return_index=True)[1])
    test, learnt = rows[rows < len(asked)], rows[rows >= len(asked)]
    return cut({"x": x, "y": y}, *np.split(learnt, KNOWN["tecator"][:1]), test)


def digits(folder, fold, sizes):
    """Images of 8 x 8, row by row, cut in the order of the file."""
    table = np.loadtxt(data_files.found(data_files.DIGITS), delimiter=",")
    arrays = {"x": table[:, :64].reshape(-1, 8, 8).astype(np.float32), "y": table[:, 64].astype(int)}
    return cut(arrays, *np.split(np.arange(len(table)), np.cumsum(KNOWN["digits"])))


def elnino(folder, fold, sizes):
    """Windows of 60 months, of which 12 do not count; validation and test are months of one sequence from 1950 on."""
    months = np.loadtxt(data_files.found(data_files.EL_NINO), delimiter=",", skiprows=1)[:, 1:].ravel()
    return next_numbers(months, *np.cumsum(KNOWN["elnino"]), 60, 12)


FEW, SMALL = (80, 20, 200), (32, 16, 16)

NEW = [
    Task(
        "arrowhead", partial(of_package, "ArrowHead", 3, ("sktime", "aeon")), FEWEST,
        "ArrowHead, outlines of projectile points: 36 sequences, one step in three: 84 steps", classes=3,
    ),
    Task(
        "gestures", partial(of_package, "PickupGestureWiimoteZ", 3, ("aeon",)), FEWEST,
        "PickupGestureWiimoteZ, 50 sequences of unequal length, one step in three: 10 to 121 steps", classes=10,
    ),
    Task("digits", digits, FEWEST, "digits of scikit-learn, read in 8 rows of 8 pixels; 600 are learnt", classes=10),
    Task("tecator", tecator, FEWEST, "Tecator, fat in meat by a spectrum: 150 sequences, one step in two: 50 steps"),
    Task("elnino", elnino, FEWEST, "temperatures of the Pacific, the next month's; learnt to 1989", every_step=True),
    Task(
        "order", order, FEWEST, "of two symbols, which came first and which second, among 100 to 110 symbols",
        classes=4, sizes=(120, 40, 500), small=SMALL,
    ),
    Task(
        "tones", tones, FEWEST, f"a tone in noise that falls, stays or rises; {KEPT} of {GRID} samples are seen",
        classes=KINDS, sizes=(150, 50, 500), small=SMALL,
    ),
    Task(
        "spring", spring, FEWEST, f"the stiffness of a damped spring that swings, seen at {SWINGS} irregular times",
        sizes=(150, 50, 500), small=SMALL,
    ),
    Task(
        "lorenz", lorenz, FEWEST, f"the Lorenz system, x a while ahead by x at {STEPS} irregular times; 100 sequences",
        every_step=True, sizes=FEW, small=SMALL,
    ),
    Task(
        "narma", narma, FEWEST, f"NARMA-{BACK}, its output at each of {DRIVEN} steps; 100 sequences",
        every_step=True, sizes=FEW, small=SMALL,
    ),
]  # fmt: skip
