"""The tasks of defaults.py: what is asked, cut into training, validation and test, once for all models.

Where a set comes with a split of its own, that is kept; the others are cut here, always the same way.  Series sets of
the UEA archive are small, so there validation is a third of the training set, another one for every seed.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import event_xor
import half_cheetah
import long_range
import numpy as np
import sunspots

from ltc_np.data import windows

FOLDS = 3


class Split(NamedTuple):
    """Arguments of `fit`, by name: to learn from, to choose by, both together, and what is read once."""

    train: dict
    valid: dict
    whole: dict
    test: dict


@dataclass(frozen=True)
class Task:
    """What is asked.

    Attributes
    ----------
    name : str
    make : callable
        ``make(folder, fold, sizes)`` gives the `Split`.
    epochs : int
    about : str
        Which data, and what was left out of them to save time.
    classes : int
        0 where numbers are asked for.
    every_step : bool
        Every step has an answer.
    sizes : tuple of int
        Of generated sets: sequences for training, validation and test.
    small : tuple of int
        The same for --quick; empty where data are read.
    searched : bool
        Its validation set takes part in the search.
    most_steps : int
        Of the optimiser, where those of the recipe's rule would take more than ten seconds.
    """

    name: str
    make: Callable
    epochs: int
    about: str
    classes: int = 0
    every_step: bool = False
    sizes: tuple = ()
    small: tuple = ()
    searched: bool = True
    most_steps: int = 10**9


def cut(arrays, *rows):
    """`Split` of arrays that all sets share, by the rows for training, validation and test."""
    train, valid, test = rows
    parts = train, valid, np.concatenate([train, valid]), test
    return Split(*({name: array[own] for name, array in arrays.items()} for own in parts))


def in_turn(sizes):
    """Rows of generated sequences: first those for training, then those for validation, then the test."""
    return np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:2])


# ------------------------------------------------------------------------------------------------------ generated

BITS = 10  # of the longest streams


def xor(folder, fold, sizes):
    """Runs of bits; see event_xor.py.  The length of a run is an input and the elapsed time."""
    events = event_xor.generate(sum(sizes), event_xor.TRAIN_SEED, BITS)
    longest = events.lengths.max()
    x = np.stack([events.x[:, :longest, 0], events.dt[:, :longest]], axis=2)
    arrays = {"x": x, "y": events.y, "dt": events.dt[:, :longest], "lengths": events.lengths}
    return cut(arrays, *in_turn(sizes))


STEPS = 400


def adding(folder, fold, sizes):
    """Two numbers in noise, with a mark; see long_range.py."""
    data = long_range.adding(sizes, STEPS, False)
    return cut({"x": data.x, "y": data.y[:, None].astype(np.float32)}, data.train, data.valid, data.test)


FREQUENCY, DAMPING, CHANGES, LONG = 0.5, 0.1, 0.3, 64  # radians and share of critical; share of steps; steps


def positions(force, dt):
    """Of a damped oscillator, at rest at first, under forces (n, T) that are constant for times dt (n, T): (n, T).

    Exactly: the distance from the new rest turns and shrinks, d(t) = exp(A t) d(0) with A = [[0, 1], [-w^2, -2 z w]].
    """
    rate, turning = DAMPING * FREQUENCY, FREQUENCY * np.sqrt(1 - DAMPING**2)
    place, speed, found = np.zeros(len(force)), np.zeros(len(force)), []
    for t in range(force.shape[1]):
        shrink = np.exp(-rate * dt[:, t])
        cos, sin = shrink * np.cos(turning * dt[:, t]), shrink * np.sin(turning * dt[:, t]) / turning
        off = place - force[:, t]
        place = force[:, t] + cos * off + sin * (speed + rate * off)
        speed = cos * speed - sin * (FREQUENCY**2 * off + rate * speed)
        found.append(place)
    return np.stack(found, axis=1)


def oscillator(folder, fold, sizes):
    """Where is it now?  Seen are the force since the sample before, and that time."""
    rng = np.random.default_rng(2)
    shape = sum(sizes), LONG
    levels, changes = rng.uniform(-1, 1, shape), rng.random(shape) < CHANGES
    last = np.maximum.accumulate(np.where(changes, np.arange(LONG), 0), axis=1)
    force, dt = np.take_along_axis(levels, last, axis=1), rng.exponential(size=shape)
    arrays = {"x": np.stack([force, dt], axis=2), "y": positions(force, dt)[:, :, None], "dt": dt}
    return cut({name: array.astype(np.float32) for name, array in arrays.items()}, *in_turn(sizes))


# ----------------------------------------------------------------------------------------------------------- read


def cheetah(folder, fold, sizes):
    """Windows of 32 observations, one every 20, and the same a step later; see half_cheetah.py."""
    traces = half_cheetah.read(folder / "half_cheetah.npz")
    parts = half_cheetah.TRAINING, half_cheetah.VALIDATION, half_cheetah.TEST
    found = [[own[::2] for own in half_cheetah.windows(traces[part])] for part in parts]
    arrays = {"x": np.concatenate([x for x, _ in found]), "y": np.concatenate([y for _, y in found])}
    return cut(arrays, *in_turn([len(x) for x, _ in found]))


def next_numbers(numbers, first_valid, first_test, length, warm_up):
    """The next number of a series at every step; validation and test begin with the numbers of these places.

    Learnt are windows of ``length`` steps, one every `sunspots.HOP`, of which the first ``warm_up`` do not count.
    """
    series = numbers[:, None].astype(np.float32)

    def learnt(end):
        x, y = windows(series[:end], length, sunspots.HOP)
        counts = np.ones(y.shape[:2], np.float32)
        counts[:, :warm_up] = 0
        return {"x": x, "y": y, "sample_weight": counts}

    def asked(first, end):
        counts = (np.arange(1, end) >= first).astype(np.float32)
        return {"x": series[None, : end - 1], "y": series[None, 1:end], "sample_weight": counts[None]}

    return Split(
        learnt(first_valid), asked(first_valid, first_test), learnt(first_test), asked(first_test, len(series))
    )


FIRST_VALID = 1900


def yearly(folder, fold, sizes):
    """Windows of 60 years, one every 3; validation and test are years of one sequence from the first year on."""
    years, numbers = sunspots.read(folder / "sunspots.csv")
    firsts = np.searchsorted(years, [FIRST_VALID, sunspots.FIRST_TEST_YEAR])
    return next_numbers(numbers, *firsts, sunspots.WINDOW, sunspots.WARM_UP)


SEEN = 30  # years of a window with one answer


def window(folder, fold, sizes):
    """The same as one answer to each window of the 30 years before."""
    years, numbers = sunspots.read(folder / "sunspots.csv")
    cases = np.lib.stride_tricks.sliding_window_view(numbers.astype(np.float32), SEEN + 1)
    asked = years[SEEN:]
    valid, test = asked >= FIRST_VALID, asked >= sunspots.FIRST_TEST_YEAR
    rows = np.flatnonzero(~valid), np.flatnonzero(valid & ~test), np.flatnonzero(test)
    return cut({"x": cases[:, :SEEN, None], "y": cases[:, SEEN:]}, *rows)


def spectra(folder, fold, sizes):
    """Means of 50 wavelengths, normalised in each spectrum and then at every wavelength; see long_range.py."""
    x, y, rows = long_range.stored(folder / "ethanol.npz", 50, 3)
    x = long_range.binned((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), 50)
    x = (x - x[rows[0]].mean(0)) / x[rows[0]].std(0)
    return cut({"x": x.astype(np.float32), "y": y}, *rows)


def cortex(folder, fold, sizes):
    """Means of 16 samples of the one true channel, in microvolts."""
    x, y, rows = long_range.stored(folder / "scp1.npz", 16, 1)
    return cut({"x": long_range.binned(x[:, :, :1], 16).astype(np.float32), "y": y}, *rows)


def read_ts(path):
    """The series, a list of (T, C) arrays, and their labels, of a .ts file of the UEA archive."""
    lines = path.read_text(encoding="utf-8").splitlines()
    begin = 1 + next((k for k, line in enumerate(lines) if line.strip().lower() == "@data"), len(lines))
    x, labels = [], []
    for number, line in enumerate(lines[begin:], begin + 1):
        *channels, label = line.strip().split(":")
        try:
            x.append(np.array([channel.split(",") for channel in channels], np.float32).T)
        except ValueError as error:
            raise ValueError(f"{path.name}, line {number}: must be channels and a class: {error}") from None
        labels.append(label)
    if not x or any(series.ndim != 2 or series.shape[1] != x[0].shape[1] for series in x):
        raise ValueError(f"{path.name} must have lines of equally many channels after @data")
    return x, labels


def fold_of(y):
    """The number of the fold of each case; every fold has as many of each class, within one."""
    rng, folds = np.random.default_rng(0), np.empty(y.size, int)
    for label in np.unique(y):
        own = rng.permutation(np.flatnonzero(y == label))
        folds[own] = np.arange(own.size) % FOLDS
    return folds


def archived(name, every, folder, fold, sizes):
    """A set of the UEA archive, with its own test set: one step in ``every``."""
    known, labels = read_ts(folder / f"{name}_TRAIN.ts")
    asked, others = read_ts(folder / f"{name}_TEST.ts")
    series = [own[::every] for own in known + asked]
    lengths = np.array([len(own) for own in series])
    x = np.zeros((len(series), lengths.max(), series[0].shape[1]), np.float32)
    for row, own in zip(x, series, strict=True):
        row[: len(own)] = own
    classes = {label: k for k, label in enumerate(sorted(set(labels)))}
    y = np.array([classes[label] for label in labels + others])
    arrays = {"x": x, "y": y} | ({"lengths": lengths} if np.ptp(lengths) else {})
    held_out = fold_of(y[: len(known)]) == fold % FOLDS
    return cut(arrays, np.flatnonzero(~held_out), np.flatnonzero(held_out), np.arange(len(known), len(series)))


# ---------------------------------------------------------------------------------------------------------- table

TASKS = [
    Task(
        "cheetah", cheetah, 20, "half-cheetah, the next 17 observations; half of the windows, 20 epochs",
        every_step=True,
    ),
    Task(
        "xor", xor, 25, f"event-based XOR, streams of up to {BITS} bits and not 31; 3,000 sequences and not 95,000",
        classes=2, sizes=(3000, 1000, 2000), small=(64, 32, 32),
    ),
    Task(
        "ethanol", spectra, 30, "EthanolConcentration, every 50 wavelengths averaged: 35 steps; no part of the search, "
        "since LTC, CfC and LSTM learnt nothing in a first trial", classes=4, searched=False,
    ),
    Task("scp1", cortex, 20, "SelfRegulationSCP1, channel 0, every 16 samples averaged: 56 steps", classes=2),
    Task("vowels", partial(archived, "JapaneseVowels", 1), 40, "JapaneseVowels, 7 to 29 steps", classes=9),
    Task("motions", partial(archived, "BasicMotions", 1), 60, "BasicMotions, 100 steps of 6 channels", classes=4),
    Task("gunpoint", partial(archived, "GunPoint", 2), 80, "GunPoint, one step in two: 75 steps", classes=2),
    Task("power", partial(archived, "ItalyPowerDemand", 1), 100, "ItalyPowerDemand, 24 steps", classes=2),
    Task("sunspots", yearly, 100, "sunspots, the number of the next year", every_step=True),
    Task("window", window, 60, f"sunspots, the number of the next year as the answer to the {SEEN} years before"),
    Task(
        "adding", adding, 10, f"the sum of two marked numbers in {STEPS} steps of noise; 320 sequences, 10 epochs",
        sizes=(320, 100, 500), small=(32, 16, 16), most_steps=400,
    ),
    Task(
        "oscillator", oscillator, 40, f"a driven oscillator, seen at irregular times; 200 sequences of {LONG} steps",
        every_step=True, sizes=(200, 100, 300), small=(48, 16, 16),
    ),
]  # fmt: skip
