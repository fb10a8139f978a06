"""Properties of random networks, wirings, time grids and paddings (hypothesis)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.backends import BACKENDS

from ltc_np import CTGRU, GRU, LSTM, LTC, LTCRNN, CfC, CfCRNN, FullyConnected, MixedMemory, Model, Wiring


@st.composite
def networks(draw):
    """(float64 models that differ in the backend only, x, dt, lengths, h0)."""
    N, I = draw(st.integers(1, 6)), draw(st.integers(1, 3))
    B, T = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def edges(n_pre):
        polarity = rng.choice([-1.5, -1, 1, 2], (n_pre, N)) * (rng.random((n_pre, N)) < draw(st.floats(0, 1)))
        return [(int(j), int(i), float(polarity[j, i])) for j, i in zip(*np.nonzero(polarity), strict=True)]

    # Every neuron hears the first input, so that no output is out of reach.
    sensory = [(0, i, 1.0) for i in range(N)] + [edge for edge in edges(I) if edge[0] > 0]
    wiring = Wiring.from_edges(N, edges(N), sensory, output_dim=draw(st.integers(1, N)), input_dim=I)
    options = {"ode_unfolds": draw(st.integers(1, 4)), "positivity": draw(st.sampled_from(["softplus", "clip"]))}
    options |= {k: draw(st.sampled_from([None, "linear", "affine"])) for k in ("input_mapping", "output_mapping")}
    models = [LTCRNN(wiring, seed=0, dtype="float64", backend=b, **options) for b in BACKENDS]
    theta = models[0].theta + rng.normal(size=models[0].theta.size)
    for model in models:
        model.theta = theta
        # At its bound of 1e-6, cm would amplify the roundings of d_dt = q (P - Q v), q = G / cm, a million times.
        model.params["cm"] = np.abs(model.params["cm"]) + 0.1
        model.project()
    dt = rng.choice([0.0, 1e-3, 0.5, 1.0, 30.0], (B, T))
    lengths = rng.integers(0, T + 1, B)
    lengths[rng.integers(B)] = T
    return models, rng.normal(size=(B, T, I)), dt, lengths, rng.normal(size=(B, N))


def close(a, b, tolerance=1e-11):
    """Relative to the largest of the array; a few hundred roundings of 1e-16 and cancellation of sums."""
    assert np.abs(a - b).max(initial=0) <= tolerance * max(np.abs(b).max(initial=0), 1e-3)


def rounding(terms, step):
    """Of a difference quotient of sums of that many terms below 1, each rounded by itself."""
    return np.finfo(np.float64).eps * terms / step


@pytest.mark.compiled
@given(networks())
def test_backends_agree(case):
    (slow, fast), x, dt, lengths, h0 = case
    results = []
    for model in (slow, fast):
        y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
        results.append((y, model.backward(tape, np.cos(y), np.sin(h0))))
    (y, g), (y_fast, g_fast) = results
    close(y_fast, y)
    for name in ("theta", "x", "h0", "dt"):
        close(getattr(g_fast, name), getattr(g, name))


@given(networks())
def test_padding_order_of_the_batch_and_splits_change_nothing(case):
    (*_, model), x, dt, lengths, h0 = case
    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    order = np.argsort(lengths, kind="stable")
    shuffled = model(x[order], dt=dt[order], lengths=lengths[order], h0=h0[order])
    assert np.array_equal(shuffled, y[order])
    T = x.shape[1]
    first, middle = model(x[:, :1], dt=dt[:, :1], h0=h0, return_state=True)
    if T > 1:
        full, end = model(x, dt=dt, h0=h0, return_state=True)
        rest, last = model(x[:, 1:], dt=dt[:, 1:], h0=middle, return_state=True)
        assert np.array_equal(np.concatenate([first, rest], axis=1), full)
        assert np.array_equal(last, end)
    for b in np.flatnonzero(lengths):
        alone, end = model(x[b, : lengths[b]], dt=dt[b, : lengths[b]], h0=h0[b], return_state=True)
        assert np.array_equal(alone, y[b, : lengths[b]])
        assert np.array_equal(end, state[b])


@given(networks())
def test_hull(case):
    """The state stays between the smallest and the largest of its start, 0, vleak and erev."""
    (*_, model), x, dt, _, h0 = case
    p = model.params
    _, state = model(x, dt=dt, h0=h0, return_state=True)
    ends = np.concatenate([[0.0], p["vleak"], p["erev"], p["sensory_erev"], h0.ravel()])
    slack = 1e-13 * np.abs(ends).max()  # a few hundred roundings
    assert state.min() >= ends.min() - slack
    assert state.max() <= ends.max() + slack


def extrapolated(difference, step):
    """The derivative from central differences of two steps, without their error of second order: (4 f(h/2) - f(h)) / 3.

    In stiff cases that error is 1e-5 of the derivative.  Of the rounding of one difference it has three times as much.
    """
    coarse, fine = difference(step) / (2 * step), difference(step / 2) / step
    return (4 * fine - coarse) / 3


@given(networks())
def test_gradient_along_a_direction(case):
    (*_, model), x, dt, lengths, h0 = case
    theta = model.theta.copy()
    way = np.random.default_rng(0).normal(size=theta.size)
    if model.layers[0].positivity == "clip":  # its kinks lie at the bounds
        way[theta < 1e-3] = 0

    def loss(values):
        model.theta = values
        y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
        return np.sin(y).sum() + np.sin(state).sum()

    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    _, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
    g = model.backward(tape, np.cos(y), np.cos(state))
    step = 1e-6
    numeric = extrapolated(lambda h: loss(theta + h * way) - loss(theta - h * way), step)
    scale = np.abs(g.theta * way).sum()
    assert abs(g.theta @ way - numeric) <= 1e-6 * scale + 3 * rounding(y.size + state.size, step)


@st.composite
def closed_forms(draw):
    """(float64 CfC models that differ in the backend only, x, dt, lengths, h0)."""
    N, I = draw(st.integers(1, 20)), draw(st.integers(1, 3))
    B, T = draw(st.integers(1, 40)), draw(st.integers(1, 5))
    options = {"mode": draw(st.sampled_from(["default", "no_gate", "pure"]))}
    options |= {"variant": draw(st.sampled_from(["torch", "keras", "tf", "paper"]))}
    options |= {"backbone_layers": draw(st.integers(0, 2)), "backbone_units": draw(st.integers(1, 20))}
    options |= {"backbone_activation": draw(st.sampled_from(["silu", "tanh", "gelu", "lecun_tanh"]))}
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    models = [CfCRNN(N, input_dim=I, seed=0, dtype="float64", backend=b, **options) for b in BACKENDS]
    theta = rng.normal(0, 0.5, models[0].theta.size)
    for model in models:
        model.theta = theta
    dt = rng.choice([0.0, 1e-3, 0.5, 1.0, 30.0], (B, T))
    lengths = rng.integers(0, T + 1, B)
    lengths[rng.integers(B)] = T
    return models, rng.normal(size=(B, T, I)), dt, lengths, rng.normal(size=(B, N))


@pytest.mark.compiled
@given(closed_forms())
def test_backends_agree_on_closed_forms(case):
    (slow, fast), x, dt, lengths, h0 = case
    results = []
    for model in (slow, fast):
        y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
        same = np.cos(results[0][0] if results else y)  # where outputs are large their roundings show in the cosine
        results.append((y, model.backward(tape, same, np.sin(h0))))
    (y, g), (y_fast, g_fast) = results
    close(y_fast, y)
    for name in ("theta", "x", "h0", "dt"):
        close(getattr(g_fast, name), getattr(g, name))


@given(closed_forms())
def test_padding_and_order_change_no_closed_form(case):
    """Up to the roundings of a product of another size."""
    (*_, model), x, dt, lengths, h0 = case
    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    order = np.argsort(lengths, kind="stable")
    close(model(x[order], dt=dt[order], lengths=lengths[order], h0=h0[order]), y[order])
    for b in range(min(len(lengths), 3)):
        if lengths[b]:
            alone, end = model(x[b, : lengths[b]], dt=dt[b, : lengths[b]], h0=h0[b], return_state=True)
            close(alone, y[b, : lengths[b]])
            close(end, state[b])
        else:
            assert np.array_equal(state[b], h0[b])


@given(closed_forms())
def test_gated_states_stay_within_their_bounds(case):
    """|h'| <= 1 with a gate between two tanh, < 2 without; times 1.7159 in "tf"."""
    (*_, model), x, dt, lengths, h0 = case
    layer = model.layers[0]
    y = model(x, dt=dt, lengths=lengths, h0=h0)
    if layer.variant != "keras" and layer.mode != "pure":
        bound = (1 if layer.mode == "default" else 2) * (1.7159 if layer.variant == "tf" else 1)
        assert np.abs(y).max(initial=0) <= bound + 2e-15


