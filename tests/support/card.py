"""Models on the card beside the same with the numpy backend, which defines them.

float32 within 1e-5 (outputs) and 1e-4 (gradients) of float64 NumPy, relative to each array's largest: what is promised.
float64 within 1e-12 and 1e-9: sums of a few hundred terms in another order.
"""

import numpy as np

from ltc_np import BPTT, L1L2, LTC, Adam, AutoNCP, Clip, Dense, FullyConnected, Model, Random, RandomWiring
from ltc_np.kernels.codes import SOLVERS
from ltc_np.optim import SGD, AdamW, RMSprop

TOLERANCES = {"float64": (1e-12, 1e-9), "float32": (1e-5, 1e-4)}


def pair(*layers, dtype="float64", **options):
    """The same model with the numpy backend in float64 and with the cuda backend."""
    models = [Model(*layers, seed=0, dtype=t, backend=b, **options) for t, b in (("float64", "numpy"), (dtype, "cuda"))]
    models[1].theta[:] = models[0].theta
    return models


def data(rng, B, T, I, lengths=None):
    """x, dt with a zero in it; NaN after the ends of sequences."""
    x, dt = rng.normal(size=(B, T, I)), rng.uniform(0, 0.5, (B, T))
    dt[0, T // 2] = 0
    for b, n in enumerate(lengths or ()):
        x[b, n:] = dt[b, n:] = np.nan
    return x, dt


def results(model, x, dt, lengths, h0, d_y, d_state, memory="full"):
    """Everything the public calls compute."""
    dtype = model.dtype
    x, dt, h0, d_y, d_state = (a.astype(dtype) for a in (x, dt, h0, d_y, d_state))
    y, state = model(x, dt=dt, lengths=lengths, h0=h0, return_state=True)
    again, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0, memory=memory)
    g = model.backward(tape, d_y, d_state)
    assert np.array_equal(y, again)
    assert y.dtype == state.dtype == g.theta.dtype == g.x.dtype == dtype
    return {"y": y, "state": state, "x": g.x, "h0": g.h0, "dt": g.dt} | {
        f"d {k}": v for k, v in model.views(g.theta).items()
    }


def check(got, expected, dtype):
    for name, want in expected.items():
        error = np.abs(got[name] - want).max(initial=0)
        most = TOLERANCES[dtype][name not in ("y", "state")]
        assert error <= most * max(np.abs(want).max(initial=0), 1e-6), (name, error)


def compare(rng, layer, B, T, dtype, lengths=None, memory="full"):
    definition, model = pair(layer, dtype=dtype)
    for name, values in definition.params.items():  # a new layer's mappings are the identity
        if name.startswith(("input_", "output_")):
            values[:] = rng.uniform(0.5, 1.5, values.shape)
    model.theta[:] = definition.theta
    x, dt = data(rng, B, T, layer.input_size, lengths)
    h0, d_state = rng.normal(size=(2, B, layer.state_size)) * 0.3
    given = x, dt, lengths, h0, rng.normal(size=(B, T, layer.output_size)), d_state
    got = results(model, *given, memory=memory)
    check(got, results(definition, *given), dtype)
    return got


# wiring, I, B, T, lengths, solver, unfolds, whether a thread takes several sequences
CASES = {solver: (FullyConnected(5, 3), 2, 3, 4, [2, 4, 3], solver, 2, True) for solver in SOLVERS} | {
    "dense": (FullyConnected(5, 3), 2, 3, 4, None, "semi_implicit", 2, True),
    "one of each": (FullyConnected(3), 1, 1, 1, None, "semi_implicit", 1, False),
    "B = N = I": (FullyConnected(4, 2), 4, 4, 3, [3, 0, 1, 2], "exponential", 2, True),
    "exponential": (FullyConnected(7, 2), 3, 5, 4, [4, 1, 3, 0, 2], "exponential", 3, False),
    "sparse": (AutoNCP(12, 3, seed=1), 4, 5, 6, [6, 0, 3, 1, 5], "semi_implicit", 3, True),
    "sparse, alone": (AutoNCP(19, 4, seed=1), 2, 3, 2, None, "exponential", 2, False),
    "few synapses": (Random(6, 2, sparsity_level=0.9, random_seed=3), 3, 5, 3, None, "semi_implicit", 2, True),
    "gains": (RandomWiring(3, 2, 5, seed=1), 3, 3, 4, [1, 4, 2], "semi_implicit", 2, True),
    "long": (FullyConnected(16, 2), 3, 3, 200, [200, 17, 100], "semi_implicit", 6, False),
    "large": (FullyConnected(64, 9), 3, 5, 2, [1, 2, 2, 0, 2], "semi_implicit", 2, True),
}


