"""One small example of every picture, whose numbers anybody can check, by the name of its stored image.

PYTHONPATH=tests python -m support.picture_cases            # store all anew, in tests/plot/images
PYTHONPATH=tests python -m support.picture_cases wiring     # or some
"""

import sys
from typing import NamedTuple

import numpy as np

from ltc_np import LTC, LTCRNN, AutoNCP, Dense, History, Model, Random, SpikingLIF, Wiring, plot
from support import TESTS

IMAGES = TESTS / "plot" / "images"


def history():
    """Six epochs; validation after every second one, best at the fourth."""
    made = History()
    for epoch in range(6):
        logs = {"loss": 4.0 * 0.3**epoch, "mae": 1.0 - 0.1 * epoch}
        made.add(epoch, logs | ({"val_loss": 5.0 * 0.3**epoch + 0.1 * epoch} if epoch % 2 else {}))
    made.best_epoch = 3
    return made


def columns():
    """A model on a wiring of three layers, with strengths that differ by much."""
    model = LTCRNN(AutoNCP(19, 2), input_dim=4, seed=0, dtype="float64", backend="numpy")
    model.params["w"][:] = np.linspace(-3, 3, model.params["w"].size)
    model.params["sensory_w"][:] = np.linspace(2, -2, model.params["sensory_w"].size)
    return model


def ring():
    """A wiring of one layer with each kind of synapse: to another neuron, to itself, and between two both ways."""
    edges = [(0, 1, 1), (1, 0, -1), (2, 2, 2), (3, 4, -0.5), (4, 0, 1.5)]
    return Wiring.from_edges(6, edges, [(0, 3, 1), (1, 5, -2), (0, 2, 1)], output_dim=2)


def forecast():
    """t, y, predicted."""
    t = np.array([0.0, 0.5, 1.5, 2, 3, 4.5, 5, 6, 7, 8])
    y = np.sin(t)
    y[4] = np.nan
    return t, y, 0.9 * np.sin(t + 0.1)


def bands():
    t, _, predicted = forecast()
    return {0.5: (predicted - 0.2, predicted + 0.2), 0.9: (predicted - 0.5, predicted + 0.6 + 0.02 * t)}


def three_outputs(array):
    return np.stack([array, 1 + array, 2 - array], axis=1)


def traced(model=None, **options):
    """A trace of two sequences of unequal length with irregular elapsed times."""
    if model is None:
        layer = LTC(AutoNCP(12, 2), init={"time_constants": (1.0, 30.0)})
        model = Model(layer, Dense(1), input_dim=3, seed=0, dtype="float64", backend="numpy")
    rng = np.random.default_rng(3)
    x, dt = rng.normal(size=(2, 15, 3)), rng.uniform(0.2, 2.0, (2, 15))
    return model.trace(x, dt=dt, lengths=[15, 9], **options)


def spiking():
    layer = SpikingLIF(7, tau=2.0, init={"w_x": (-0.5, 1.5), "b": (0.2, 1.0)})
    return traced(Model(layer, input_dim=3, seed=0, dtype="float64", backend="numpy"))


def influences():
    """(T, I) derivatives, of an output at step 6."""
    values = np.outer(0.8 ** np.arange(7)[::-1], [1.0, -0.5, 0.1])
    return np.concatenate([values, np.zeros((3, 3))])


def reaches():
    return {"short": 0.1 ** np.arange(20.0), "long": 0.5 * 0.8 ** np.arange(12.0), "none": np.r_[1.0, np.zeros(9)]}


def plane():
    """A rotation around (0.2, -0.1) that shrinks: both nullclines are straight lines through this point."""
    first, second = np.linspace(-1, 1, 9), np.linspace(-0.5, 0.5, 6)
    x, y = (first - 0.2)[:, None], (second + 0.1)[None]
    slopes = np.stack([-0.5 * x + 2 * y, -2 * x - 0.5 * y + 0 * x])
    return Plane(
        first,
        second,
        slopes,
        np.stack([0.2 + 4 * (second + 0.1), second], 1),
        np.stack([first, -0.1 - 4 * (first - 0.2)], 1),
    )


class Plane(NamedTuple):
    """The attributes of `ltc_np.analysis.Nullclines`."""

    first: np.ndarray
    second: np.ndarray
    slopes: np.ndarray
    first_still: np.ndarray
    second_still: np.ndarray


CASES = {
    "wiring_columns": lambda ax: plot.wiring(columns(), ax=ax),
    "wiring_ring": lambda ax: plot.wiring(ring(), input_names=["a", "b"], output_names=["c", "d"], ax=ax),
    "wiring_many": lambda ax: plot.wiring(Random(60, 3, 0.7).build(5), ax=ax),
    "learning_curves": lambda ax: plot.learning_curves(history(), ax=ax),
    "predictions": lambda ax: plot.predictions(*forecast(), intervals=bands(), ax=ax),
    "predictions_three": lambda ax: plot.predictions(forecast()[0], *map(three_outputs, forecast()[1:]), ax=ax),
    "states": lambda ax: plot.states(traced(), ax=ax),
    "states_three": lambda ax: plot.states(traced(), neurons=[0, 5, 11], sequence=1, ax=ax),
    "time_constants": lambda ax: plot.time_constants(traced(), ax=ax),
    "currents": lambda ax: plot.currents(traced(), 3, ax=ax),
    "saliency": lambda ax: plot.saliency(influences(), step=6, names=["a", "b", "c"], ax=ax),
    "gradient_by_lag": lambda ax: plot.gradient_by_lag(reaches(), ax=ax),
    "phase_portrait": lambda ax: plot.phase_portrait(plane(), (4, 7), trace=traced(), layer=0, ax=ax),
    "spike_raster": lambda ax: plot.spike_raster(spiking(), ax=ax),
}


def main(names):
    from support.pictures import render, write

    for name in names or CASES:
        write(IMAGES / f"{name}.png", render(CASES[name]))


if __name__ == "__main__":
    main(sys.argv[1:])
