"""What notebooks show is what is there, and text of users stays text."""

import re

import numpy as np
import pytest
from support.texts import summary

from ltc_np import LTC, AutoNCP, Dense, Model
from ltc_np.base.notebook import html_table
from ltc_np.train.history import History


def cells(shown):
    """The rows of a table of HTML, lists of text."""
    return [re.findall(r"<t[hd]>(.*?)</t[hd]>", row) for row in re.findall(r"<tr>(.*?)</tr>", shown)]


def test_text_stays_text():
    shown = html_table(["<b>"], [["&\x1b[31m"]], "a < b")
    assert cells(shown) == [["&lt;b&gt;"], ["&amp;\\x1b[31m"]] and "<caption>a &lt; b</caption>" in shown


def test_models_and_traces():
    model = Model(LTC(AutoNCP(8, 2)), Dense(3), input_dim=2, seed=0, backend="numpy")
    model.freeze("1")
    head, *layers, total, frozen, tau = cells(model._repr_html_())
    assert head == ["layer", "output", "state", "parameters"]
    assert [row[1:] for row in layers] == [["2", "8", str(model.layers[0].layout.size)], ["3", "0", "9"]]
    assert [total, frozen, tau] == [[line] for line in summary(model).splitlines()[-3:]]
    trace = model.trace(np.zeros((5, 2)))
    rows = cells(trace._repr_html_())
    assert rows[1][0] == "0" and rows[1][2:] == ["state", "(5, 8)"] and ["0", "", "tau", "(5, 8)"] in rows


@pytest.mark.parametrize("epochs", [3, 40])
def test_histories(epochs):
    history = History()
    for epoch in range(epochs):
        history.add(epoch, {"loss": 1 / (epoch + 3), "val_loss": 2.0} if epoch % 2 else {"loss": 1 / (epoch + 3)})
    history.stopped = "all epochs done"
    head, *rows = cells(history._repr_html_())
    assert head == ["epoch", "loss", "val_loss"] and rows[:2] == [["0", "0.3333", "nan"], ["1", "0.25", "2"]]
    assert len(rows) == (3 if epochs == 3 else 11) and rows[-1][:2] == [str(epochs - 1), f"{1 / (epochs + 2):.4g}"]
    assert f"{epochs} epochs, 0.0 s, all epochs done" in history._repr_html_()


def test_backtests():
    pytest.importorskip("sklearn.base", reason="scikit-learn is not installed")  # also a folder of tests
    from ltc_np.sklearn.backtest import Backtest

    one = np.array([0.5, 1.25])
    found = Backtest(*[one] * 5, None, *[np.zeros((1, 2, 1))] * 2, None, np.zeros((1, 2), int), 1)
    assert cells(found._repr_html_())[1:] == [["1", *["0.5"] * 4], ["2", *["1.25"] * 4]]
