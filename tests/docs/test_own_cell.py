"""The cell of one's own that docs/guides/own.md shows: taken from the page, and used as a user does."""

import doctest
import json

import numpy as np
import pytest
from support import ROOT

from ltc_np import LTC, Adam, Dense, FullyConnected, MixedMemory, Model, from_config, gradcheck, load


@pytest.fixture
def source():
    """The example's code."""
    page = (ROOT / "docs" / "guides" / "own.md").read_text(encoding="utf-8")
    examples = doctest.DocTestParser().get_examples(page)
    before = next(e.source for e in examples if "import Entry, Layer, Layout" in e.source)
    (code,) = (e.source for e in examples if "class MGU(" in e.source)
    return before + code


@pytest.fixture
def MGU(source, registry):
    names = {"np": np, "__name__": __name__}
    exec(source, names)
    return names["MGU"]


def stack(MGU, **options):
    return Model(LTC(FullyConnected(6, 4), input_dim=2), MGU(5, input_dim=4), Dense(3), seed=0, **options)


def test_it_is_one_screen_of_code(source):
    assert len([line for line in source.splitlines() if line.strip()]) <= 35


def test_its_gradients(MGU, backend, rng):
    x, lengths = rng.standard_normal((3, 4, 2)), [4, 2, 0]
    assert max(gradcheck.check(MGU(5, input_dim=2), x, lengths=lengths).values()) < 1e-6
    model = stack(MGU, dtype="float64", backend=backend)
    assert max(gradcheck.check(model, x, dt=0.7, lengths=lengths).values()) < 1e-6
    assert (
        gradcheck.direction(Model(MGU(32, input_dim=2), seed=0, dtype="float64"), rng.standard_normal((8, 30, 2)))
        < 1e-6
    )


def test_padding_steps_and_pieces(MGU, backend, rng):
    model = Model(MGU(5, input_dim=2), seed=0, dtype="float64", backend=backend)
    x = rng.standard_normal((3, 6, 2))
    y, state = model(x, lengths=[6, 2, 0], return_state=True)
    np.testing.assert_array_equal(y[1, 2:], 0)
    np.testing.assert_allclose(state[1], model(x[1, :2], return_state=True)[1], atol=1e-15)
    np.testing.assert_array_equal(state[2], 0)
    h = None
    for t in range(6):
        y_t, h = model.step(x[0, t], state=h)
        np.testing.assert_allclose(y_t, y[0, t], atol=1e-15)
    first, h = model(x[0, :4], return_state=True)
    np.testing.assert_allclose(np.concatenate([first, model(x[0, 4:], h0=h)]), y[0], atol=1e-15)


def test_it_is_saved_and_loaded(MGU, tmp_path, rng, registry):
    model, x = stack(MGU), rng.standard_normal((3, 4, 2))
    model.save(tmp_path / "model.npz")
    again = load(tmp_path / "model.npz")
    assert repr(again) == repr(model)
    assert again.layers == model.layers
    np.testing.assert_array_equal(again(x, dt=0.5), model(x, dt=0.5))
    del registry.LAYERS["MGU"]
    with pytest.raises(ValueError, match=r"has the layer 'MGU', .* call ltc_np\.register with its class"):
        load(tmp_path / "model.npz")
    with pytest.raises(ValueError, match=r"registered layers .* got MGU: .* call ltc_np\.register with its class"):
        model.save(tmp_path / "model.npz")


def test_it_learns(MGU, rng):
    x = rng.uniform(-1, 1, (64, 12, 1))
    y = np.cumsum(x, axis=1) / 4
    model = Model(MGU(12, input_dim=1), Dense(1), seed=0)
    history = model.fit(x, y, epochs=30, optimizer=Adam(0.02), seed=0, verbose=False)
    assert history["loss"][-1] < 0.2 * history["loss"][0]


def test_it_is_a_cell_of_configurations(MGU, tmp_path):
    config = {"cell": "mgu", "units": 5, "input_dim": 2, "output_dim": 3, "input_mapping": "identity"}
    model = from_config(json.loads(json.dumps(config)), seed=0)
    assert model.layers == (MGU(5, input_dim=2), Dense(3, input_dim=5))
    assert model.config.cell == "MGU"
    model.save(tmp_path / "model.npz")
    assert load(tmp_path / "model.npz").config == model.config
    for setting, value in (("solver", "rk4"), ("activation", "tanh"), ("ode_unfolds", 3), ("init", {"w": 0.0})):
        with pytest.raises(ValueError, match=f"`{setting}` must be left out: MGU has none"):
            from_config(config | {setting: value})


def test_other_layers_take_it(MGU, rng):
    assert (
        max(gradcheck.check(MixedMemory(MGU(4, input_dim=2)), rng.standard_normal((2, 3, 2)), lengths=[3, 1]).values())
        < 1e-6
    )
