"""Random models of every kind in C against the models, over long sequences, with sanitizers."""

import numpy as np
import pytest
from support import compilers, sweep

from ltc_np.export.golden import in_float64
from tests.export.test_lower import LAYERS, made

pytestmark = pytest.mark.tools("gcc clang")

BATCH = 48  # models in one program
BATCHES = range(0, len(LAYERS), BATCH)
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
# Random weights may make networks that enlarge each rounding, and states that grow without end.  Where float32 departs
# from float64 in the library itself by more than this part of what is allowed, nothing can be asked of C.
OWN = 0.25
# By seed: the compiler, whether math.h serves, whether all is unrolled.
WAYS = {0: ("gcc", True, False), 1: ("clang", False, True)}
B = 2  # sequences of each model


def drawn(names, rng, steps):
    """Models with weights of their own, and their inputs and elapsed times, every third of which is 0."""
    models = [made(LAYERS[name], rng, "float32") for name in names]
    times = [0.3 * rng.exponential(size=(B, steps)) * (np.arange(steps) % 3 > 0) for _ in models]
    inputs = [rng.standard_normal((B, steps, model.input_size)) for model in models]
    return models, [(x.astype(np.float32), dt.astype(np.float32)) for x, dt in zip(inputs, times, strict=True)]


def truth(model, x, dt):
    """Outputs of a model, in its dtype, or None where its state overflows."""
    with np.errstate(all="ignore"):
        try:
            return model(x.astype(model.dtype), dt=dt.astype(model.dtype) if model.takes_dt else None)
        except FloatingPointError:
            return None


def compared(start, seed, steps, folder, compiler, flags, libm=True, unroll=False):
    """The part of the models of a batch that are within 1e-5 of their largest output; the others must be excused."""
    names = list(LAYERS)[start : start + BATCH]
    models, inputs = drawn(names, np.random.default_rng([seed, start]), steps)
    count = 0
    results = sweep.outputs(models, inputs, folder, compiler, flags, libm, unroll)
    for name, model, (x, dt), y in zip(names, models, inputs, results, strict=True):
        exact = truth(in_float64(model), x, dt)
        if exact is None:
            continue
        s = model.layer_stack.stride
        y = y[:, s - 1 :: s]  # between its outputs it leaves y alone
        bound = 1e-5 * max(1.0, np.abs(exact).max())
        if np.abs(y - exact).max() <= bound:  # not where it is NaN
            count += 1
            continue
        own = truth(model, x, dt)
        assert own is None or not np.abs(own - exact).max() <= OWN * bound, name
    return count / len(names)


@pytest.mark.parametrize("start", BATCHES)
def test_a_model_of_every_kind(start, tmp_path):
    """Over 60 steps, in float."""
    assert compared(start, 9, 60, tmp_path, compilers.HOST[0], ["-O1"]) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "seed"),
    [pytest.param(start, seed, marks=[pytest.mark.sweep] * (start + seed > 0)) for seed in WAYS for start in BATCHES],
)
def test_a_thousand_sequences_of_a_thousand_steps(start, seed, tmp_path):
    """572 models with 2 sequences each, of which at least nine in ten are near: more than 1,000 sequences."""
    compiler, libm, unroll = WAYS[seed]
    if compiler not in compilers.HOST:
        pytest.skip(f"{compiler} is not installed")
    assert compared(start, seed, 1000, tmp_path, compiler, SANITIZED, libm, unroll) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("start", "libm"),
    [
        pytest.param(start, libm, marks=[pytest.mark.sweep] * (libm == (start == 0)))
        for start in BATCHES[::3]
        for libm in (True, False)
    ],
)
def test_extreme_inputs(start, libm, tmp_path):
    """Nothing undefined happens, and what is finite in the model's float32 is finite here."""
    names = list(LAYERS)[start : start + BATCH]
    models, inputs = drawn(names, np.random.default_rng(5), 40)
    inputs = [(x * np.float32(10) ** (k % 12 - 4), dt * np.float32(1000)) for k, (x, dt) in enumerate(inputs)]
    results, count = sweep.outputs(models, inputs, tmp_path, compilers.HOST[-1], SANITIZED, libm), 0
    for name, model, (x, dt), y in zip(names, models, inputs, results, strict=True):
        exact = truth(in_float64(model), x, dt)
        if exact is not None and np.abs(exact).max() < 1e30:
            count += 1
            assert np.isfinite(y).all(), name
    assert count > len(names) / 2
