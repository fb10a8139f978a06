"""Recipes: what they build, that they learn, and what they refuse."""

import numpy as np
import pytest

from ltc_np.recipe import CELLS, Recipe


def parts(recipe, **changes):
    """The names of the layers of a recipe's network."""
    given = {"steps": 20, "every_step": False, "numbers": True, "seed": 0} | changes
    return [type(layer).__name__ for layer in recipe.model(3, 2, **given).layers]


def test_layers():
    assert parts(Recipe(readout="mean")) == ["Standardize", "LTC", "Pooling", "Dense", "Standardize"]
    assert parts(Recipe(readout="last", standardize=False)) == ["LTC", "Dense"]
    assert parts(Recipe(bidirectional=True, readout="last"), numbers=False) == ["Standardize", "Bidirectional", "Dense"]
    every = Recipe(bidirectional=True, readout="mean", dropout=0.1, mixed_memory=True)
    assert parts(every, every_step=True) == ["Standardize", "MixedMemory", "Dropout", "Dense", "Standardize"]


def test_the_readout_is_that_of_what_remembers():
    def pools(**changes):
        return "Pooling" in parts(Recipe(**changes))

    assert not pools()
    assert pools(time_constants=None)
    assert pools(bidirectional=True)
    assert all(pools(cell=cell) for cell in CELLS if cell != "ltc")
    assert not pools(cell="cfc", readout="last")
    assert pools(readout="max")


def test_time_constants_reach_over_a_sequence():
    model = Recipe().model(3, 2, steps=20, every_step=False, numbers=True, duration=5.0)
    assert model.layers[1].config()["init"] == {"time_constants": (0.25, 5.0)}


@pytest.mark.parametrize("cell", CELLS)
def test_learns_a_sum(cell):
    x = np.random.default_rng(0).normal(size=(60, 12, 2))
    y = x.sum((1, 2))[:, None]
    recipe = Recipe(cell=cell, units=8, epochs=40, learning_rate=0.03)
    model = recipe.model(2, 1, steps=12, every_step=False, numbers=True, seed=0)
    recipe.fit(model, x, y, sequences=60, seed=0, verbose=False)
    assert model.evaluate(x, y, metrics=["r2"])["r2"] > 0.5


@pytest.mark.parametrize(
    ("name", "value"),
    [("cell", "rnn"), ("readout", "first"), ("units", 0), ("dropout", 1.0), ("epochs", 2.5), ("clip_norm", 0.0)],
)
def test_refuses(name, value):
    with pytest.raises((ValueError, TypeError), match=f"`{name}` must be"):
        Recipe(**{name: value})
