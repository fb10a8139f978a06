"""What a module of `ltc_np.interop` says where the library that it is for is not installed."""

import importlib
import sys

import pytest


@pytest.mark.parametrize("package", ["torch", "jax", "nir"])
def test_what_is_missing_is_named_with_its_extra(package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.delitem(sys.modules, f"ltc_np.interop.{package}", raising=False)
    with pytest.raises(ImportError) as caught:
        importlib.import_module(f"ltc_np.interop.{package}")
    wanted = f'`ltc_np.interop.{package}` needs {package}: pip install "ltc-np[{package}]"'
    assert str(caught.value) == wanted
