"""Kernels that are compiled before they are needed are found by later processes."""

import json

import pytest
from support.processes import python

from ltc_np.command.warmup import CELLS
from ltc_np.kernels import library

TRAIN = """
    import numpy as np
    from ltc_np import GRU, Dense, Model
    Model(GRU(5, input_dim=3), Dense(2), seed=0).fit(np.ones((4, 3, 3)), np.ones((4, 3, 2)), epochs=1)
"""
WARM_UP = """
    import sys
    from ltc_np.command import main
    sys.exit(main(["warmup", {arguments}, "--json"]))
"""


@pytest.mark.numba
@pytest.mark.slow
def test_a_training_after_it_compiles_nothing(tmp_path):
    cache = {"NUMBA_CACHE_DIR": str(tmp_path)}
    first = python(WARM_UP.format(arguments='"--cells", "gru"'), **cache)
    found = json.loads(first.stdout)
    assert found["folder"].startswith(str(tmp_path)) and found["compiled"]
    for told in found["compiled"]:
        assert f"  {told['kernel']}: {told['seconds']:.1f} s" in first.stderr
    assert found["seconds"] == pytest.approx(sum(told["seconds"] for told in found["compiled"]))
    assert json.loads(python(WARM_UP.format(arguments='"--cells", "gru"'), **cache).stdout)["compiled"] == []
    assert "compiling" not in python(TRAIN, **cache).stderr


@pytest.mark.parametrize(
    ("word", "reason"), [("numpy", "LTC_NP_KERNELS is numpy"), ("auto", "no working numba (there is none)")]
)
def test_it_is_refused_where_nothing_compiles(word, reason, ltc, monkeypatch):
    """With the reason that is true here."""
    from ltc_np import kernels

    monkeypatch.setattr(library, "choice", lambda: word)
    monkeypatch.setattr(library, "chosen", lambda: None)
    monkeypatch.setattr(library, "why_not", lambda: f"{library.VARIABLE} is {word}")
    monkeypatch.setattr(kernels, "_why_not_numba", lambda: "there is none")
    monkeypatch.setattr(kernels, "_why_not_cpu", kernels._why_not_cpu.__wrapped__)
    status, out, err = ltc("warmup")
    assert (status, out) == (2, "")
    assert f"there is nothing to compile; kernels: NumPy (slow): {reason}" in err


def test_it_has_nothing_to_do_where_kernels_came_compiled(ltc, monkeypatch, tmp_path):
    """No mistake, since one recipe makes containers for several kinds of processors."""
    from ltc_np import kernels

    monkeypatch.setattr(kernels, "resolve", lambda backend: "cpu")
    found = library.Library("x86-64-v3", tmp_path / "x86-64-v3.so", None)
    monkeypatch.setattr(library, "chosen", lambda: found)
    assert ltc("warmup") == (0, f"nothing to compile: kernels came compiled, in {tmp_path}\n", "")
    assert json.loads(ltc("warmup", "--json")[1]) == {"compiled": [], "seconds": 0, "folder": str(tmp_path)}


@pytest.mark.parametrize("fault", ["missing", "damaged"])
def test_a_file_is_looked_at_also_where_kernels_came_compiled(fault, ltc, monkeypatch, tmp_path):
    from ltc_np import GRU, Model, kernels

    Model(GRU(2, input_dim=2), seed=0, backend="numpy").save(tmp_path / "a.npz")
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:-100])
    monkeypatch.setattr(kernels, "resolve", lambda backend: "numpy" if backend == "numpy" else "cpu")
    found = library.Library("x86-64-v3", tmp_path / "x86-64-v3.so", None)
    monkeypatch.setattr(library, "chosen", lambda: found)
    assert ltc("warmup", tmp_path / "a.npz")[0] == 0
    wrong = tmp_path / ("c.npz" if fault == "missing" else "b.npz")
    status, out, err = ltc("warmup", tmp_path / "a.npz", wrong)
    assert (status, out) == (2, "") and wrong.name in err and err.count("\n") == 1


def test_names_of_cells_are_checked(ltc):
    status, _, err = ltc("warmup", "--cells", "lct")
    assert status == 2 and "lct" in err and all(name in err for name in CELLS)