@st.composite
def memories(draw):
    """`networks` for cells of gates and for mixed memory."""
    N, I, M = draw(st.integers(1, 20)), draw(st.integers(1, 3)), draw(st.integers(1, 6))
    B, T = draw(st.integers(1, 20)), draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    kind = draw(st.sampled_from(["lstm", "gru", "ctgru", "ltc", "cfc"]))
    topology, decay = draw(st.sampled_from(["torch", "keras"])), draw(st.sampled_from(["before", "after"]))
    size = I if topology == "torch" else M
    if kind in ("lstm", "gru"):
        layer = {"lstm": LSTM, "gru": GRU}[kind](N, input_dim=I)
    elif kind == "ctgru":
        layer = CTGRU(N, input_dim=I, scales=M, decay=decay)
    else:
        cell = (
            LTC(FullyConnected(M, 1), input_dim=size, ode_unfolds=2)
            if kind == "ltc"
            else CfC(N, input_dim=size, backbone_units=3)
        )
        layer = MixedMemory(cell, topology, input_dim=I)
    models = [Model(layer, seed=0, dtype="float64", backend=b) for b in BACKENDS]
    theta = models[0].theta + rng.normal(0, 0.5, models[0].theta.size)
    for model in models:
        model.theta = theta
    dt = rng.choice([0.0, 1e-3, 0.5, 1.0, 30.0], (B, T)) if layer.takes_dt else None
    lengths = rng.integers(0, T + 1, B)
    lengths[rng.integers(B)] = T
    return models, rng.normal(size=(B, T, I)), dt, lengths, rng.normal(size=(B, layer.state_size))


