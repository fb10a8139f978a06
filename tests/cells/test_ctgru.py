"""The CT-GRU: against a loop in PyTorch (golden/make_torch_ctgru.py), its decay, its order, its extremes.

What it shares with other gate cells is in test_gates.py.
"""

import numpy as np
import pytest
from support import golden

from ltc_np import CTGRU, Adam, Dense, Model, gradcheck, load

CASES = ("irregular", "square", "one_step", "one_scale", "published", "long")


def ours(file, prefix=""):
    """The paper's matrices side by side, in our names."""
    return {
        "w_x": np.concatenate([file[f"{prefix}w_{k}"] for k in "RSQ"]).T,
        "w_h": np.concatenate([file[f"{prefix}u_{k}"] for k in "RS"]).T,
        "w_c": file[f"{prefix}u_Q"].T,
        "b": np.concatenate([file[f"{prefix}b_{k}"] for k in "RSQ"]),
    }


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES)
def test_equal_to_the_paper(case, dtype, backend):
    file, options = golden.read("torch_ctgru", case, "options")
    B, M, N = file["h0"].shape
    model = Model(CTGRU(N, input_dim=file["x"].shape[2], **options), seed=0, dtype=dtype, backend=backend)
    for name, values in ours(file).items():
        model.params[name] = values
    h0 = file["h0"].reshape(B, M * N)
    y, state = model(file["x"], dt=file["dt"], h0=h0, return_state=True)
    outputs, gradients = golden.tolerances(dtype)
    assert np.abs(y - file["y"]).max() <= outputs
    assert np.abs(state - file["hT"].reshape(B, M * N)).max() <= outputs
    _, tape = model.forward(file["x"], dt=file["dt"], h0=h0)
    g = model.backward(tape, file["a"], file["b"].reshape(B, M * N))
    found = {"x": g.x, "dt": g.dt, "h0": g.h0.reshape(B, M, N), **model.views(g.theta)}
    wanted = {name: file[f"d_{name}"] for name in ("x", "dt", "h0")} | ours(file, "d_")
    golden.check(found, wanted, gradients)


def silent(dtype="float64", **options):
    """A cell that stores next to nothing in all but the slowest of its 4 scales, and 0 there."""
    init = {"w_x": 0.0, "w_h": 0.0, "w_c": 0.0, "b": np.repeat([0.0, 50.0, 0.0], 3)}
    return Model(CTGRU(3, input_dim=2, scales=4, init=init, **options), seed=0, dtype=dtype)


@pytest.mark.parametrize("decay", ["before", "after"])
def test_traces_left_alone_fade_as_the_paper_says(decay):
    tau = 10 ** (np.arange(4) / 2)
    model, h0 = silent(decay=decay), np.random.default_rng(0).normal(size=(5, 4, 3))

    def fade(*dt):
        _, state = model(np.zeros((5, len(dt), 2)), dt=np.array(dt), h0=h0.reshape(5, 12), return_state=True)
        return state.reshape(5, 4, 3)[:, :3]  # an event overwrites the last scale

    for dt in (0.0, 0.3, 1.0, 7.0):
        np.testing.assert_allclose(fade(dt), h0[:, :3] * np.exp(-dt / tau[:3, None]), rtol=1e-14)
    # However time is split.
    np.testing.assert_allclose(fade(0.5, 1.5, 2.0), fade(4.0), rtol=1e-14)
    # The mistake of published code, exp(-dt / ln(tau)): the first scale forgets at once, the others faster than they
    # should, and none is the paper's.
    with np.errstate(divide="ignore"):
        mistaken = np.exp(-1 / np.log(tau[:3]))
    assert mistaken[0] == 0
    assert (mistaken < np.exp(-1 / tau[:3]) - 0.05).all()
    assert (np.abs(fade(1.0) - h0[:, :3] * mistaken[:, None]).max((0, 2)) > 0.05).all()


