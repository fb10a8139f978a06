"""Exports in C99 against the models that they were made of."""

import numpy as np
import pytest
from support import compilers
from support.compilers import Compiled

from ltc_np import GRU, LRC, LTC, S4D, AutoNCP, Dense, FullyConnected, Model, Residual
from ltc_np.export import c
from ltc_np.export.lower import program

pytestmark = pytest.mark.tools("gcc clang")

STEPS, I = 60, 3
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
MODELS = {
    "LTC": [LTC(AutoNCP(9, 2))],
    "stack": [LTC(FullyConnected(5, 4), solver="exponential"), Dense(5, "silu"), Dense(2, "gelu")],
    "Dense": [Dense(2, "lecun_tanh")],
}


@pytest.mark.parametrize("compiler", compilers.HOST)
@pytest.mark.parametrize(("dtype", "unroll"), [("float32", False), ("float64", False), ("float64", True)])
@pytest.mark.parametrize("name", MODELS)
def test_it_computes_the_steps_of_its_model(name, dtype, unroll, compiler, rng, tmp_path):
    """In double within some roundings; tests/export/test_sweep.py has every kind of model in float."""
    model = Model(*MODELS[name], input_dim=I, seed=1, dtype="float64", backend="numpy")
    export = c.write(model, tmp_path / "c", "net", dtype=dtype, unroll=unroll, measure=False)
    compiled = Compiled(program(model), export.folder, "net", compiler, dtype)
    state, tolerance = None, 1e-5 if dtype == "float32" else 1e-13
    for t in range(STEPS):
        x, dt = rng.standard_normal(I).astype("float32"), np.float32(rng.exponential() * (t % 3 > 0))
        y, state = model.step(x, dt=dt if model.takes_dt else None, state=state)
        np.testing.assert_allclose(compiled.step(x, dt), y, rtol=tolerance, atol=tolerance)


PRUNED = {
    "LTC": [LTC(AutoNCP(9, 2), positivity="clip")],
    "Dense": [Dense(5), Dense(2)],
    "Residual": [Residual(Dense(I))],
    "GRU": [GRU(4)],
}


@pytest.mark.parametrize("unroll", [False, True])
@pytest.mark.parametrize("name", PRUNED)
def test_weights_that_are_all_0(name, unroll, rng, tmp_path):
    """As a layer that begins at 0 has them: nothing is left of what they multiply, nor of what only they read."""
    model = Model(*PRUNED[name], input_dim=I, seed=1, dtype="float64", backend="numpy")
    for key, values in model.params.items():
        if key.rpartition(".")[2] in ("w", "sensory_w") or values.ndim == 2:
            values[:] = 0
        else:
            values += 0.1 * rng.uniform(size=values.shape)
    folder = c.write(model, tmp_path / "c", "net", unroll=unroll, measure=False).folder
    for compiler in compilers.HOST:
        compiled, state = Compiled(program(model), folder, "net", compiler), None
        for _ in range(STEPS):
            x, dt = rng.standard_normal(I).astype("float32"), np.float32(rng.uniform())
            y, state = model.step(x, dt=dt if model.takes_dt else None, state=state)
            np.testing.assert_allclose(compiled.step(x, dt), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("width", [256, 257, 300])
def test_lists_that_need_longer_indices(width, rng, tmp_path):
    """Of more than 256 columns, and of more than 65,536 weights."""
    model = Model(Dense(width), input_dim=width, seed=1, dtype="float64", backend="numpy")
    weight = model.params["weight"]
    weight[:] *= rng.uniform(size=weight.shape) < (0.75 if width == 300 else 0.05)
    text = c.write(model, tmp_path / "c", "net", measure=False).folder / "net.c"
    columns, ends = ("uint16_t" if width > 256 else "uint8_t"), ("int32_t" if width == 300 else "uint16_t")
    assert f"static const {columns} net_source" in text.read_text() and f"const {ends} net_end" in text.read_text()
    for compiler in compilers.HOST:
        x = rng.standard_normal(width).astype("float32")
        y = Compiled(program(model), text.parent, "net", compiler).step(x)
        np.testing.assert_allclose(y, model.step(x)[0], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["LTC", "LRC", "S4D"])
def test_one_input_needs_no_list_of_sources(name, rng, tmp_path):
    """Not even where some neurons, or parts of modes, do not read it; and all options may be left out."""
    layer = {"LTC": LTC(AutoNCP(9, 2)), "LRC": LRC(AutoNCP(9, 2)), "S4D": S4D(6, modes="lin")}[name]
    model = Model(layer, input_dim=1, seed=1, dtype="float64", backend="numpy")
    compiled = Compiled(program(model), c.write(model, tmp_path / "c", "net").folder, "net", compilers.HOST[0])
    state = None
    for _ in range(STEPS):
        x, dt = rng.standard_normal(1).astype("float32"), np.float32(rng.uniform())
        y, state = model.step(x, dt=dt, state=state)
        np.testing.assert_allclose(compiled.step(x, dt), y, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("compiler", compilers.HOST)
@pytest.mark.parametrize("options", [{"libm": False}, {"dtype": "float64", "unroll": True}, {"dt": 0.3}], ids=str)
def test_its_own_test_passes_and_can_fail(options, compiler, tmp_path):
    """With sanitizers; and with another model's weights it fails."""
    model = Model(*MODELS["stack"], input_dim=I, seed=1)
    folder = c.write(model, tmp_path / "c", "net", measure=False, **options).folder
    flags = SANITIZED
    command = compiler, *compilers.WARNINGS, *flags, "net.c", "net_test.c", "-o", tmp_path / "test"
    link = [] if options.get("libm") is False else ["-lm"]
    compilers.run(*command, *link, cwd=folder)
    assert "largest error" in compilers.run(tmp_path / "test")
    other = c.write(Model(*MODELS["stack"], input_dim=I, seed=2), tmp_path / "other", "net", measure=False, **options)
    (folder / "net.c").write_text((other.folder / "net.c").read_text())
    compilers.run(*command, *link, cwd=folder)
    assert compilers.status(tmp_path / "test") == 1
