"""Advice: what a training says that its user should know."""

import numpy as np
import pytest

from ltc_np import History
from ltc_np.shortcut.advice import advice


def ran(loss, validation=None):
    history = History()
    for epoch, value in enumerate(loss):
        history.add(epoch, {"loss": value} | ({} if validation is None else {"val_loss": validation[epoch]}))
    return history


FALLING = np.geomspace(1, 0.1, 40).tolist()
REPORT = {"reads": 3, "network": 0.15, "training": 0.1, "line": 0.3, "share": 0.7}


@pytest.mark.parametrize(
    ("history", "said"),
    [
        (ran(FALLING), []),
        (ran(FALLING, FALLING), []),
        (ran(FALLING, np.linspace(1, 1.09, 40)), []),  # hardly risen
        (
            ran(FALLING, np.linspace(0.8, 1.2, 40)),
            ["overfits from the start: the validation loss is least, 0.8, after epoch 1 of 40, and 1.2"],
        ),
        (
            ran(FALLING, np.geomspace(1, 0.3, 40)),
            ["the validation loss is 0.3 at best where that of the training is 0.1"],
        ),
        (ran(np.negative(FALLING[::-1]), np.negative(FALLING[::-1])), []),
        (ran(FALLING + [0.8] * 3), ["the training loss has risen from 0.1 in epoch 40 to 0.8"]),
        (ran([1.0, 0.1, 0.9]), []),
    ],
)
def test_what_curves_say(history, said):
    found = history.advice()
    assert len(found) == len(said) and all(part in sentence for part, sentence in zip(said, found, strict=True)), found
    assert all(part in history._repr_html_() for part in said)


@pytest.mark.parametrize(
    ("changes", "classes", "said"),
    [
        ({}, {"a": 10, "b": 12}, []),
        (
            {"share": 0.0},
            {},
            ["not used: its error on what was held out, 0.15, is not clearly below that of the line, 0.3"],
        ),
        ({"share": 0.0, "reads": "nothing"}, {}, ["that of the mean"]),
        ({"network": 0.21}, {}, ["the network's error is 0.1 in its training and 0.21 on what was held out"]),
        ({}, {"a": 9, "b": 12}, ["class 'a' has only 9 answers"]),
    ],
)
def test_what_a_report_says(changes, classes, said):
    found = advice(ran(FALLING), REPORT | changes, classes)
    assert len(found) == len(said) and all(part in sentence for part, sentence in zip(said, found, strict=True)), found
    assert advice(ran(FALLING), {}) == []
