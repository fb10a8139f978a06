"""Schedules of the learning rate."""

import math
import pickle

import numpy as np
import pytest
from support.flat import FlatModel as Model

from ltc_np import Dense
from ltc_np import Model as Network
from ltc_np.optim import SGD, CosineDecay, ExponentialDecay, PerEpoch, PiecewiseConstant, WarmUp


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
    assert repr(warm) == "WarmUp(schedule=ExponentialDecay(lr=0.2, rate=0.1, steps=5, staircase=False), steps=2)"
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


def test_staircases():
    stairs = ExponentialDecay(0.2, 0.5, 3, staircase=True)
    assert [stairs(k) for k in range(7)] == [0.2] * 3 + [0.1] * 3 + [0.05]
    smooth = ExponentialDecay(0.2, 0.5, 3)
    assert all(stairs(k) == smooth(3 * (k // 3)) for k in range(20))
    pieces = PiecewiseConstant((2, 5), np.array([0.3, 0.2, 0.0]))
    assert [pieces(k) for k in range(7)] == [0.3] * 2 + [0.2] * 3 + [0.0] * 2
    assert repr(pieces) == "PiecewiseConstant(boundaries=(2, 5), values=(0.3, 0.2, 0.0))"
    assert pickle.loads(pickle.dumps(pieces)) == pieces == PiecewiseConstant([2, 5], [0.3, 0.2, 0])
    assert [WarmUp(pieces, 2)(k) for k in range(6)] == pytest.approx([0.15, 0.3, 0.3, 0.3, 0.2, 0.2])


def test_schedules_per_epoch_in_a_loop_of_ones_own():
    seen = []
    optimizer, model = SGD(PerEpoch(lambda epoch: seen.append(epoch) or 0.5**epoch)), Model([0.0])
    with pytest.raises(ValueError, match="`optimizer.epoch` must be set for a schedule per epoch, got None: `fit`"):
        optimizer.step(model, np.ones(1))
    assert model.theta.tolist() == [0] and optimizer.t == 0
    repr(optimizer)  # which needs no epoch
    for epoch in range(3):
        optimizer.epoch = epoch
        for _ in range(2):
            optimizer.step(model, np.ones(1))
    assert seen == [0, 0, 1, 1, 2, 2] and model.theta.tolist() == [-2 * (1 + 0.5 + 0.25)]
    again = pickle.loads(pickle.dumps(SGD(PerEpoch(ExponentialDecay(0.1, 0.5, 2)))))
    again.epoch = 2
    assert again.learning_rate == 0.05 and again.lr == PerEpoch(ExponentialDecay(0.1, 0.5, 2))
    for wrong, error in ((-1, ValueError), (1.5, TypeError)):
        again.epoch = wrong
        with pytest.raises(error, match="`optimizer.epoch` must be an int >= 0, got"):
            again.step(Model([0.0]), np.ones(1))
    again.reset()
    assert again.epoch is None


def test_fit_counts_epochs():
    """Also where it is resumed; a second training begins the schedule again."""
    x, seen = np.zeros((6, 1, 1)), []
    optimizer = SGD(PerEpoch(lambda epoch: seen.append(epoch) or 0.1))
    model = Network(Dense(1, input_dim=1), seed=0)
    model.fit(x, x, batch_size=3, epochs=3, optimizer=optimizer, verbose=False)
    model.fit(x, x, batch_size=6, epochs=range(3, 5), optimizer=optimizer, verbose=False)
    model.fit(x, x, batch_size=6, epochs=2, optimizer=optimizer, verbose=False)
    assert seen == [0, 0, 1, 1, 2, 2, 3, 4, 0, 1]
