"""Time constants at rest, by their formula; who is told that a network forgets long before a sequence ends."""

import contextlib
import io

import numpy as np
import pytest

from ltc_np import CTRNN, LSTM, LTC, Adam, AutoNCP, Dense, Model
from ltc_np.analysis import gradient_by_lag
from ltc_np.network.forgetting import LONG, SHORT, short_memory, warn_of_short_memory
from ltc_np.network.resting import time_constants

rng = np.random.default_rng(0)
X = rng.normal(size=(6, 100, 2)).astype(np.float32)
NOISE = rng.normal(size=(6, 100, 1)).astype(np.float32)
WORDS = (
    "the loss has only fallen from .* longest time constant of LTC.* at rest was 1.14, sequences last 100, and the .*"
    r'init={"time_constants": \(1, 100\)} of an LTC'
)


def network(*layers, **settings):
    return Model(*layers, Dense(1), input_dim=2, seed=0, backend="numpy", **settings)


def told(words):
    return pytest.warns(RuntimeWarning, match=words) if words else contextlib.nullcontext()


def test_the_formula():
    model = network(LTC(AutoNCP(8, 2)))
    layer = model.layers[0]
    wiring, values = layer.wiring, layer.layout.effective(model.theta[: layer.layout.size].astype(float))
    p = layer.layout.arrays(values)
    Q = p["gleak"] + layer.epsilon
    for kind, post in (("", wiring.post), ("sensory_", wiring.sensory_post)):
        opened = 1 / (1 + np.exp(p[kind + "sigma"] * p[kind + "mu"]))
        np.add.at(Q, post, p[kind + "w"] * opened)
    (found,) = time_constants(model)
    np.testing.assert_allclose(found.tau, p["cm"] / Q, rtol=1e-5)
    span = time_constants(network(LTC(AutoNCP(8, 2), init={"time_constants": (0.5, 20)})))[0].tau
    assert 0.5 <= span.min() < 1 and 10 < span.max() <= 20
    assert [each.tau.tolist() for each in time_constants(network(LSTM(3), CTRNN(2, tau=3.0)))] == [
        pytest.approx([3, 3])
    ]


def test_a_summary_says_them():
    model = network(LSTM(3), CTRNN(2, tau=3.0))
    model.summary(shown := io.StringIO())
    assert shown.getvalue().splitlines()[-1] == "time constants at rest: CTRNN 3 to 3"
    assert "time constants at rest: CTRNN 3 to 3" in model._repr_html_()
    network(LSTM(3)).summary(shown := io.StringIO())
    assert "time constants" not in shown.getvalue()


@pytest.mark.parametrize(
    ("layers", "x", "y", "dt", "words"),
    [
        ([LTC(AutoNCP(8, 2), ode_unfolds=1)], X, NOISE, 1.0, WORDS),
        ([LTC(AutoNCP(8, 2), ode_unfolds=1)], X, NOISE[:, 0], 1.0, WORDS),  # one answer for each sequence
        (
            [LTC(AutoNCP(8, 2), ode_unfolds=1), LSTM(3)],
            X,
            NOISE,
            1.0,
            "",
        ),  # which remembers longer: the derivative is not that small
        ([LTC(AutoNCP(8, 2), ode_unfolds=1)], X, NOISE, 0.05, ""),  # time constants are long enough for such steps
        ([LTC(AutoNCP(8, 2), ode_unfolds=1)], X[:, : LONG - 1], NOISE[:, : LONG - 1], 1.0, ""),
        ([LTC(AutoNCP(8, 2), ode_unfolds=1, init={"time_constants": (1, 100)})], X, NOISE, 1.0, ""),
        ([LSTM(3)], X, NOISE, None, ""),
    ],
    ids=["ltc", "one answer", "lstm behind", "short steps", "short sequences", "time constants", "lstm"],
)
def test_who_is_told(layers, x, y, dt, words):
    """At the end of a training that has learned little, not where it goes on, and not of few epochs."""
    model = network(*layers, return_sequences=y.ndim == 3)
    model.fit(x, y, dt=dt, epochs=1, verbose=False)
    model = network(*layers, return_sequences=y.ndim == 3)
    with told(words):
        model.fit(x, y, dt=dt, epochs=10, batch_size=2, optimizer=Adam(0.05), verbose=False, seed=0)
    model.fit(x, y, dt=dt, epochs=range(10, 20), verbose=False)


def test_what_is_told_is_true():
    """The derivative that `gradient_by_lag` has, in float64."""
    lengths = np.full(6, 100)
    for init, vanishes in ((None, True), ({"time_constants": (1, 100)}, False)):
        model = network(LTC(AutoNCP(8, 2), init=init))
        lags = gradient_by_lag(model, X)
        assert (lags[:, 50:].max() < 1e-6 * lags.max()) == vanishes
        assert bool(short_memory(model, X, np.ones((6, 100), np.float32), lengths)) == vanishes
        assert short_memory(model, X, None, lengths) == short_memory(model, X, np.ones((6, 100)), lengths)
        assert (SHORT * time_constants(model)[0].tau.max() < 100) == vanishes


@pytest.mark.parametrize("timed", [False, True])
def test_what_sequences_are_padded_with_says_nothing(timed):
    """Neither of their time, which is that of most, nor of their last answer."""
    lengths = np.array([100, 60, 60, 60, 60, 60])
    within = np.arange(100) < lengths[:, None]
    x, dt = X * within[:, :, None], 0.75 * within.astype(np.float32) if timed else None
    words = short_memory(network(LTC(AutoNCP(8, 2))), x, dt, lengths)
    assert f"sequences last {45 if timed else 60}," in words
    assert f'{{"time_constants": ({0.75 if timed else 1}, {45 if timed else 60})}}' in words
    keeps = network(LTC(AutoNCP(8, 2), init={"time_constants": (1.0, 5.0)}, ode_unfolds=1))
    some = np.full(6, 60)  # 5 * SHORT < 60, but a derivative of e**-6 is none that vanishes
    assert not short_memory(keeps, x[:, :60], None, some) and not short_memory(
        keeps, x * within[1][:, None], None, some
    )


@pytest.mark.parametrize(
    ("losses", "words"),
    [([1.0] * 9, ""), ([1.0] * 9 + [0.79], ""), ([1.0] * 9 + [0.81], "fallen from 1 to 0.81"), ([-1.0] * 10, "")],
)
def test_little_is_a_fifth_of_the_first_loss(losses, words):
    with told(words):
        warn_of_short_memory("it forgets", losses)
    warn_of_short_memory("", losses)
