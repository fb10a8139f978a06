"""What tests of the documentation share."""

import importlib

import pytest
from support import ROOT


@pytest.fixture
def figure(monkeypatch):
    """Imports a script of docs/scripts/figures by its name; what it draws is closed afterwards."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "scripts" / "figures"))
    yield importlib.import_module
    pyplot.close("all")
