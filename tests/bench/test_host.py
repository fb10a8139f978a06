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
    assert words.endswith(f", kernels compiled for {level}")


@pytest.mark.numba
def test_kernels_of_numba_have_its_version():
    import numba

    found = host.machine()
    assert found["numba"] == numba.__version__
    assert host.in_words(found).endswith(f", Numba {numba.__version__}")
