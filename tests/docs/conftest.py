"""What tests of the documentation share."""

import importlib

import pytest
from support import ROOT


@pytest.fixture
def figure(monkeypatch):
    """Imports a script of docs/scripts/figures by its name."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "scripts" / "figures"))
    return importlib.import_module
