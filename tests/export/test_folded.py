"""BatchNorm in front of convolutions and behind them: exports have one layer in place of both."""

import numpy as np
import pytest
from support import compilers
from support.compilers import Compiled
from support.exported import made
from support.fixed_point import sequences

from ltc_np import BatchNorm, Conv1D, Dense, Model, Residual
from ltc_np.export import c, fixed
from ltc_np.export.counts import operations
from ltc_np.export.lower import program
from ltc_np.export.lower.folded import FARTHEST

STACKS = {
    "behind": [Conv1D(3, 5), BatchNorm()],
    "in front": [BatchNorm(), Conv1D(3, 5, activation="relu")],
    "both": [BatchNorm(), Conv1D(3, 3, stride=2), BatchNorm()],
    "separable": [BatchNorm(), Conv1D(3, 3, dilation=2, separable=True), BatchNorm()],
    "between": [Conv1D(3, 3, activation="relu"), BatchNorm(), Conv1D(2, 3)],
    "twice": [Conv1D(2, 1), BatchNorm(), BatchNorm()],
}
BARE = {name: [layer for layer in layers if not isinstance(layer, BatchNorm)] for name, layers in STACKS.items()}


def kept(model, rng, farthest=3.0):
    """With statistics as of data far from 0, whose deviations are not 1."""
    for name, values in model.buffers.items():
        if name.endswith("variance"):
            values[:] = rng.uniform(0.2, 5, values.shape)
            mean = model.buffers[name.replace("variance", "mean")]
            mean[:] = farthest * np.sqrt(values) * rng.uniform(0.5, 1, values.shape)
    return model


@pytest.mark.parametrize("name", STACKS)
def test_no_normalisation_is_left(name, rng):
    """Each operation of a step is one of the convolutions, and there are as many as without the norms."""
    found = program(kept(made([*STACKS[name], Dense(2)], rng), rng))
    bare = program(Model(*BARE[name], Dense(2), input_dim=3, seed=0))
    assert operations(found) == operations(bare)
    assert not [stage.name for stage in found.stages if "Norm" in stage.name]


@pytest.mark.tools("gcc clang")
@pytest.mark.parametrize("name", STACKS)
def test_numbers_are_those_of_the_model(name, rng, tmp_path):
    """From the first step on, where the past is 0 behind the norm; in C and in fixed point."""
    model = kept(made(STACKS[name], rng), rng)
    folder = c.write(model, tmp_path / "c", "net", dtype="float64", measure=False).folder
    assert "norm" not in (folder / "net.c").read_text()
    compiled, state = Compiled(program(model), folder, "net", compilers.HOST[0], "float64"), None
    x, _ = sequences(model, rng, 3, 20)
    for t in range(20):
        y, state = model.step(x[0, t], state=state)
        np.testing.assert_allclose(
            compiled.step(x[0, t]), y, rtol=0, atol=1e-13 * max(1, np.nanmax(np.abs(y), initial=0))
        )
    wanted = model(x)
    assert np.abs(fixed.quantise(model, x)(x) - wanted).max() < 1e-6 * np.abs(wanted).max()


def test_what_would_lose_digits_is_not_folded(rng):
    """In front: a mean of many deviations, and a feature that weighs nothing, from which no past can be known."""
    cases = (0.9 * FARTHEST, 1.0, 0.0, True), (3 * FARTHEST, 1.0, 0.0, False), (1.0, 0.0, 0.0, False)
    for farthest, scale, shift, folds in (*cases, (1.0, 0.1, 1.0, True), (1.0, 0.01, 1.0, False)):
        model = made([BatchNorm(), Conv1D(2, 3)], rng)
        model.params["0.scale"] = scale
        model.params["0.shift"] = shift
        found = program(kept(model, rng, farthest))
        assert ("0.BatchNorm" not in [stage.name for stage in found.stages]) == folds


def test_a_feature_that_hardly_counts_takes_no_digits_from_others(rng):
    """Its past would begin far from all inputs, which share a format in fixed point, and float may not hold it."""
    model = kept(made([BatchNorm(), Conv1D(2, 3)], rng), rng)
    x, _ = sequences(model, rng, 3, 20)
    for scale in (1e-6, 1e-44):
        model.params["0.scale"], model.params["0.shift"] = [scale, 1, 1], 1.0
        assert max(each.relative for each in fixed.quantise(model, x).report.errors) < 1e-6
        assert np.abs(program(model).start).max() < 1e3


def test_inside_a_block(rng):
    """Whose other way gets x as it is."""
    model = kept(made([Residual(BatchNorm(input_dim=3), Conv1D(3, 3))], rng), rng)
    bare = program(Model(Residual(Conv1D(3, 3, input_dim=3)), seed=0))
    assert operations(program(model)) == operations(bare)
