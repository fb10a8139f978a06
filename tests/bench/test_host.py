"""What figures belong to: the machine, and whose kernels they are."""

import io
import sys
from types import SimpleNamespace

import pytest

from ltc_np.bench import host
from ltc_np.kernels import library


@pytest.mark.parametrize("level, vectors", [("x86-64-v4", "avx512f"), ("x86-64-v3", "avx2")])
def test_compiled_kernels_have_a_machine_without_numba(level, vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "numba", None)
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    monkeypatch.setattr(library, "chosen", lambda: SimpleNamespace(level=level))
    text = "processor\t: 0\nmodel name\t: A processor: fast\n\nprocessor\t: 1\nmodel name\t: another\n"
    monkeypatch.setattr(host, "open", lambda *_, **__: io.StringIO(text), raising=False)
    assert set(host.VECTORS) == set(library.LEVELS)
    found = host.machine()
    assert found["cpu"] == "A processor: fast"
    assert found["instruction_set"] == vectors
    assert found["numba"] is None
    words = host.in_words(found)
    assert words.startswith(f"A processor: fast, {vectors}, ")
    assert f", kernels compiled for {level}, " in words


@pytest.mark.numba
def test_kernels_of_numba_have_its_version():
    import numba

    found = host.machine()
    assert found["numba"] == numba.__version__
    assert f", Numba {numba.__version__}, " in host.in_words(found)


def test_which_products_run_is_said_and_whether_the_environment_has_chosen_them(monkeypatch):
    monkeypatch.setattr(host.blas, "kernels_in_use", lambda: "Haswell")
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.delenv("OPENBLAS_L2_SIZE", raising=False)
    result = {"machine": host.machine(), "cases": [], "start": {"import_s": 0.1, "cold_s": 3.0, "warm_s": 0.5}}
    first, second = host.table(result).splitlines()[:2]
    assert first.endswith(", OpenBLAS for Haswell")
    assert second.startswith("warning: OPENBLAS_CORETYPE=Haswell in the environment may make products")
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    monkeypatch.setattr(host.blas, "kernels_in_use", lambda: None)
    result["machine"] = host.machine()
    assert host.table(result).splitlines()[0].endswith(", another BLAS")
    assert "warning" not in host.table(result)


def test_the_kernels_of_openblas_are_those_that_threadpoolctl_finds():
    found = [
        one["architecture"]
        for one in pytest.importorskip("threadpoolctl").threadpool_info()
        if one["internal_api"] == "openblas" and "numpy" in one["filepath"]
    ]
    assert found == ([] if host.blas.kernels_in_use() is None else [host.blas.kernels_in_use()])
