"""Tables for the tests of commands, and options of a training that is quick."""

import itertools

import numpy as np

from ltc_np.command.records import Records

SMALL = ["--units", "4", "--ode-unfolds", "1", "--epochs", "2", "--backend", "numpy", "--quiet", "--no-picture"]


def write_csv(path, columns):
    """A file of CSV from name -> values; None and NaN are empty cells."""
    rows = zip(*columns.values(), strict=True)
    lines = [",".join(columns)] + [",".join("" if v is None or v != v else str(v) for v in row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def waves(seed=0, n=80):
    """One series at irregular times: a target that a feature drives."""
    rng = np.random.default_rng(seed)
    t = np.cumsum(rng.uniform(0.5, 1.5, n)).round(3)
    power = np.sin(t / 5) + 0.1 * rng.standard_normal(n)
    heat = np.convolve(power, np.exp(-np.arange(10) / 3.0))[:n]
    return {"time": t.tolist(), "power": power.round(4).tolist(), "heat": heat.round(4).tolist()}


def words(seed=0, n=24):
    """Sequences of unequal length, each of one of three classes: their slope."""
    rng = np.random.default_rng(seed)
    found = {"who": [], "t": [], "a": [], "b": [], "word": []}
    for k in range(n):
        length = int(rng.integers(4, 9))
        slope = k % 3 - 1
        for t in range(length):
            row = (
                f"g{k}",
                t,
                slope * t + 0.1 * rng.standard_normal(),
                rng.standard_normal(),
                ["down", "flat", "up"][k % 3],
            )
            for name, value in zip(found, row, strict=True):
                found[name].append(value if isinstance(value, str) else round(float(value), 4))
    return found


def change(columns, **cells):
    """A copy of columns with {name: {row: value}} changed."""
    columns = {name: list(values) for name, values in columns.items()}
    for name, values in cells.items():
        for row, value in values.items():
            columns[name][row] = value
    return columns


def of_groups(words):
    """The records of groups of one row each."""
    return of_rows(*[1] * len(words))


def of_rows(*lengths):
    """The records of sequences one after the other, with a target at every row."""
    ends = np.cumsum((0, *lengths))
    rows = [np.arange(*own) for own in itertools.pairwise(ends)]
    return Records(rows, [str(k) for k in range(len(rows))], np.zeros((ends[-1], 1)), *[None] * 3)
