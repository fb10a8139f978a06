"""Packages that are needed for one thing only: imported, or said how to install."""

import sys

import pytest

from ltc_np.base.optional import need


def test_what_is_there_is_imported():
    import json.decoder

    assert need("json", "x", "this") is json
    assert need("json.decoder", "x", "this") is json.decoder


def test_what_is_missing_is_named_with_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "json", None)
    for name in ("json", "json.decoder"):
        monkeypatch.delitem(sys.modules, "json.decoder", raising=False)
        with pytest.raises(ImportError) as caught:
            need(name, "extra", "`this`")
        assert str(caught.value) == '`this` needs json: pip install "ltc-np[extra]"'


def test_what_is_broken_says_so_itself(tmp_path, monkeypatch):
    (tmp_path / "broken_package.py").write_text("import what_it_needs_and_has_not")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'what_it_needs_and_has_not'"):
        need("broken_package", "extra", "this")
