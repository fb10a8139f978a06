"""Schedules of the learning rate."""

import math
import pickle

import numpy as np
import pytest
from support.flat import FlatModel as Model

from ltc_np.optim import SGD, CosineDecay, ExponentialDecay, WarmUp


def test_schedules():
    exponential = ExponentialDecay(0.2, 0.1, 5)
    assert [exponential(k) for k in (0, 5, 10)] == pytest.approx([0.2, 0.02, 0.002])
    cosine = CosineDecay(1.0, 4, final=0.2)
    assert [cosine(k) for k in range(7)] == pytest.approx(
        [1.0, 0.2 + 0.4 * (1 + math.sqrt(0.5)), 0.6, 0.2 + 0.4 * (1 - math.sqrt(0.5)), 0.2, 0.2, 0.2]
    )
    assert [WarmUp(0.4, 4)(k) for k in range(6)] == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    warm = WarmUp(exponential, 2)
    assert [warm(k) for k in (0, 1, 2, 7)] == pytest.approx([0.1, 0.2, 0.2, 0.02])
    assert repr(warm) == "WarmUp(schedule=ExponentialDecay(lr=0.2, rate=0.1, steps=5), steps=2)"
    assert pickle.loads(pickle.dumps(warm)) == warm != WarmUp(exponential, 3)
    with pytest.raises(AttributeError, match="a schedule is immutable, `steps` cannot be set"):
        warm.steps = 3


def test_schedule_counts_steps_from_zero():
    seen = []
    optimizer, model = SGD(lambda step: seen.append(step) or 0.5), Model([0.0])
    for _ in range(3):
        optimizer.step(model, np.ones(1))
    assert seen == [0, 1, 2] and optimizer.learning_rate == 0.5
    assert repr(SGD(CosineDecay(0.1, 3))).startswith("SGD(lr=CosineDecay(lr=0.1, steps=3, final=0.0), ")
