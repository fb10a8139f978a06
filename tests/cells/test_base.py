"""What all cells say to people who take one for another."""

import numpy as np
import pytest
from support import ROOT

from ltc_np import CTGRU, CTRNN, GRU, LSTM, LTC, LTCRNN, AutoNCP, CfC, CfCRNN, Layer, NeuralODE, SpikingLIF


@pytest.mark.parametrize("cell", [LSTM, GRU, CTGRU, CTRNN, NeuralODE, SpikingLIF, CfC])
def test_what_belongs_to_wired_cells(cell):
    """People who come from an LTC give these arguments to other cells."""
    with pytest.raises(TypeError, match=r"`units` must be an int >= 1, got a wiring, AutoNCP.* LTC, LRC and WiredCfC"):
        cell(AutoNCP(8, 2), input_dim=3)
    with pytest.raises(TypeError, match="`init` must be a dict .*, got 'time_constants'; only an LTC has that"):
        cell(4, input_dim=3, init="time_constants")
    with pytest.raises(ValueError, match="unknown parameter 'time_constants'; .*; only an LTC has that"):
        cell(4, input_dim=3, init={"time_constants": (1, 10)})
    name = next(iter(cell(4, input_dim=3).layout.slices))
    for value, got in (("a", "'a'"), (None, "None"), ([1.0, 2.0], "shape \\(2,\\)")):
        error = ValueError if isinstance(value, list) else TypeError
        with pytest.raises(error, match=rf"`init\['{name}'\]` must be a \(low, high\) tuple.*, got {got}"):
            cell(4, input_dim=3, init={name: value})


def test_layers_are_not_called():
    with pytest.raises(TypeError, match=r"^LSTM is a description without .*: Model\(LSTM\(4, input_dim=3\)\)$"):
        LSTM(4, input_dim=3)(np.zeros((1, 2, 3)))


def test_a_wiring_of_ncps_is_told_from_ours():
    theirs = type("AutoNCP", (), {"__module__": "ncps.wirings.wirings"})()
    remedy = r"got ncps' AutoNCP: make the one of ltc_np, with the same arguments \(from ltc_np import AutoNCP\)"
    for make in (lambda: LTCRNN(theirs, 3), lambda: LTC(theirs), lambda: CfCRNN(theirs), lambda: CfC(theirs)):
        with pytest.raises(TypeError, match=remedy):
            make()


def test_the_page_names_all_that_a_layer_may_have():
    """Every method that a layer may override, in docs/architecture.md, and `observe` in the recipe."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    section = page.split("### What a layer owes the model")[1].split("\n### ")[0]
    recipe = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8").split("### Add a cell")[1].split("###")[0]
    elsewhere = {"defaults": "of all things that are described", "with_input": "of layers made without `input_dim`"}
    methods = {name for name, value in vars(Layer).items() if callable(value) and not name.startswith("_")}
    missing = {name for name in methods - set(elsewhere) if f"`{name}`" not in section}
    assert not missing
    assert {"observe", "trace"} <= methods and "`observe`" in recipe and "`cells/NAME.py`" in recipe
