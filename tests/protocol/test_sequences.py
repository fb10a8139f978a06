"""Sequences: step by step, in parts, padded, each alone."""

import numpy as np
import pytest
from protocol.calls import given, results, whole

from ltc_np import Model

# Rounding of products of another size, where a layer does not promise the same bits.
EXACT = {"rtol": 1e-13, "atol": 1e-13}


def equal(layer, a, b):
    if layer.bitwise_batch:
        assert np.array_equal(a, b)
    else:
        np.testing.assert_allclose(a, b, **EXACT)


def test_steps_are_the_sequence(layer, backend):
    if not layer.causal:
        return
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    some = whole(layer)
    y, state = model(some.x, dt=some.dt, h0=some.h0, return_state=True)
    streamed = some.h0
    for t in range(5):
        out, streamed = model.step(some.x[:, t], dt=None if some.dt is None else some.dt[:, t], state=streamed)
        equal(layer, out, y[:, t])
    equal(layer, streamed, state)


def test_a_sequence_in_two_parts_is_the_whole(layer, backend):
    """But not where outputs depend on later inputs."""
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    x, dt, _, h0, *_ = whole(layer)
    y, state = model(x, dt=dt, h0=h0, return_state=True)
    cut = [slice(0, 2), slice(2, 5)]
    first, middle = model(x[:, cut[0]], dt=None if dt is None else dt[:, cut[0]], h0=h0, return_state=True)
    second, end = model(x[:, cut[1]], dt=None if dt is None else dt[:, cut[1]], h0=middle, return_state=True)
    if not layer.causal:
        assert np.abs(first - y[:, :2]).max() > 1e-6
        return
    equal(layer, np.concatenate([first, second], axis=1), y)
    equal(layer, end, state)


def test_padding_changes_nothing(layer, backend):
    """Each sequence as if it were alone, its state that of its end; what lies behind the ends is not a number."""
    model = Model(layer, seed=0, dtype="float64", backend=backend)
    some = given(layer, 4)
    assert np.isnan(some.x).any()
    y, state = model(some.x, dt=some.dt, lengths=some.lengths, h0=some.h0, return_state=True)
    last = model(some.x, dt=some.dt, lengths=some.lengths, h0=some.h0, return_sequences=False)
    for b, n in enumerate(some.lengths):
        assert (y[b, n:] == 0).all()
        if n == 0:
            assert (state[b] == some.h0[b]).all()
            assert (last[b] == 0).all()
            continue
        alone, end = model(**some.part(b, slice(0, n)), h0=some.h0[b], return_state=True)
        equal(layer, y[b, :n], alone)
        equal(layer, state[b], end)
        equal(layer, last[b], alone[-1])


def test_gradients_of_padded_sequences_are_those_of_each_alone(layer, backend):
    model = Model(layer, seed=1, dtype="float64", backend=backend)
    some = given(layer, 4, 6)
    together = results(model, some)
    sums = {name: 0 for name in together if name not in ("y", "state", "d_x", "d_h0", "d_dt")}
    for b, n in enumerate(some.lengths):
        for name in ("d_x", "d_dt"):
            assert name not in together or (together[name][b, n:] == 0).all()
        if n == 0:
            assert np.array_equal(together["d_h0"][b], some.d_state[b])
            continue
        part = some.part(b, slice(0, n))
        _, tape = model.forward(**part, h0=some.h0[b])
        g = model.backward(tape, some.d_y[b, :n], some.d_state[b])
        scale = max(np.abs(together[name]).max(initial=0) for name in ("d_x", "d_h0"))
        np.testing.assert_allclose(together["d_x"][b, :n], g.x, rtol=0, atol=1e-12 * scale)
        np.testing.assert_allclose(together["d_h0"][b], g.h0, rtol=0, atol=1e-12 * scale)
        if part["dt"] is not None:
            np.testing.assert_allclose(
                together["d_dt"][b, :n], g.dt, rtol=0, atol=1e-12 * np.abs(together["d_dt"]).max()
            )
        sums = {name: total + model.views(g.theta)[name.removeprefix("d_")] for name, total in sums.items()}
    for name, total in sums.items():
        largest = np.abs(together[name]).max(initial=0)
        np.testing.assert_allclose(together[name], total, rtol=0, atol=1e-12 * largest + 1e-30)


@pytest.mark.host
def test_the_last_outputs_alone(layer, backend):
    """`return_sequences=False`, with gradients."""
    some = given(layer, 4, 6)
    whole_, last = (
        Model(layer, seed=1, dtype="float64", backend=backend, return_sequences=kind) for kind in (True, False)
    )
    y, tape = whole_.forward(some.x, dt=some.dt, lengths=some.lengths)
    ends = np.maximum(some.lengths - 1, 0)
    out, tape_last = last.forward(some.x, dt=some.dt, lengths=some.lengths)
    alive = some.lengths > 0
    assert np.array_equal(out[alive], y[np.arange(4), ends][alive])
    d_y = np.zeros_like(some.d_y)
    d_y[np.arange(4), ends] = some.d_y[:, 0] * alive[:, None]
    a, b = whole_.backward(tape, d_y), last.backward(tape_last, some.d_y[:, 0] * alive[:, None])
    for name in ("theta", "x", "h0", "dt"):
        one, two = getattr(a, name), getattr(b, name)
        assert one is two is None or np.array_equal(one, two)
