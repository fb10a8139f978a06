"""Recipes: what they build, that they learn, and what they refuse."""

import numpy as np
import pytest

from ltc_np import AdamW, Callback, CollapseGuard, CosineDecay, History, Model, ensemble
from ltc_np.recipe import CELLS, FEWEST, SLOWER, STEPS, Recipe
from ltc_np.train.loop.divergence import Diverged


def parts(recipe, **changes):
    """The names of the layers of a recipe's network."""
    given = {"steps": 20, "every_step": False, "numbers": True, "seed": 0} | changes
    return [type(layer).__name__ for layer in recipe.model(3, 2, **given).layers]


def test_layers():
    assert parts(Recipe(readout="mean")) == ["Standardize", "LTC", "Pooling", "Dense", "Standardize"]
    assert parts(Recipe(readout="last", standardize=False)) == ["LTC", "Dense"]
    assert parts(Recipe(bidirectional=True, readout="last"), numbers=False) == ["Standardize", "Bidirectional", "Dense"]
    every = Recipe(bidirectional=True, readout="mean", dropout=0.1, mixed_memory=True)
    assert parts(every, every_step=True) == ["Standardize", "Bidirectional", "Dropout", "Dense", "Standardize"]


def test_the_readout_has_a_hidden_layer():
    """Behind what is dropped, and the last layer reads it; nothing else changes."""
    recipe = Recipe(readout_units=24, dropout=0.1)
    assert parts(recipe) == ["Standardize", "LTC", "Dropout", "Dense", "Dense", "Standardize"]
    layers = recipe.model(3, 2, steps=20, every_step=False, numbers=True, seed=0).layers
    assert (layers[3].outputs, layers[3].activation, layers[4].outputs) == (24, "silu", 2)
    assert layers[4].activation is None


def test_convolutions_in_front_of_the_cell():
    """The cell sees an eighth of the steps, each as long as eight; with an answer at every step all of them."""
    recipe = Recipe(conv_layers=3, units=4, input_dropout=0.1)
    assert parts(recipe) == [
        "Standardize",
        "Dropout",
        "Conv1D",
        "Conv1D",
        "Conv1D",
        "LTC",
        "Pooling",
        "Dense",
        "Standardize",
    ]
    model = recipe.model(2, 3, steps=80, duration=40.0, every_step=False, numbers=False, seed=0)
    assert model.layers[6].kind == "max"
    assert [(each.outputs, each.kernel_size, each.stride) for each in model.layers[2:5]] == [(4, 7, 2)] * 3
    assert model.layers[5].init["time_constants"] == (4.0, 40.0) and model.layer_stack.stride == 8
    dense = recipe.model(2, 3, steps=80, every_step=True, numbers=False, seed=0)
    assert [(each.dilation, each.stride) for each in dense.layers[2:5]] == [(1, 1), (2, 1), (4, 1)]
    assert dense(np.zeros((1, 9, 2))).shape == (1, 9, 3)
    with pytest.raises(ValueError, match="`conv_layers` must leave a step of sequences of 7, got 3"):
        recipe.model(2, 3, steps=7, every_step=False, numbers=False)


def test_what_is_done_to_inputs():
    """Clipped where they are standardised, then dropped: of the layer the units are standard deviations."""
    recipe = Recipe(clip_inputs=3.0, input_dropout=0.2, dropout=0.1)
    assert parts(recipe, numbers=False) == ["Standardize", "Dropout", "LTC", "Dropout", "Dense"]
    layers = recipe.model(3, 2, steps=20, every_step=False, numbers=True, seed=0).layers
    assert (layers[0].clip, layers[1].rate, layers[3].rate) == (3.0, 0.2, 0.1)
    assert layers[-1].clip is None
    assert Recipe().model(3, 2, steps=20, every_step=False, numbers=True, seed=0).layers[0].clip == 5
    assert parts(Recipe(standardize=False)) == ["LTC", "Dense"]


def test_the_readout_is_that_of_what_remembers():
    def readout(numbers=False, **changes):
        (found,) = set(parts(Recipe(**changes), numbers=numbers)) & {"Pooling", "Residual"} or {"last"}
        return found

    assert readout() == readout(numbers=True) == "last"
    for changes in ({"time_constants": None}, {"bidirectional": True}, {"cell": "cfc"}, {"cell": "lstm"}):
        assert readout(**changes) == "Pooling"
        assert readout(numbers=True, **changes) == "Residual"
    assert readout(cell="cfc", readout="last") == "last"
    assert readout(readout="max") == "Pooling"
    assert readout(readout="last+mean") == "Residual"


