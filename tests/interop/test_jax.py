"""Models as functions of JAX: its own check of gradients, its transforms, and the same numbers as without it."""

import os
import subprocess
import sys

import numpy as np
import pytest
from support import ROOT

from ltc_np import (
    LTC,
    LTCRNN,
    SGD,
    AutoNCP,
    CfC,
    Conv1D,
    Dense,
    Dropout,
    FullyConnected,
    Model,
    RandomWiring,
    from_config,
)

jax = pytest.importorskip("jax", reason="JAX is not installed (extra `jax`)")
from jax.test_util import check_grads  # noqa: E402

from ltc_np.interop.jax import jax_function  # noqa: E402

B, T, I = 3, 4, 2
LENGTHS = np.array([4, 2, 3])
NETWORKS = {
    "LTC": lambda **o: Model(LTC(AutoNCP(7, 2)), Dense(2), input_dim=I, seed=0, **o),
    "CfC": lambda **o: Model(CfC(5, backbone_units=4), Dense(2), input_dim=I, seed=0, **o),
    "tutorial": lambda **o: LTCRNN(RandomWiring(I, 2, 5, seed=0), I, seed=0, **o),
    "LSTM": lambda **o: from_config({"cell": "LSTM", "units": 3, "input_dim": I, "output_dim": 2}, seed=0, **o),
}


@pytest.fixture
def x64():
    with jax.enable_x64(True):
        yield


def double(**o):
    return NETWORKS["LTC"](dtype="float64", **o)


def arrays(rng, model, dt_shape=(B, T), batch=(B,), dtype=np.float64):
    """x, dt and h0, None where the model has no such thing."""
    shapes = [(*batch, T, I), dt_shape if model.takes_dt else None, (*batch, model.state_size)]
    return [None if s is None else np.array(rng.uniform(0.2, 1.0, s), dtype) for s in shapes]


def positional(function, **options):
    def call(theta, x, dt, h0):
        return function(theta, x, dt=dt, h0=h0, return_state=True, **options)

    return call


def check(function, arguments):
    """JAX's check, with central differences of steps of 1e-5 or so; in float64 they leave far less than 1e-6."""
    check_grads(function, arguments, order=1, modes=("rev",), atol=1e-6, rtol=1e-6)


# ------------------------------------------------------------------------------------------------- numbers, gradients


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("sequences", [True, False])
@pytest.mark.usefixtures("x64")
def test_gradients_pass_jax_s_check(name, sequences, rng):
    model = NETWORKS[name](dtype="float64", return_sequences=sequences)
    function = positional(jax_function(model), lengths=LENGTHS)
    check(function, (model.theta, *arrays(rng, model)))
    check(jax.jit(function), (model.theta, *arrays(rng, model)))


@pytest.mark.parametrize(("dt_shape", "batch"), [((), (B,)), ((T,), (B,)), ((), ()), ((T,), ())])
@pytest.mark.usefixtures("x64")
def test_elapsed_times_of_every_form_and_single_sequences(dt_shape, batch, rng):
    model = double()
    check(positional(jax_function(model, memory="low")), (model.theta, *arrays(rng, model, dt_shape, batch)))


@pytest.mark.usefixtures("x64")
def test_the_check_would_see_a_wrong_gradient(rng, monkeypatch):
    from ltc_np.network.host import HostEngine

    right = HostEngine.differentiate

    def wrong(self, *arguments):
        g = right(self, *arguments)
        return g._replace(h0=g.h0 * 1.001)

    monkeypatch.setattr(HostEngine, "differentiate", wrong)
    model = double()
    with pytest.raises(AssertionError, match="VJP cotangent projection"):
        check(positional(jax_function(model)), (model.theta, *arrays(rng, model)))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("jit", [lambda function: function, jax.jit])
def test_bits_are_those_of_the_model(name, jit, rng):
    model = NETWORKS[name]()
    x, dt, h0 = arrays(rng, model, dtype=np.float32)
    function = jit(positional(jax_function(model), lengths=LENGTHS))
    (y, state), pull = jax.vjp(function, model.theta, x, dt, h0)
    wanted, last = model(x, dt=dt, lengths=LENGTHS, h0=h0, return_state=True)
    assert y.dtype == np.float32 and np.array_equal(y, wanted) and np.array_equal(state, last)
    d_y, d_state = (rng.normal(size=a.shape).astype(np.float32) for a in (wanted, last))
    _, tape = model.forward(x, dt=dt, lengths=LENGTHS, h0=h0)
    g = model.backward(tape, d_y, d_state)
    pulled = pull((jax.numpy.asarray(d_y), jax.numpy.asarray(d_state)))
    for found, own in zip(pulled, (g.theta, g.x, g.dt, g.h0), strict=True):
        assert (found is None and own is None) or np.array_equal(found, own)


