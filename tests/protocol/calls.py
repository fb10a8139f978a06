"""What the battery gives to models and takes from them."""

from typing import NamedTuple

import numpy as np

from ltc_np import Model
from ltc_np.layers import Bidirectional, Ensemble, MixedMemory, Residual


class Given(NamedTuple):
    """Arguments of a call of a model with 2 inputs, and adjoints of its results; dt is None for a layer without."""

    x: np.ndarray
    dt: np.ndarray
    lengths: np.ndarray
    h0: np.ndarray
    d_y: np.ndarray
    d_state: np.ndarray

    def part(self, b, steps=slice(None)):
        """Of one sequence: x and dt of some steps, as arguments by name."""
        return {"x": self.x[b, steps], "dt": None if self.dt is None else self.dt[b, steps]}


def given(layer, B=3, T=5, dtype="float64", seed=0, least_dt=0.1):
    """Sequences of all lengths, 0 and T among them; what lies behind their ends is not a number."""
    rng = np.random.default_rng(seed)
    x, dt = rng.normal(size=(B, T, 2)).astype(dtype), rng.uniform(least_dt, 2, (B, T)).astype(dtype)
    lengths = np.arange(B, 0, -1) % (T + 1)
    lengths[0] = T
    x[np.arange(T) >= lengths[:, None]] = np.nan
    dt[np.arange(T) >= lengths[:, None]] = -1
    h0, d_state = (0.3 * rng.normal(size=(2, B, layer.state_size))).astype(dtype)
    d_y = rng.normal(size=(B, T, layer.output_size)).astype(dtype)
    return Given(x, dt if layer.takes_dt else None, lengths, h0, d_y, d_state)


def whole(layer, B=3, T=5, **options):
    """`given`, with all sequences of length T."""
    some = given(layer, B, T, **options)
    full = given(layer, B, T, **options | {"seed": 1})
    x, dt = np.where(np.isnan(some.x), 0.5, some.x), None if some.dt is None else np.where(some.dt < 0, 0.7, some.dt)
    return full._replace(x=x, dt=dt, lengths=np.full(B, T))


def results(model, given, memory="full", seed=None):
    """Outputs, states and every gradient by name."""
    options = {"lengths": given.lengths, "h0": given.h0}
    y, tape = model.forward(given.x, dt=given.dt, memory=memory, dropout_seed=seed, **options)
    g = model.backward(tape, given.d_y, given.d_state)
    found = {"y": y, "d_x": g.x, "d_h0": g.h0, "d_dt": g.dt}
    if seed is None:
        found["state"] = model(given.x, dt=given.dt, return_state=True, **options)[1]
    found = {name: a for name, a in found.items() if a is not None}
    return found | {f"d_{name}": values.copy() for name, values in model.views(g.theta).items()}


def same_bits(a, b):
    assert a.keys() == b.keys()
    for name, want in a.items():
        assert np.array_equal(want, b[name]), name


def close(found, wanted, outputs, gradients):
    """Within what is allowed of outputs and of gradients, relative to each array's largest number."""
    assert found.keys() == wanted.keys()
    for name, want in wanted.items():
        most = outputs if name in ("y", "state") else gradients
        error, largest = np.abs(found[name] - want).max(initial=0), np.abs(want).max(initial=0)
        assert error <= most * largest + 1e-30, (name, error / largest)


def pair(layer, dtype, backend, seed=1):
    """The same model twice: float64 with the numpy backend, which defines it, and the one asked for."""
    model = Model(layer, seed=seed, dtype=dtype, backend=backend)
    definition = Model(layer, seed=seed, dtype="float64", backend="numpy")
    definition.theta = model.theta
    return definition, model


def parts(layer):
    """The layer and all layers within."""
    yield layer
    if isinstance(layer, Residual):
        inner = layer.layers + (() if layer.around is None else (layer.around,))
    elif isinstance(layer, Ensemble):
        inner = [one for member in layer.members for one in member]
    elif isinstance(layer, (Bidirectional, MixedMemory)):
        inner = [layer.layer if isinstance(layer, Bidirectional) else layer.cell]
    else:
        inner = []
    for one in inner:
        yield from parts(one)