def test_last_and_mean():
    """The sum of the cell's last output and of their mean, before the readout; within lengths."""
    x = np.random.default_rng(0).normal(size=(2, 6, 3))
    model = Recipe(cell="gru", units=4, standardize=False).model(
        3, 2, steps=6, every_step=False, numbers=True, seed=0, backend="numpy"
    )
    cell = Model(*model.layers[:1], input_dim=3, dtype=model.dtype, backend="numpy")
    cell.theta = model.theta[: cell.theta.size]
    lengths = [6, 4]
    for row, length, found in zip(x, lengths, model(x, lengths=lengths), strict=True):
        states = cell(row[:length])
        weights, bias = (model.params[name] for name in model.params if name.startswith("2."))
        np.testing.assert_allclose(found, (states[-1] + states.mean(0)) @ weights + bias, rtol=1e-5, atol=1e-6)


def test_time_constants_reach_over_a_sequence():
    model = Recipe().model(3, 2, steps=20, every_step=False, numbers=True, duration=5.0)
    assert model.layers[1].config()["init"] == {"time_constants": (0.25, 5.0)}
    model = Recipe().model(3, 2, steps=10, every_step=False, numbers=True, duration=0.5)
    assert model.layers[1].config()["init"] == {"time_constants": (0.05, 0.5)}


def test_the_backbone_of_a_cfc():
    """By the number of weights: without one, each of four heads reads 3 inputs and 5 states."""

    def weights(**changes):
        model = Recipe(cell="cfc", units=5, **changes).model(3, 2, steps=9, every_step=False, numbers=False, seed=0)
        return sum(array.size for name, array in model.params.items() if name.startswith("1.") and array.ndim == 2)

    assert weights() == weights(backbone_units=0) == 4 * 8 * 5
    assert weights(backbone_units=7) == 8 * 7 + 4 * 7 * 5


@pytest.mark.parametrize("name", ["cell", "wiring", "schedule", "readout"])
def test_a_word_that_has_no_row_is_no_other_word(name):
    """A new word of a list that nobody has written for must not be taken for one that is there."""
    recipe = Recipe(epochs=1)
    object.__setattr__(recipe, name, "new")
    with pytest.raises((KeyError, ValueError), match="'new'"):
        model = recipe.model(3, 2, steps=9, every_step=False, numbers=True, backend="numpy")
        recipe.fit(model, np.zeros((2, 9, 3)), np.zeros((2, 2)), sequences=2, verbose=False)


def test_what_fit_is_told():
    """The rate falls until the last batch of the last epoch, also a smaller one; what is given goes first."""

    class Told:
        return_sequences = False
        theta = buffer_vector = trained = np.zeros(0)

        def fit(self, x, y, **settings):
            self.x, self.y, self.settings = x, y, settings

    told = Told()
    recipe = Recipe(epochs=3, batch_size=4, learning_rate=0.2, weight_decay=0.3, clip_norm=None, standardize=False)
    recipe.fit(told, "x", "y", sequences=9, batch_size=7, seed=5)
    optimizer = told.settings.pop("optimizer")
    assert [type(callback) for callback in told.settings.pop("callbacks")] == [CollapseGuard]
    assert (told.x, told.y) == ("x", "y")
    assert told.settings == {"epochs": 3, "batch_size": 7, "clip_norm": None, "standardize": False, "seed": 5}
    assert optimizer.config() == AdamW(CosineDecay(0.2, 9), weight_decay=0.3).config()
    Recipe(schedule="constant", learning_rate=0.2).fit(told, "x", "y", sequences=9)
    assert told.settings["optimizer"].config() == AdamW(0.2, weight_decay=0.01).config()


def test_the_fewest_neurons_of_an_ncp():
    """One motor neuron in four, but at least one."""
    for units, motor in ((4, 1), (8, 2), (11, 2)):
        model = Recipe(wiring="ncp", units=units).model(3, 2, steps=6, every_step=True, numbers=True)
        assert (model.wiring.units, model.wiring.output_dim) == (units, motor)


@pytest.mark.few(2)
@pytest.mark.parametrize("cell", CELLS)
def test_learns_a_sum(cell):
    x = np.random.default_rng(0).normal(size=(60, 12, 2))
    y = x.sum((1, 2))[:, None]
    recipe = Recipe(cell=cell, units=8, epochs=40, learning_rate=0.03)
    backend = "numpy" if cell == "gru" else "auto"  # whose kernels in float32 no other test needs
    model = recipe.model(2, 1, steps=12, every_step=False, numbers=True, seed=0, backend=backend)
    recipe.fit(model, x, y, sequences=60, seed=0, verbose=False)
    assert model.evaluate(x, y, metrics=["r2"])["r2"] > 0.5