@pytest.mark.parametrize("sequences", [True, False])
def test_outputs_of_a_stride(sequences, rng):
    model = Model(Conv1D(3, 2, stride=2), Dense(2), input_dim=I, seed=0, return_sequences=sequences)
    x = rng.normal(size=(B, 5, I)).astype(np.float32)
    assert np.array_equal(jax.jit(jax_function(model))(model.theta, x), model(x))


@pytest.mark.usefixtures("x64")
def test_training_takes_the_steps_of_the_library(rng):
    model = double()
    function, own, theta = jax_function(model), SGD(0.1), model.theta.copy()
    x, target = rng.normal(size=(B, T, I)), rng.normal(size=(B, T, 2))
    both = jax.jit(jax.value_and_grad(lambda theta: ((function(theta, x, dt=0.5) - target) ** 2).mean()))
    for _ in range(20):
        value, gradient = both(theta)
        theta = theta - 0.1 * gradient
        wanted, own_gradient = model.loss_and_grad(x, target, dt=0.5)
        own.step(model, own_gradient)
        assert value == pytest.approx(wanted, rel=1e-12)
    np.testing.assert_allclose(theta, model.theta, rtol=1e-10, atol=1e-14)  # sums in another order


@pytest.mark.usefixtures("x64")
def test_one_function_several_times_in_a_graph(rng):
    model = double()
    function = jax_function(model)

    def call(theta, x):
        return function(theta, function(theta, x, dt=0.5), dt=2.0) * function(theta, x)

    check(call, (model.theta, arrays(rng, model)[0]))
    check(jax.jit(call), (model.theta, arrays(rng, model)[0]))


# -------------------------------------------------------------------------------------------------------- transforms


@pytest.mark.usefixtures("x64")
def test_vmap_is_a_loop_over_calls(rng):
    model = double()
    function, (x, dt, h0) = jax_function(model), arrays(rng, model, (B, T))
    y = jax.vmap(lambda x, dt, h0: function(model.theta, x, dt=dt, h0=h0))(x, dt, h0)
    np.testing.assert_allclose(y, model(x, dt=dt, h0=h0), rtol=1e-12)  # `Dense` rounds by the size of the batch
    thetas = np.stack([model.theta, 0.5 * model.theta])
    each = jax.jit(jax.vmap(jax.grad(lambda theta, x: function(theta, x).sum()), (0, None)))(thetas, x)
    for theta, found in zip(thetas, each, strict=True):
        model.theta = theta
        y, tape = model.forward(x)
        np.testing.assert_allclose(found, model.backward(tape, np.ones_like(y)).theta, rtol=1e-12)


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [((0,), (False, False)), ((1,), (True, False)), ((2, 3), (False, True)), ((1, 2), (True, True))],
)
@pytest.mark.parametrize("jit", [lambda function: function, jax.jit])
def test_only_what_is_asked_for_is_computed(asked, wanted, jit, rng, monkeypatch):
    model, seen = NETWORKS["LTC"](), []
    stack = type(model.layer_stack)
    backward = stack.backward

    def spy(self, prepared, saved, valid, d_y, d_h, g, want_x, want_dt, workspace):
        seen.append((want_x, want_dt))
        return backward(self, prepared, saved, valid, d_y, d_h, g, want_x, want_dt, workspace)

    monkeypatch.setattr(stack, "backward", spy)
    function = positional(jax_function(model))
    gradient = jax.grad(lambda *arguments: function(*arguments)[0].sum(), asked)
    jax.block_until_ready(jit(gradient)(model.theta, *arrays(rng, model)))
    assert seen == [wanted]


def test_there_are_first_derivatives_in_reverse_only(rng):
    model = NETWORKS["LTC"]()
    function, x = jax_function(model), arrays(rng, model)[0]

    def gradient(theta):
        return jax.grad(lambda theta: function(theta, x).sum())(theta)

    with pytest.raises(TypeError, match="ltc_np has first derivatives only: a gradient of a `jax_function` cannot be"):
        jax.grad(lambda theta: (gradient(theta) ** 2).sum())(model.theta)
    with pytest.raises(TypeError, match="forward-mode"):
        jax.jvp(lambda theta: function(theta, x), (model.theta,), (model.theta,))


LARGE = """
import os
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])  # before JAX makes a thread for each core
import jax
import numpy as np
from ltc_np import LTCRNN, AutoNCP
from ltc_np.interop.jax import jax_function
model = LTCRNN(AutoNCP(8, 2), input_dim=32, seed=0, backend="numpy")
function, x = jax_function(model), np.ones((16, 100, 32), np.float32)
both = jax.jit(jax.value_and_grad(lambda theta, x: (function(theta, jax.numpy.tanh(x)) ** 2).mean()))
for _ in range(3):
    value, gradient = both(model.theta, x)
print(np.isfinite(value) and np.isfinite(gradient).all())
"""


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="there is no way to ask for one core")
def test_large_arrays_do_not_lock_on_one_core():
    """With `jax.pure_callback` this waits for ever from 100 KiB on (see `ltc_np.interop.jax_callback`)."""
    found = subprocess.run([sys.executable, "-c", LARGE], capture_output=True, text=True, timeout=300, cwd=ROOT)
    assert found.stdout.strip() == "True", found.stderr


