"""A network and a line as one model, and the network alone again."""

import numpy as np
import pytest

from ltc_np import GRU, BatchNorm, Dense, Hold, Line, Model, Residual, Standardize
from ltc_np.recipe import Recipe
from ltc_np.shortcut import beside, lines, network
from ltc_np.shortcut.beside import Data
from ltc_np.shortcut.mixture import mixed


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


@pytest.mark.parametrize("standardize", [True, False])
@pytest.mark.parametrize("classes", [0, 3])
@pytest.mark.parametrize("every_step", [False, True])
@pytest.mark.parametrize(("share", "reads"), [(0.0, 2), (0.4, 2), (0.4, "convolutions")])
def test_one_model_of_both(standardize, classes, every_step, share, reads):
    if reads == "convolutions" and every_step:
        return  # of which there is no fit
    recipe = Recipe(cell="cfc", units=5, standardize=standardize, dropout=0.1)
    B, T, O = 9, 6, classes or 2
    x, shape = 40 + 5 * normal(B, T, 3), (B, T) if every_step else (B,)
    y = np.random.default_rng(0).integers(0, classes, shape) if classes else 100 + normal(*shape, O)
    data = Data(x, y, None, np.array([6, 4, 3, 6, 6, 2, 1, 6, 5]))
    model = recipe.model(3, O, steps=T, every_step=every_step, numbers=not classes, seed=0, dtype="float64")
    beside._adapt(model, data, classes)
    for name in model.params:
        model.params[name] = normal(*model.params[name].shape, seed=5)
    read = data.sequences(model)
    line = lines.fit(read, beside._numbers(y, classes), None, every_step, reads)
    both = mixed(model, line, 1.7, share)
    want = 1.7 * line.predict(read, every_step) + share * model(x, lengths=data.lengths)
    valid = np.arange(T) < data.lengths[:, None] if every_step else ...
    np.testing.assert_allclose(both(x, lengths=data.lengths)[valid], want[valid], rtol=1e-9, atol=1e-9)
    assert both.return_sequences == every_step
    steps, state = [], None
    for t in range(T):
        out, state = both.step(x[:1, t], state=state)
        steps.append(out)
    whole = both(x[:1])
    np.testing.assert_allclose(np.stack(steps, 1) if every_step else steps[-1], whole, rtol=1e-9, atol=1e-9)
    alone = network(both)
    assert [type(layer) for layer in alone.layers] == [type(layer) for layer in model.layers]
    last = model.layer_stack.prefixes[-1]
    center = model.buffers[f"{last}mean"] if standardize and not classes else 0.0
    want = center + share * (model(x, lengths=data.lengths) - center)
    np.testing.assert_allclose(alone(x, lengths=data.lengths)[valid], want[valid], rtol=1e-9, atol=1e-9)
    assert network(model) is model


@pytest.mark.parametrize("classes", [0, 3])
def test_a_network_with_strides_beside_a_line(classes):
    """The line reads all steps, also those behind the last one that has an output of the network."""
    recipe, B, T, O = Recipe(cell="cfc", units=4, conv_layers=2, readout="max"), 9, 15, classes or 2
    x, y = 40 + 5 * normal(B, T, 3), np.arange(9) % 3 if classes else 100 + normal(B, O)
    data = Data(x, y, None, np.array([15, 12, 14, 15, 8, 5, 4, 15, 9]))
    model = recipe.model(3, O, steps=T, every_step=False, numbers=not classes, seed=0, dtype="float64")
    beside._adapt(model, data, classes)
    for name in model.params:
        model.params[name] = 0.5 * normal(*model.params[name].shape, seed=len(name))
    read = data.sequences(model)
    line = lines.fit(read, beside._numbers(y, classes), None, False, 2)
    both = mixed(model, line, 1.7, 0.4)
    assert both.layer_stack.stride == 1 and isinstance(both.layers[1].layers[0], Hold)
    said = model(x, lengths=data.lengths)
    assert np.ptp(said, axis=0).min() > 0.1
    want = 1.7 * line.predict(read, False) + 0.4 * said
    np.testing.assert_allclose(both(x, lengths=data.lengths), want, rtol=1e-9, atol=1e-9)
    alone = network(both)
    assert [type(layer) for layer in alone.layers] == [type(layer) for layer in model.layers]
    shift = 0.6 * model.buffers[f"{model.layer_stack.prefixes[-1]}mean"] if not classes else 0
    np.testing.assert_allclose(alone(x, lengths=data.lengths), 0.4 * said + shift, rtol=1e-9, atol=1e-9)


def test_buffers_of_layers_beside_the_line_are_theirs_again():
    """A model of a user's own, whose first layers stand before the line, and whose network has statistics."""
    ways = Residual(BatchNorm(), GRU(4), Dense(2), around=Line(2, reads=2, weight=normal(6, 2)))
    model = Model(Standardize(), ways, input_dim=3, seed=0, dtype="float64")
    for name in model.buffers:
        model.buffers[name] = 1 + normal(*model.buffers[name].shape, seed=len(name)) ** 2
    x = normal(4, 6, 3, seed=1)
    line = Model(Standardize(), Line(2, reads=2, weight=normal(6, 2)), input_dim=3, dtype="float64")
    for name in line.buffers:
        line.buffers[name] = model.buffers[name.replace("1.", "1.around_")]
    model.notes = {"who": "the user"}
    alone = network(model)
    assert alone.notes == model.notes
    assert [type(layer) for layer in alone.layers] == [Standardize, BatchNorm, GRU, Dense]
    np.testing.assert_allclose(alone(x), model(x) - line(x), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("every_step", [False, True])
def test_both_compute_as_the_network_does(every_step):
    """And know what it was trained for; neither shares its numbers with what it is made of."""
    x, y = normal(9, 6, 3), normal(*(9, 6, 2) if every_step else (9, 2))
    recipe = Recipe(cell="cfc", units=5, epochs=1)
    model = recipe.model(3, 2, steps=6, every_step=every_step, numbers=True, seed=0, dtype="float64", backend="numpy")
    recipe.fit(model, x, y, sequences=9, loss="mse", seed=0, verbose=False)
    model.notes = {"who": "the user"}
    line = lines.fit(Data(x, y).sequences(model), y, None, every_step, 2)
    both = mixed(model, line, 1.0, 0.5)
    for found in both, network(both):
        assert (found.dtype, found.backend, found.input_size) == (np.float64, "numpy", 3)
        assert (found.notes, found.trained, found.return_sequences) == (model.notes, model.trained, every_step)
    assert model.trained is not None and model.trained.epochs == 1
    wanted = [each(x) for each in (model, both)]
    alone = network(both)
    alone.theta[:], alone.buffer_vector[:] = 0, 1
    np.testing.assert_array_equal(both(x), wanted[1])
    both.theta[:], both.buffer_vector[:] = 0, 1
    np.testing.assert_array_equal(model(x), wanted[0])


def test_only_models_have_a_network():
    with pytest.raises(TypeError, match="`model` must be a Model, got 3"):
        network(3)
