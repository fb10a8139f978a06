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


def test_it_is_refused_where_nothing_compiles(ltc, monkeypatch):
    from ltc_np import kernels

    monkeypatch.setattr(kernels, "resolve", lambda backend: "numpy")
    status, out, err = ltc("warmup")
    assert (status, out) == (2, "") and "need a working numba" in err


def test_it_has_nothing_to_do_where_kernels_came_compiled(ltc, monkeypatch, tmp_path):
    """No mistake, since one recipe makes containers for several kinds of processors."""
    from ltc_np import kernels

    monkeypatch.setattr(kernels, "resolve", lambda backend: "cpu")
    found = library.Library("x86-64-v3", tmp_path / "x86-64-v3.so", None)
    monkeypatch.setattr(library, "chosen", lambda: found)
    assert ltc("warmup") == (0, f"nothing to compile: kernels came compiled, in {tmp_path}\n", "")
    assert json.loads(ltc("warmup", "--json")[1]) == {"compiled": [], "seconds": 0, "folder": str(tmp_path)}


def test_names_of_cells_are_checked(ltc):
    status, _, err = ltc("warmup", "--cells", "lct")
    assert status == 2 and "lct" in err and all(name in err for name in CELLS)