# ------------------------------------------------------------------------------------------- dropout, dtypes, errors


def test_dropout_by_a_seed_that_may_be_traced(rng):
    model = Model(Dense(4, "tanh"), Dropout(0.5), LTC(FullyConnected(3)), input_dim=I, seed=0)
    function, x = jax_function(model), arrays(rng, model, dtype=np.float32)[0]
    seeded = jax.jit(lambda seed: function(model.theta, x, dropout_seed=seed))
    for seed in (0, 7):
        wanted, tape = model.forward(x, dropout_seed=seed)
        assert np.array_equal(seeded(seed), wanted)
        found = jax.grad(lambda theta, seed=seed: function(theta, x, dropout_seed=seed).sum())(model.theta)
        assert np.array_equal(found, model.backward(tape, np.ones_like(wanted)).theta)
    assert not np.array_equal(seeded(0), seeded(7)) and np.array_equal(function(model.theta, x), model(x))


@pytest.mark.usefixtures("x64")
def test_the_dtype_is_that_of_theta(rng):
    model = double()
    function, x = jax_function(model), arrays(rng, model)[0]
    assert np.array_equal(function(model.theta, x, dt=0.1), model(x, dt=0.1))
    theta = model.theta.astype(np.float32)
    y, pull = jax.vjp(function, theta, x)
    d_theta, d_x = pull(jax.numpy.ones_like(y))
    assert (y.dtype, d_theta.dtype, d_x.dtype) == (np.float32, np.float32, np.float64)
    assert function(theta, np.ones((B, T, I), int), dt=1).dtype == np.float32


def test_a_function_is_that_of_the_model_as_it_was(rng):
    model = NETWORKS["tutorial"]()
    function, x, theta = jax_function(model), arrays(rng, model)[0], model.theta.copy()
    before = model(x)
    model.buffer_vector[:] *= 2
    model.theta[:] = 0
    assert np.array_equal(function(theta, x), before) and not np.array_equal(model(x), before)


def test_frozen_parameters_have_no_gradient(rng):
    model = NETWORKS["LTC"]()
    model.freeze("0")
    function, x = jax_function(model), arrays(rng, model)[0]
    gradient = np.asarray(jax.grad(lambda theta: function(theta, x).sum())(model.theta))
    assert (gradient[~model.trainable] == 0).all() and (gradient[model.trainable] != 0).any()


@pytest.mark.parametrize("jit", [lambda function: function, jax.jit])
def test_errors_of_shapes_are_the_library_s_in_one_line(jit, rng):
    model = NETWORKS["LTC"]()
    function, (x, dt, h0) = jax_function(model), arrays(rng, model)
    wrong = [
        (ValueError, r"`x` must be \(B, T, 2\) or \(T, 2\), got shape \(3, 4, 1\)", (model.theta, x[..., :1]), {}),
        (ValueError, "`dt` must be a number", (model.theta, x), {"dt": dt[:2]}),
        (ValueError, "`h0` must have shape", (model.theta, x), {"h0": h0[:2]}),
        (ValueError, "`theta` must have shape", (model.theta[:3], x), {}),
        (TypeError, "`theta` must be float32 or float64, got int32", (np.ones(model.theta.shape, np.int32), x), {}),
        (TypeError, "`x` must be real, got complex64", (model.theta, x.astype(np.complex64)), {}),
        (TypeError, "`function` has no argument `lenghts`", (model.theta, x), {"lenghts": LENGTHS}),
    ]
    for kind, message, given, options in wrong:
        with pytest.raises(kind, match=message) as caught:
            jit(lambda *a, options=options: function(*a, **options))(*given)
        assert "\n" not in str(caught.value)
    with pytest.raises(TypeError, match="`model` must be a model of ltc_np"):
        jax_function(function)


@pytest.mark.parametrize("jit", [lambda function: function, jax.jit])
def test_errors_of_numbers_end_with_the_library_s_line(jit, rng):
    model = NETWORKS["LTC"]()
    function, x = jax_function(model), arrays(rng, model)[0]
    for theta, given, line in [
        (model.theta, x * np.nan, "`x` must be finite"),
        (model.theta * np.nan, x, "`theta` must"),
    ]:
        with pytest.raises((ValueError, jax.errors.JaxRuntimeError)) as caught:
            jax.block_until_ready(jit(function)(theta, given))
        assert line in str(caught.value).splitlines()[-1]
