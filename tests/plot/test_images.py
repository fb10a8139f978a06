"""Every picture as it was when somebody last looked at it.

Stored images are made anew by ``PYTHONPATH=tests python -m support.picture_cases``; look at them before they are
committed.
"""

import inspect

import numpy as np
import pytest
from support.picture_cases import (
    CASES,
    IMAGES,
    bands,
    columns,
    forecast,
    history,
    influences,
    plane,
    reaches,
    ring,
    spiking,
    traced,
)
from support.pictures import difference, read, render

from ltc_np import plot
from ltc_np.plot import wiring

# Of 255. A line of one point that is gone, or is elsewhere by more than a pixel, makes 60 and more
# (`test_the_comparison_sees`); matplotlib 3.7.5 makes of all pictures what 3.11.2 has made: 0.
TOLERANCE = 15


@pytest.mark.slow
@pytest.mark.few(4)
@pytest.mark.parametrize("name", CASES)
def test_picture(name):
    assert difference(render(CASES[name]), read(IMAGES / f"{name}.png")) <= TOLERANCE


def test_every_picture_is_stored_and_small():
    stored = {path.stem: path.stat().st_size for path in IMAGES.iterdir()}
    assert set(stored) == set(CASES)
    assert sum(stored.values()) < 400_000
    drawn = [name for name in plot.__all__ if "ax" in inspect.signature(getattr(plot, name)).parameters]
    assert {name for name in drawn if not any(case.startswith(name) for case in CASES)} == set()


def one_value(values, at, new):
    values = np.array(values, float)
    values[at] = new
    return values


def turned():
    """The ring with one synapse of the other sign."""
    made = ring()
    return {"values": one_value(made.polarity, 3, -made.polarity[3]), "sensory_values": made.sensory_polarity}


def stronger():
    model = columns()
    model.params["w"][:5] = 3.0
    return model


def later(made):
    made.best_epoch = 5
    return made


def higher(made):
    made["loss"][3] *= 1.6
    return made


def changed(name, trace, value):
    """A trace with one number of one sequence changed."""
    own = trace.layers[0]
    array = own.state if name == "state" else own.arrays[name]
    array[0, 6, 4] += value
    return trace


def one_more(trace):
    silent = np.argwhere(trace["spikes"][0] == 0)[20]
    trace["spikes"][(0, *silent)] = 1
    return trace


T, Y, PREDICTED = forecast()
MUTATIONS = {
    "a synapse has another sign": ("wiring_ring", lambda ax: wiring(ring(), **turned(), ax=ax)),
    "some synapses are stronger": ("wiring_columns", lambda ax: wiring(stronger(), ax=ax)),
    "a loss is higher": ("learning_curves", lambda ax: plot.learning_curves(higher(history()), ax=ax)),
    "another epoch was best": ("learning_curves", lambda ax: plot.learning_curves(later(history()), ax=ax)),
    "a prediction is 0.1 off": (
        "predictions",
        lambda ax: plot.predictions(T, Y, one_value(PREDICTED, 5, PREDICTED[5] + 0.1), intervals=bands(), ax=ax),
    ),
    "an interval is missing": (
        "predictions",
        lambda ax: plot.predictions(T, Y, PREDICTED, intervals={0.9: bands()[0.9]}, ax=ax),
    ),
    "one step of one neuron": ("states", lambda ax: plot.states(changed("state", traced(), 0.3), ax=ax)),
    "a line of three": ("states_three", lambda ax: plot.states(traced(), neurons=[0, 6, 11], sequence=1, ax=ax)),
    "a time constant": ("time_constants", lambda ax: plot.time_constants(changed("tau", traced(), 20.0), ax=ax)),
    "currents of another neuron": ("currents", lambda ax: plot.currents(traced(), 4, ax=ax)),
    "the end of another step": ("saliency", lambda ax: plot.saliency(influences(), step=7, ax=ax)),
    "a network reaches less far": (
        "gradient_by_lag",
        lambda ax: plot.gradient_by_lag(reaches() | {"long": 0.5 * 0.75 ** np.arange(12.0)}, ax=ax),
    ),
    "another neuron": ("phase_portrait", lambda ax: plot.phase_portrait(plane(), (4, 8), trace=traced(), ax=ax)),
    "no trace": ("phase_portrait", lambda ax: plot.phase_portrait(plane(), (4, 7), ax=ax)),
    "a spike more": ("spike_raster", lambda ax: plot.spike_raster(one_more(spiking()), ax=ax)),
}


@pytest.mark.few(4)
@pytest.mark.parametrize("what", MUTATIONS)
def test_the_comparison_sees(what):
    name, draw = MUTATIONS[what]
    assert difference(render(draw), read(IMAGES / f"{name}.png")) > 2 * TOLERANCE


@pytest.mark.slow
def test_the_comparison_takes_what_moves_by_one_pixel():
    stored = read(IMAGES / "predictions.png")
    moved = np.roll(stored, 1, axis=1)
    moved[:, 0] = stored[:, 0]
    assert difference(moved, stored) <= TOLERANCE
    assert difference(np.roll(stored, 4, axis=1), stored) > 2 * TOLERANCE
    assert difference(stored[:-1], stored) == 255
