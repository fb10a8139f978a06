"""The argument ``parallel_time``: what it may be, whose it is, and what a model says of its last call."""

import numpy as np
import pytest

from ltc_np import BPTT, LSTM, LTC, LTCRNN, AutoNCP, Dense, Dropout, Model, ParallelTime, Residual
from ltc_np.layers import parallel
from ltc_np.layers.parallel import PROCESSOR


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ("auto", ParallelTime()),
        (False, ParallelTime(chunks=1)),
        (np.int64(7), ParallelTime(chunks=7)),
        (ParallelTime(tolerance=1e-3), ParallelTime("auto", 1e-3)),
    ],
)
def test_what_it_may_be(given, want):
    model = LTCRNN(AutoNCP(5, 2), 2, seed=0, backend="numpy")
    model.parallel_time = given
    assert model.parallel_time == parallel.read(given) == want


@pytest.mark.parametrize("wrong", [True, None, 0, -3, 2.0, "all", np.nan])
def test_what_it_may_not_be(wrong):
    model = LTCRNN(AutoNCP(5, 2), 2, seed=0, backend="numpy")
    with pytest.raises(ValueError, match=r'^`parallel_time` must be "auto", False, a number of chunks >= 1 or a Paral'):
        model.parallel_time = wrong
    if wrong is not None:  # of a call: the model's own
        with pytest.raises(ValueError, match=r"^`parallel_time` must be"):
            model(np.ones((3, 2)), parallel_time=wrong)
    assert model.parallel_time == ParallelTime()


@pytest.mark.parametrize("wrong", [{"chunks": 0}, {"chunks": "all"}, {"tolerance": -1e-9}, {"tolerance": np.nan}])
def test_errors_name_the_argument(wrong):
    (name,) = wrong
    with pytest.raises((ValueError, TypeError), match=f"^`{name}` must be"):
        ParallelTime(**wrong)


def test_long_and_few_sequences_are_cut():
    auto, seven = ParallelTime(), ParallelTime(chunks=7)
    assert auto.concerns((1, 2048), PROCESSOR) and auto.concerns((16, 2048), PROCESSOR)
    assert not auto.concerns((1, 2047), PROCESSOR) and not auto.concerns((17, 2048), PROCESSOR)
    assert seven.concerns((1, 2), PROCESSOR) and seven.concerns((1000, 2), PROCESSOR)
    assert not seven.concerns((1, 1), PROCESSOR) and not ParallelTime(chunks=1).concerns((1, 10_000), PROCESSOR)


@pytest.mark.slow
def test_a_call_overrides_the_model_s_own():
    model, x = LTCRNN(AutoNCP(5, 2), 2, seed=0, backend="numpy"), np.random.default_rng(0).normal(size=(60, 2))
    model(x)
    assert model.last_parallel == ()
    model.parallel_time = 3
    for call in (model, lambda x, **more: model.forward(x, **more)[0], model.predict):
        y = call(x)
        assert [report.chunks for report in model.last_parallel] == [3]
        assert np.array_equal(call(x, parallel_time=False), y)
        assert model.last_parallel == ()
        assert np.array_equal(call(x, parallel_time=ParallelTime(4)), y)
        assert [report.chunks for report in model.last_parallel] == [4]
    model.loss_and_grad(x, np.zeros((60, 2)), parallel_time=5)
    assert [report.chunks for report in model.last_parallel] == [5]
    assert model.last_parallel[0].repeated_backward is not None
    assert model.parallel_time == ParallelTime(3)


@pytest.mark.slow
def test_a_training_has_its_own():
    x = np.random.default_rng(0).normal(size=(2, 60, 2))
    seen = []

    def loss(y, target):
        seen.append([report.chunks for report in model.last_parallel])
        return float((y**2).mean()), 2 * y / y.size

    model = LTCRNN(AutoNCP(5, 2), 2, seed=0, backend="numpy")
    arguments = {"loss": loss, "epochs": 2, "verbose": False, "validation": (x, np.zeros((2, 60, 2)))}
    model.fit(x, np.zeros((2, 60, 2)), tbptt=BPTT(parallel_time=4), **arguments)
    assert seen and all(chunks == [4] for chunks in seen)
    assert model.parallel_time == ParallelTime()
    with pytest.raises(ValueError, match="`parallel_time` must be"):
        model.fit(x, np.zeros((2, 60, 2)), tbptt=BPTT(parallel_time=0), **arguments)


def test_only_layers_that_forget_are_cut():
    """And what drops, where nothing is dropped."""
    layers = [LTC(AutoNCP(6, 3)), Dense(3, "tanh"), Residual(LSTM(3), Dropout(0.5)), Dropout(0.2), LTC(AutoNCP(5, 1))]
    model, x = Model(*layers, input_dim=2, seed=0, backend="numpy"), np.random.default_rng(0).normal(size=(1, 50, 2))
    y = model(x, parallel_time=2)
    assert [report.layer for report in model.last_parallel] == [0, 2, 4]
    np.testing.assert_allclose(y, model(x), rtol=0, atol=1e-6)
    y, _ = model.forward(x, parallel_time=2, dropout_seed=3)
    assert [report.layer for report in model.last_parallel] == [0, 4]
    np.testing.assert_allclose(y, model.forward(x, dropout_seed=3)[0], rtol=0, atol=1e-6)


def test_steps_take_no_notice():
    model, x = LTCRNN(AutoNCP(5, 2), 2, seed=0, backend="numpy"), np.random.default_rng(0).normal(size=(60, 2))
    model.parallel_time = 4
    y, state = model(x, return_state=True)
    own = None
    for t in range(60):
        out, own = model.step(x[t], state=own)
        assert np.array_equal(out, y[t])
    assert np.array_equal(own, state)


def test_a_backward_pass_adds_to_the_reports_of_its_own_forward():
    """Although the call before was cut in the same way."""
    model, x = LTCRNN(AutoNCP(5, 2), 2, seed=0, backend="numpy"), np.random.default_rng(0).normal(size=(60, 2))
    model(x, parallel_time=3)
    y, tape = model.forward(x, parallel_time=3)
    assert model.last_parallel[0].repeated_backward is None
    model.backward(tape, y)
    assert model.last_parallel[0].repeated_backward is not None