@pytest.mark.compiled
@given(memories())
def test_backends_with_memory_agree(case):
    (slow, fast), x, dt, lengths, h0 = case
    results = []
    for model in (slow, fast):
        y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
        results.append((y, model.backward(tape, np.cos(y), np.sin(h0))))
    (y, g), (y_fast, g_fast) = results
    close(y_fast, y)
    for name in ("theta", "x", "h0", "dt"):
        if getattr(g, name) is not None:
            close(getattr(g_fast, name), getattr(g, name))


@given(memories())
def test_padding_and_splits_change_nothing_with_memory(case):
    """Sequences alone, and in two pieces; products by BLAS may round in another order."""
    (*_, model), x, dt, lengths, h0 = case
    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    assert np.array_equal(state[lengths == 0], h0[lengths == 0])
    for b in np.flatnonzero(lengths):
        n, middle = lengths[b], h0[b]
        parts = []
        for piece in (slice(0, 1), slice(1, n)):
            if piece.start < n:
                own = None if dt is None else dt[b, piece]
                part, middle = model(x[b, piece], dt=own, h0=middle, return_state=True)
                parts.append(part)
        close(np.concatenate(parts), y[b, :n])
        close(middle, state[b])


@given(memories())
def test_gradient_along_a_direction_with_memory(case):
    (*_, model), x, dt, lengths, h0 = case
    theta, way, step = model.theta.copy(), np.random.default_rng(0).normal(size=model.theta.size), 1e-6

    def loss(values):
        model.theta = values
        y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
        return np.sin(y).sum() + np.sin(state).sum()

    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    _, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0)
    g = model.backward(tape, np.cos(y) * (np.arange(x.shape[1]) < lengths[:, None])[:, :, None], np.cos(state))
    numeric = extrapolated(lambda h: loss(theta + h * way) - loss(theta - h * way), step)
    scale = np.abs(g.theta * way).sum()
    assert abs(g.theta @ way - numeric) <= 1e-6 * scale + 3 * rounding(y.size + state.size, step)