@pytest.mark.parametrize("batch_size", [1, 16, 64])
@pytest.mark.parametrize("sequences", [1, 7, 33, 500, 40_000])
def test_epochs_are_as_many_as_the_steps_take(sequences, batch_size):
    """By counting batches: no epoch less would make the steps."""
    epochs = Recipe(batch_size=batch_size).epochs_for(sequences, every_step=False)
    batches = len(range(0, sequences, batch_size))
    assert epochs == FEWEST or (epochs - 1) * batches < STEPS
    assert epochs >= FEWEST and epochs * batches >= STEPS
    assert Recipe(batch_size=batch_size).epochs_for(sequences, every_step=True) == FEWEST
    assert Recipe(epochs=7).epochs_for(sequences, every_step=False) == 7


@pytest.mark.parametrize("cell", CELLS)
def test_automatic_training_is_the_one_it_stands_for(cell, rng, monkeypatch):
    """Also its learning rate, which falls to 0 in the last of these epochs."""
    monkeypatch.setattr("ltc_np.recipe.enough_epochs", lambda sequences, batch_size: 2 + -(-sequences // batch_size))
    x, y = rng.standard_normal((9, 5, 2)), rng.standard_normal((9, 1))
    found = []
    for changes in ({}, {"epochs": 5}):
        recipe = Recipe(cell=cell, units=4, batch_size=4, **changes)
        model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0, backend="numpy")
        history = recipe.fit(model, x, y, sequences=9, seed=0, verbose=False)
        assert len(history.epoch) == 5
        found.append(model.theta)
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("cell", "rnn"), ("readout", "first"), ("units", 0), ("dropout", 1.0), ("clip_norm", 0.0)),
        *(("backbone_units", -1), ("epochs", 2.5), ("epochs", 0), ("epochs", "many"), ("learning_rate", 0.0)),
        *(("readout_units", -1), ("clip_inputs", 0.0), ("input_dropout", 1.0), ("input_dropout", -0.1)),
        ("conv_layers", -1),
    ],
)
def test_refuses(name, value):
    with pytest.raises((ValueError, TypeError), match=f"`{name}` must be"):
        Recipe(**{name: value})


def test_what_a_stride_cannot_be_in():
    with pytest.raises(ValueError, match="`ensemble` must be 1 with `conv_layers`, got 2"):
        Recipe(conv_layers=1, ensemble=2)


class Overflows(Callback):
    """As if the gradient overflowed in the second epoch of a rate above 0.02."""

    def on_epoch_end(self, epoch, logs):
        lr = self.optimizer.lr
        if epoch == 1 and (lr(0) if callable(lr) else lr) > 0.02:
            raise Diverged("loss 3 with gradient norm nan at step 5; lower the learning rate")


def test_a_training_that_overflows_begins_again_with_a_smaller_rate():
    """As if it had begun with that; with an optimiser of one's own it is an error, and the third time."""
    x = np.random.default_rng(0).normal(size=(32, 6, 1))

    def trained(rate, **settings):
        recipe = Recipe(cell="gru", units=4, epochs=3, learning_rate=rate)
        model = recipe.model(1, 1, steps=6, every_step=False, numbers=True, seed=0, backend="numpy")
        more = {"seed": 0, "verbose": False, "callbacks": Overflows()} | settings
        return model, recipe.fit(model, x, x[:, 0], sequences=32, **more)

    for rate, times in ((0.05, 1), (0.2, 2)):
        with pytest.warns(RuntimeWarning, match=r"overflowed \(loss 3 .* step 5\); it begins again with") as told:
            model, history = trained(rate)
        right, wanted = trained(rate * SLOWER**times)
        assert len(told) == times and history["loss"] == wanted["loss"]
        np.testing.assert_array_equal(model.theta, right.theta)
    with pytest.raises(Diverged), pytest.warns(RuntimeWarning, match="begins again"):
        trained(0.9)
    with pytest.raises(Diverged):
        trained(0.05, optimizer=AdamW(0.05))


def test_ctrl_c_ends_an_ensemble_and_changes_nothing(monkeypatch):
    """The networks that have not begun would be untrained."""
    recipe = Recipe(units=3, ensemble=3, epochs=2)
    model = recipe.model(2, 1, steps=5, every_step=False, numbers=True, seed=0, backend="numpy")
    before, trained = model.theta.copy(), []

    def fit(self, *given, **options):
        trained.append(options["seed"])
        history = History()
        history.stopped = "interrupted after 1 epoch" if len(trained) == 2 else "all epochs done"
        self.theta[:] = 0
        return history

    monkeypatch.setattr(Model, "fit", fit)
    with pytest.raises(KeyboardInterrupt, match="interrupted after 1 epoch"):
        recipe.fit(model, "x", "y", sequences=9, seed=4)
    assert trained == ensemble.seeds(4, 3)[:2]
    assert np.array_equal(model.theta, before)
