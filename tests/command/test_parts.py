"""Units of time, parts of groups, and baselines, each by itself."""

import numpy as np
import pytest

from ltc_np.command import baselines, records, roles, split
from ltc_np.command.task import Task

WORDS = Task(features=("a",), target=("w",), group="g", every_step=False, labels=("no", "yes"), by="group")


@pytest.mark.parametrize("name", ["s", "min", "h", "d"])
def test_units(name):
    letter = {"s": "s", "min": "m", "h": "h", "d": "D"}[name]
    assert roles.unit(name, True, []) == np.timedelta64(1, letter) / np.timedelta64(1, "s")


def of_groups(words):
    n = len(words)
    return records.Records([np.array([k]) for k in range(n)], [str(k) for k in range(n)], np.zeros((n, 1)), *[None] * 3)


def test_parts_of_groups():
    """Each part has its share of every class, other seeds draw other groups, and rare classes are in the test too."""
    words = ["no"] * 80 + ["yes"] * 20
    found = [np.array(split.parts(WORDS.replace(seed=seed), of_groups(words), words)) for seed in (0, 0, 1)]
    for where in found:
        assert [(where[:80] == part).sum() for part in range(3)] == [56, 12, 12]
        assert [(where[80:] == part).sum() for part in range(3)] == [14, 3, 3]
    assert (found[0] == found[1]).all() and (found[0] != found[2]).any()


def test_the_most_frequent_class_of_the_training():
    """What the test holds does not count."""
    y, where = np.array([0.0, 1, 1, 0, 0, 0]), np.array([0, 0, 0, 2, 2, 2])
    found = baselines.of(WORDS, of_groups(["?"] * 6), [np.ones((2, 1))] * 6, y, where, y)
    assert "always yes" in found and (found["always yes"].argmax(1) == 1).all()