def stacked(**options):
    return lambda: pair(
        LTC(AutoNCP(9, 3, seed=1), input_dim=3, ode_unfolds=2),
        Dense(4, "gelu", input_dim=3),
        Dense(2, input_dim=4),
        **options,
    )


LENGTHS = [5, 3, 0, 5, 1, 4, 2]
RUNS = {
    "adamw": (stacked(), "mse", AdamW(1e-2), {"lengths": LENGTHS, "clip_norm": 0.1, "metrics": ["mae"]}),
    "adamw, all that is clipped alone": (
        stacked(),
        "mse",
        AdamW(1e-2, weight_decay=5.0, decay="all"),
        {"clip_norm": Clip(0.01, per_array=True)},
    ),
    "sgd": (
        stacked(return_sequences=False),
        "cross_entropy",
        SGD(0.1, momentum=0.9, nesterov=True),
        {"lengths": LENGTHS, "class_weight": [1, 2], "penalty": L1L2(l2=1e-2), "metrics": ["accuracy"]},
    ),
    "rmsprop": (
        stacked(),
        "binary_cross_entropy",
        RMSprop(momentum=0.5),
        {"class_weight": [1, 2], "sample_weight": np.arange(7.0), "penalty": L1L2(l1={"0.w": 1e-2}), "tbptt": 2},
    ),
    "rmsprop without momentum": (stacked(), "mse", RMSprop(), {"penalty": L1L2(l1={"0.erev": 1e-2})}),
    "adam": (
        lambda: pair(LTC(RandomWiring(3, 2, 5, seed=1), input_dim=3, ode_unfolds=2, positivity="clip")),
        "huber",
        Adam(0.5),
        {"tbptt": BPTT(memory="low"), "lengths": LENGTHS},
    ),
    "two LTCs": (
        lambda: pair(
            LTC(FullyConnected(5, 2), input_dim=3, ode_unfolds=1),
            LTC(AutoNCP(6, 2, seed=1), input_dim=2, ode_unfolds=2),
        ),
        "mae",
        SGD(1e-2),
        {},
    ),
}


def train_both(name, rng):
    """float64, two epochs of three batches: what rounding makes of it; and the moments come back too."""
    make, loss, optimizer, options = RUNS[name]
    models = make()
    models[1].freeze(next(iter(models[0].params)))
    models[0].freeze(next(iter(models[0].params)))
    x, shape = rng.normal(size=(7, 5, 3)), (7, 5, 2)
    y = rng.integers(0, 2, 7) if loss == "cross_entropy" else rng.uniform(size=shape)
    before, histories, states = models[0].theta.copy(), [], []
    for model in models:
        optimizer.reset()
        histories.append(
            model.fit(
                x, y, loss=loss, optimizer=optimizer, epochs=2, batch_size=3, seed=1, verbose=False,
                validation=(x, y), keep_best=False, **options,
            )
        )  # fmt: skip
        states.append(optimizer.state())
    assert np.abs(models[0].theta - before).max() > 1e-3
    np.testing.assert_allclose(models[1].theta, models[0].theta, rtol=1e-9, atol=1e-12)
    for key, values in histories[0].items():
        np.testing.assert_allclose(histories[1][key], values, rtol=1e-9, err_msg=key)
    for key, values in states[0].items():
        np.testing.assert_allclose(states[1][key], values, rtol=1e-7, atol=1e-12, err_msg=key)
