"""Random stacks of layers in C against the models; with `pytest -m fuzz` ten thousand new ones every time.

A failure names the seed; `FUZZ_SEED=<the seed> pytest -m fuzz -k <the test>` tries the same models again.
"""

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from support import compilers, sweep
from support.exported import made, random_layers

from ltc_np.export.golden import in_float64
from tests.export.test_sweep import OWN, truth

pytestmark = pytest.mark.tools("gcc clang")

BATCH, BATCHES = 50, 200  # models in one program, and programs
SEED = int(os.environ.get("FUZZ_SEED", secrets.randbits(32)))
B, STEPS = 2, 20
MOST = 1e-5  # the largest difference, in parts of the largest output, or of 1


def drawn(rng):
    """Models of one to four random layers, and their inputs; every third elapsed time is 0."""
    models = [made(random_layers(rng, int(rng.integers(1, 5))), rng, "float32") for _ in range(BATCH)]
    times = [0.3 * rng.exponential(size=(B, STEPS)) * (np.arange(STEPS) % 3 > 0) for _ in models]
    inputs = [rng.standard_normal((B, STEPS, model.input_size)) for model in models]
    return models, [(x.astype(np.float32), dt.astype(np.float32)) for x, dt in zip(inputs, times, strict=True)]


def compiled(models, inputs, folder, compiler):
    """Outputs of all models in C."""
    folder.mkdir()
    return list(sweep.outputs(models, inputs, folder, compiler, ["-O0"]))


def compared(seed, models, inputs, outputs):
    """For each model the error in parts of its largest output, or None where it is excused.

    Excused are those that roundings of float32 carry far from float64 in the library itself: spikes that come a step
    later, states that grow without end.
    """
    for model, (x, dt), y in zip(models, inputs, outputs, strict=True):
        exact = truth(in_float64(model), x, dt)
        largest = np.nan if exact is None else max(1.0, np.abs(exact).max())
        error = np.nan if exact is None else np.abs(y - exact).max() / largest
        if error <= MOST:
            yield error
            continue
        assert exact is None or _is_carried_far(model, x, dt, OWN * MOST * largest), (seed, model, error)
        yield None


def _is_carried_far(model, x, dt, most):
    """Whether roundings in the library change outputs by more, with these inputs or some that differ in the last bits.

    One rounding more or less, of many, is chance.
    """
    rng = np.random.default_rng(0)
    for _ in range(8):
        own, exact = truth(model, x, dt), truth(in_float64(model), x, dt)
        if own is None or exact is None or not np.abs(own - exact).max() <= most:
            return True
        x = (x * (1 + np.spacing(np.float32(1)) * rng.standard_normal(x.shape))).astype(np.float32)
    return False


def test_random_stacks_in_c(tmp_path):
    """The same ones every time."""
    batch = drawn(np.random.default_rng(7))
    errors = list(compared(7, *batch, compiled(*batch, tmp_path / "batch", compilers.HOST[0])))
    assert len(errors) == BATCH
    assert errors.count(None) <= 0.1 * BATCH


@pytest.mark.fuzz
def test_ten_thousand_stacks_in_c(tmp_path, trust):
    """The compilers run side by side."""
    errors, cores = [], os.cpu_count() or 1
    with ThreadPoolExecutor(cores) as pool:
        for start in range(0, BATCHES, cores):
            seeds = [[SEED, k] for k in range(start, min(start + cores, BATCHES))]
            batches = [drawn(np.random.default_rng(seed)) for seed in seeds]
            runs = [
                pool.submit(compiled, *batch, tmp_path / str(k), compilers.HOST[k % len(compilers.HOST)])
                for k, batch in enumerate(batches, start)
            ]
            for seed, batch, run in zip(seeds, batches, runs, strict=True):
                errors += compared(seed, *batch, run.result())
    near = [error for error in errors if error is not None]
    assert len(errors) == BATCH * BATCHES
    assert len(near) >= 0.9 * len(errors), SEED
    figures = {
        "random models in C": len(errors),
        "of these beyond what float32 tells of the model itself": len(errors) - len(near),
        "with other outputs than the model": 0,
        "largest difference, in parts of the largest output": float(max(near)),
    }
    trust.record("exports", figures)
