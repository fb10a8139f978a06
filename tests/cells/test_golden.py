"""Cells against ncps 1.0.1 (PyTorch), with the same weights; files by golden/make_ncps_*.py."""

import json

import numpy as np
import pytest
from support import GOLDEN

import ltc_np
from ltc_np import LTCRNN, CfCRNN

FILES = sorted(GOLDEN.glob("ncps_ltc_*.npz"))


CFC_FILES = sorted(GOLDEN.glob("ncps_*cfc.npz"))


def cases(files=FILES):
    for path in files:
        with np.load(path) as file:
            for case in sorted({name.split("/")[0] for name in file.files}):
                yield pytest.param(path, case, id=f"{path.stem[9:]}-{case}")


def read(path, case):
    with np.load(path) as file:
        return {name.split("/")[1]: file[name] for name in file.files if name.startswith(case + "/")}


def test_there_are_golden_files():
    assert len(FILES) == 5
    assert [len(list(cases([path]))) for path in CFC_FILES] == [7, 6]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("path", "case"), list(cases()))
def test_equal_to_ncps(path, case, dtype, backend):
    golden = read(path, case)
    recipe = json.loads(str(golden["case"]))
    wiring = getattr(ltc_np, recipe["class"])(**recipe["arguments"])
    model = LTCRNN(
        wiring,
        recipe["input_dim"],
        ode_unfolds=recipe["ode_unfolds"],
        epsilon=recipe["epsilon"],
        positivity=recipe["positivity"],
        input_mapping=recipe["mapping"],
        output_mapping=recipe["mapping"],
        dtype=dtype,
        backend=backend,
        seed=0,
    )
    for name in ("pre", "post", "sensory_pre", "sensory_post"):
        assert np.array_equal(getattr(model.wiring, name), golden[name])
    for name in model.params:
        model.params[name] = golden[name]
    check(model, golden, dtype)


def check(model, golden, dtype):
    """Outputs, states and all gradients of a model with the file's parameters."""
    y, state = model(golden["x"], golden["dt"], h0=golden["h0"], return_state=True)
    # The files hold float64: what is left in float64 is the order of sums.
    outputs, gradients = (1e-5, 1e-4) if dtype == "float32" else (1e-12, 1e-9)
    assert np.abs(y - golden["y"]).max() <= outputs
    assert np.abs(state - golden["hT"]).max() <= outputs
    _, tape = model.forward(golden["x"], golden["dt"], h0=golden["h0"])
    g = model.backward(tape, golden["c"], golden["d"])
    found = {"x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)}
    for name, value in found.items():
        want = golden[f"d_{name}"]
        want = want.sum() if name == "dt" and golden["dt"].ndim == 0 else want  # the file has it for each step
        assert np.abs(value - want).max(initial=0) <= gradients * np.abs(want).max(initial=0), name


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("path", "case"), list(cases(CFC_FILES)))
def test_cfc_is_equal_to_ncps(path, case, dtype, backend):
    golden = read(path, case)
    recipe = json.loads(str(golden["case"]))
    if "class" in recipe:
        cell = getattr(ltc_np, recipe.pop("class"))(**recipe.pop("arguments"))
    else:
        cell = recipe.pop("units")
    model = CfCRNN(cell, 2, **recipe, dtype=dtype, backend=backend, seed=0)
    for name in model.params:
        model.params[name] = golden[name]
    check(model, golden, dtype)


def test_irregular_time_is_that_of_each_sequence_alone(backend):
    """Where ncps is wrong: a (B, T) dt with B == N gives there the numbers of other sequences."""
    golden = read(*next(iter(p.values[:2] for p in cases() if "irregular" in p.id)))
    assert golden["dt"].shape == golden["x"].shape[:2]
    assert golden["x"].shape[0] == golden["h0"].shape[1]
