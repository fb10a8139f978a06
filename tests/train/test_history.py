"""What `fit` returns: lists, a table, a picture."""

import copy
import math
import pickle
import sys

import numpy as np
import pytest

from ltc_np import LTCRNN, SGD, AutoNCP, History, Validation


def trained(every=1, **options):
    t = np.linspace(0, 3, 24)[:, None] + 0.4 * np.arange(9)
    x, y = np.sin(t[:, :-1, None]), np.sin(t[:, 1:, None])
    held = Validation((x, y), every=every)
    options = {
        "validation": held,
        "epochs": 5,
        "optimizer": SGD(0.1),
        "verbose": 0,
    } | options
    return LTCRNN(AutoNCP(8, 1), 1, seed=0).fit(x, y, **options)


def test_lists_as_keras_has_them():
    history = trained(metrics="mae")
    assert type(history.history) is dict and history.history == history
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"}
    assert history.epoch == [0, 1, 2, 3, 4]


def test_a_table_has_a_row_for_every_epoch():
    history = trained(every=2)
    table = history.table()
    assert list(table) == ["epoch", "loss", "val_loss"]
    assert {len(column) for column in table.values()} == {5}
    assert table["epoch"] == [0, 1, 2, 3, 4] and table["loss"] == history["loss"]
    first, second, third = history["val_loss"]
    np.testing.assert_array_equal(table["val_loss"], [math.nan, first, math.nan, second, third])
    table["epoch"].clear(), table["loss"].clear()
    assert len(history.epoch) == len(history["loss"]) == 5
    assert History().table() == {"epoch": []}


def test_a_resumed_training_has_its_own_epochs():
    history = trained(epochs=range(2, 4))
    assert history.table()["epoch"] == [2, 3]


def test_it_can_be_copied_and_pickled():
    history = trained()
    for again in (copy.deepcopy(history), pickle.loads(pickle.dumps(history))):
        assert again == history and again.epoch == history.epoch and again.best_epoch == history.best_epoch


@pytest.fixture
def pyplot(monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot = pytest.importorskip("matplotlib.pyplot")
    yield pyplot
    pyplot.close("all")


@pytest.mark.slow
def test_a_picture_has_what_was_measured(pyplot, tmp_path):
    history = trained(every=2, metrics=["mae"])
    figure = history.plot()
    assert [ax.get_ylabel() for ax in figure.axes] == ["loss", "mae"]
    for ax in figure.axes:
        name = ax.get_ylabel()
        training, validation, best = ax.get_lines()
        assert list(training.get_xdata()) == history.epoch and list(training.get_ydata()) == history[name]
        assert list(validation.get_xdata()) == [1, 3, 4]
        assert list(validation.get_ydata()) == history[f"val_{name}"]
        assert set(best.get_xdata()) == {history.best_epoch}
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["training", "validation", "best epoch"]
    figure.savefig(tmp_path / "history.png")
    assert len(trained(validation=None).plot().axes[0].get_lines()) == 1


@pytest.mark.slow
def test_many_pictures_are_in_rows_of_four(pyplot):
    history = History()
    for epoch in range(2):
        history.add(epoch, {f"a{k}": float(k + epoch) for k in range(6)})
    figure = history.plot()
    places = [ax.get_subplotspec() for ax in figure.axes]
    assert [ax.get_ylabel() for ax in figure.axes] == [f"a{k}" for k in range(6)]
    assert [(p.rowspan.start, p.colspan.start) for p in places] == [(k // 4, k % 4) for k in range(6)]


def test_a_picture_needs_epochs_and_matplotlib(pyplot, monkeypatch):
    with pytest.raises(ValueError, match="`plot` needs at least one epoch, got a history without any"):
        History().plot()
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ImportError, match=r'`History.plot` needs matplotlib: pip install "ltc-np\[plot\]"'):
        trained().plot()