def test_both_orders_see_the_same_traces(backend):
    """Time after a step is time before the next one; what differs is when the output is taken."""
    rng = np.random.default_rng(0)
    before, after = (
        Model(CTGRU(5, input_dim=2, decay=decay), seed=1, dtype="float64", backend=backend)
        for decay in ("before", "after")
    )
    before.theta = after.theta = rng.normal(size=before.theta.size)
    x, dt = rng.normal(size=(3, 6, 2)), rng.uniform(0, 4, (3, 6))
    shifted = np.concatenate([np.zeros((3, 1)), dt[:, :-1]], axis=1)
    y, faded = after(x, dt=dt, return_state=True)
    h, state = before(x, dt=shifted, return_state=True)
    factors = np.exp(-dt[:, -1:] / 10 ** (np.arange(8) / 2))
    np.testing.assert_allclose(faded, (state.reshape(3, 8, 5) * factors[:, :, None]).reshape(3, 40), rtol=1e-13)
    np.testing.assert_allclose(y[:, -1], faded.reshape(3, 8, 5).sum(1), rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(h[:, -1], state.reshape(3, 8, 5).sum(1), rtol=1e-13, atol=1e-15)
    assert np.abs(y - h).max() > 0.1
    np.testing.assert_allclose(after(x, dt=0.0), before(x, dt=0.0), rtol=1e-14)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_extremes(dtype, backend):
    """Time scales far outside of the table, long waits, twenty scales: finite, and what the limits say."""
    b = np.concatenate([[1e4, -1e4, 300.0], [-1e4, 1e4, 0.0], np.zeros(3)])
    model = Model(
        CTGRU(3, input_dim=2, scales=20, tau_min=1e-3, tau_ratio=3.0, init={"b": b}),
        seed=0,
        dtype=dtype,
        backend=backend,
    )
    x, h0 = np.random.default_rng(0).normal(size=(2, 4, 2)), np.random.default_rng(1).normal(size=(2, 60))
    y, tape = model.forward(x, dt=[0.0, 1e15, 1.0, 0.0], h0=h0)
    _, state = model(x, dt=[0.0, 1e15, 1.0, 0.0], h0=h0, return_state=True)
    g = model.backward(tape, np.ones_like(y))
    assert all(np.isfinite(a).all() for a in (y, state, g.theta, g.x, g.h0, g.dt))
    traces = state.reshape(2, 20, 3)
    assert (traces[:, 1:, 0] == 0).all()  # stored in the fastest scale only, and all else forgotten
    assert (traces[:, :-1, 1] == 0).all()
    assert (np.abs(traces) <= 1).all()


def test_output_is_the_sum_of_the_traces_by_name():
    layer = CTGRU(4, input_dim=2, scales=3)
    y, state = Model(layer, seed=0, dtype="float64")(np.ones((2, 5, 2)), dt=0.5, return_state=True)
    assert list(layer.state_slices) == ["h_hat_0", "h_hat_1", "h_hat_2"]
    np.testing.assert_allclose(sum(state[:, s] for s in layer.state_slices.values()), y[:, -1], rtol=1e-14)


def test_the_unit_of_time_is_free(backend):
    """Milliseconds in place of seconds: the same network."""
    x, dt = np.random.default_rng(0).normal(size=(3, 6, 2)), np.random.default_rng(1).uniform(0, 3, (3, 6))
    outputs = [
        Model(CTGRU(5, input_dim=2, tau_min=unit), seed=0, dtype="float64", backend=backend)(x, dt=unit * dt)
        for unit in (1, 1000)
    ]
    np.testing.assert_allclose(*outputs, rtol=1e-12)


@pytest.mark.slow
def test_gradients_at_dt_zero_and_of_one_number(backend):
    rng = np.random.default_rng(0)
    for decay in ("before", "after"):
        model = Model(CTGRU(3, input_dim=2, scales=3, decay=decay), seed=1, dtype="float64", backend=backend)
        for dt in (0.0, 0.7, np.array([0.0, 0.5, 0.0])):
            assert max(gradcheck.check(model, rng.normal(size=(2, 3, 2)), dt=dt).values()) < 1e-6


def test_initial_values():
    p = Model(CTGRU(6, input_dim=3, tau_min=0.5), seed=0, dtype="float64").params
    np.testing.assert_allclose(p["w_h"] @ p["w_h"].T, np.eye(6), atol=1e-14)
    np.testing.assert_allclose(p["w_c"] @ p["w_c"].T, np.eye(6), atol=1e-14)
    assert np.abs(p["w_x"]).max() <= np.sqrt(6 / (3 + 18))
    assert p["b"].tolist() == [np.log(0.5)] * 12 + [0] * 6


@pytest.mark.slow
def test_it_learns_how_long_ago_something_was(tmp_path):
    """One event, then a wait: only the elapsed time tells the two classes apart."""
    rng = np.random.default_rng(0)
    waits = np.where(np.arange(128) % 2, 1.0, 8.0)
    x, dt = np.tile([[1.0], [0.0]], (128, 1, 1)), np.stack([np.zeros(128), waits * rng.uniform(0.8, 1.2, 128)], 1)
    model = Model(CTGRU(8, input_dim=1), Dense(1), seed=0, return_sequences=False)
    target = np.log(waits)[:, None]
    model.fit(x, target, dt=dt, epochs=60, optimizer=Adam(0.02), seed=0, verbose=False)
    assert model.evaluate(x, target, dt=dt, metrics=["r2"])["r2"] > 0.9
    model.save(tmp_path / "ctgru.npz")
    assert np.array_equal(load(tmp_path / "ctgru.npz")(x, dt=dt), model(x, dt=dt))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"units": 0}, ValueError, "`units` must be an int >= 1, got 0"),
        ({"input_dim": True}, TypeError, "`input_dim` must be an int >= 1, got True"),
        ({"scales": 0}, ValueError, "`scales` must be an int >= 1, got 0"),
        ({"tau_min": 0.0}, ValueError, "`tau_min` must be a finite number > 0, got 0.0"),
        ({"tau_ratio": 1.0}, ValueError, "`tau_ratio` must be a finite number > 1, got 1.0"),
        (
            {"scales": 200},
            ValueError,
            r"must give 200 time constants with \|ln\(tau\)\| <= 60, got ln\(tau\) from 0 to 229.1",
        ),
        ({"decay": "during"}, ValueError, "`decay` must be one of 'before', 'after', got 'during'"),
        ({"decay": None}, TypeError, "`decay` must be one of 'before', 'after', got None"),
        ({"init": {"w": 1.0}}, ValueError, "`init` has an unknown parameter 'w'; there are w_x, w_h, w_c, b"),
    ],
)
def test_errors(arguments, error, message):
    with pytest.raises(error, match=message):
        CTGRU(**({"units": 5, "input_dim": 2} | arguments))
