"""Cells against other implementations, with the same weights: ncps 1.0.1 (PyTorch), golden/make_ncps_*.py; a CfC also
against the TensorFlow code of its paper, golden/make_tf_cfc.py."""

import json

import numpy as np
import pytest
from support import GOLDEN, golden

import ltc_np
from ltc_np import LTCRNN, CfCRNN

FILES = sorted(GOLDEN.glob("ncps_ltc_*.npz"))


CFC_FILES = sorted(GOLDEN.glob("ncps_*cfc.npz"))


def cases(files=FILES):
    for path in files:
        for case in golden.cases(path.stem):
            yield pytest.param(path.stem, case, id=f"{path.stem[9:]}-{case}")


def test_there_are_golden_files():
    assert len(FILES) == 5
    assert [len(list(cases([path]))) for path in CFC_FILES] == [7, 6]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "case"), list(cases()))
def test_equal_to_ncps(name, case, dtype, backend):
    file = golden.read(name, case)
    recipe = json.loads(str(file["case"]))
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
    for part in ("pre", "post", "sensory_pre", "sensory_post"):
        assert np.array_equal(getattr(model.wiring, part), file[part])
    for key in model.params:
        model.params[key] = file[key]
    check(model, file, dtype)


def check(model, file, dtype):
    """Outputs, states and all gradients of a model with the file's parameters."""
    y, state = model(file["x"], dt=file["dt"], h0=file["h0"], return_state=True)
    outputs, gradients = golden.tolerances(dtype)
    assert np.abs(y - file["y"]).max() <= outputs
    assert np.abs(state - file["hT"]).max() <= outputs
    _, tape = model.forward(file["x"], dt=file["dt"], h0=file["h0"])
    g = model.backward(tape, file["c"], file["d"])
    found = {"x": g.x, "h0": g.h0, "dt": g.dt, **model.views(g.theta)}
    wanted = {name: file[f"d_{name}"] for name in found}
    if file["dt"].ndim == 0:  # the file has it for each step
        wanted["dt"] = wanted["dt"].sum()
    golden.check(found, wanted, gradients)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "case"), list(cases(CFC_FILES)))
def test_cfc_is_equal_to_ncps(name, case, dtype, backend):
    file = golden.read(name, case)
    recipe = json.loads(str(file["case"]))
    if "class" in recipe:
        cell = getattr(ltc_np, recipe.pop("class"))(**recipe.pop("arguments"))
    else:
        cell = recipe.pop("units")
    model = CfCRNN(cell, input_dim=2, **recipe, dtype=dtype, backend=backend, seed=0)
    for key in model.params:
        model.params[key] = file[key]
    check(model, file, dtype)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", golden.cases("tf_cfc"))
def test_cfc_is_equal_to_the_code_of_its_paper(case, dtype, backend):
    """golden/make_tf_cfc.py computes them from the equations of that code, gradients by complex steps."""
    file, recipe = golden.read("tf_cfc", case, "case")
    model = CfCRNN(recipe.pop("units"), input_dim=2, variant="tf", **recipe, dtype=dtype, backend=backend, seed=0)
    for key in model.params:
        model.params[key] = file[key]
    check(model, file, dtype)


def test_irregular_time_is_that_of_each_sequence_alone(backend):
    """Where ncps is wrong: a (B, T) dt with B == N gives there the numbers of other sequences."""
    file = golden.read(*next(iter(p.values[:2] for p in cases() if "irregular" in p.id)))
    assert file["dt"].shape == file["x"].shape[:2]
    assert file["x"].shape[0] == file["h0"].shape[1]
