"""Finite differences against hand-derived gradients, for any model and any layer of one's own.

Both checks differentiate ``sum(c * y) + sum(d * state)`` with random c and d, so that every output counts.  The error
of an array is max|analytic - numeric| / max|numeric|.  They need float64: in float32 differences say nothing.  Layers
with a surrogate gradient (`SpikingLIF`) are refused: theirs is that of the layer made with ``relaxed=True``.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Arrays
from ..cells.base import Layer
from ..network.network import Network
from ..network.sequences import check as sequences_of


def _function(
    model: Network | Layer,
    x: ArrayLike,
    dt: ArrayLike | None,
    lengths: ArrayLike | None,
    h0: ArrayLike | None,
    seed: int,
) -> tuple[Network, Arrays, Arrays, Callable[[Arrays], float]]:
    """(values to vary, analytic gradients, f(values) -> number) by array name."""
    seed = checks.integer("seed", seed, 0)
    if isinstance(model, Layer):
        model = Network(model, input_dim=np.shape(x)[-1] if model.open else None, seed=seed, dtype="float64")
    if not isinstance(model, Network):
        raise TypeError(f"`model` must be a Model or a Layer, got {type(model).__name__}")
    if model.dtype != np.float64:
        raise ValueError(f'`model` must have dtype="float64", got {model.dtype.name}')
    for layer in model.layers:
        if layer.surrogate_gradient:
            raise ValueError(
                "`model` must have the gradient of what it computes: finite differences cannot confirm a surrogate "
                f"gradient, got {layer!r}; check the layer that is made with relaxed=True, whose backward pass is the "
                "same"
            )
    rng = np.random.default_rng(seed)
    sequences, single = sequences_of(model, x, dt, lengths, h0)  # 0 in padding, which must not be differenced
    if h0 is None:
        h0 = 0.1 * rng.standard_normal(sequences.h0.shape)
        h0 = h0[0] if single else h0
    x = sequences.x[0] if single else sequences.x
    values = {"theta": model.theta.copy(), "x": x.copy(), "h0": np.array(h0, np.float64)}
    if model.takes_dt:
        values["dt"] = sequences.dt.copy() if np.ndim(dt) == 2 else np.array(1.0 if dt is None else dt, np.float64)
    y, tape = model.forward(x, dt=values.get("dt"), lengths=lengths, h0=h0)
    c = rng.standard_normal(y.shape)
    d = rng.standard_normal(values["h0"].shape)
    gradients = model.backward(tape, c, d)
    analytic = {name: np.asarray(getattr(gradients, name)) for name in values}
    before = model.theta.copy()

    def f(values):
        model.theta = values["theta"]
        try:
            y, state = model(values["x"], dt=values.get("dt"), lengths=lengths, h0=values["h0"], return_state=True)
        finally:
            model.theta = before
        return float((c * y).sum() + (d * state).sum())

    return model, values, analytic, f


@with_signature_hints
def check(
    model: Network | Layer,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    step: float = 1e-6,
    seed: int = 0,
) -> dict[str, float]:
    """Relative error of every array's gradient, coordinate by coordinate.

    Parameters
    ----------
    model : Model or Layer
        float64; a layer is wrapped into a model of its own.
    x, dt, lengths, h0
        As for a call of the model; small, since every number costs two calls.
    step : float
        Of the central differences (one-sided, of second order, where dt is smaller than it).
    seed : int

    Returns
    -------
    dict
        Name of parameter, ``"x"``, ``"h0"`` or ``"dt"`` -> max error relative to the array's largest.  Frozen
        parameters are left out.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import AutoNCP, LTC, gradcheck
    >>> x = np.random.default_rng(0).standard_normal((2, 3, 4))
    >>> max(gradcheck.check(LTC(AutoNCP(8, 2), input_dim=4), x, dt=0.5).values()) < 1e-6
    True
    """
    step = checks.number("step", step, low_open=True)
    model, values, analytic, f = _function(model, x, dt, lengths, h0, seed)
    numeric = {name: np.zeros(array.shape) for name, array in values.items()}
    for name, array in values.items():
        for at in np.ndindex(array.shape):
            if name == "theta" and model.trainable is not None and not model.trainable[at]:
                continue
            old = array[at]
            if name == "dt" and old < step:
                f0 = f(values)
                array[at] = old + step
                f1 = f(values)
                array[at] = old + 2 * step
                numeric[name][at] = (4 * f1 - 3 * f0 - f(values)) / (2 * step)
            else:
                array[at] = old + step
                up, high = f(values), array[at].item()
                array[at] = old - step
                numeric[name][at] = (up - f(values)) / (high - array[at].item())
            array[at] = old
    names = dict(model.layout.slices)
    errors = {}
    for name, (where, _) in names.items():
        if model.trainable is None or model.trainable[where].all():
            errors[name] = _relative(analytic["theta"][where], numeric["theta"][where])
    return errors | {name: _relative(analytic[name], numeric[name]) for name in values if name != "theta"}


@with_signature_hints
def direction(
    model: Network | Layer,
    x: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    step: float = 1e-6,
    seed: int = 0,
) -> float:
    """Relative error of the derivative along one random direction of all arrays together.

    Two calls of the model whatever its size, so it serves at realistic sizes.  Arguments as for `check`; a zero in
    ``dt`` is not moved.  Returns |analytic - numeric| / |numeric|.
    """
    step = checks.number("step", step, low_open=True)
    model, values, analytic, f = _function(model, x, dt, lengths, h0, seed)
    rng = np.random.default_rng([seed, 1])
    way = {name: rng.standard_normal(array.shape) for name, array in values.items()}
    if "dt" in way:
        way["dt"] = np.where(values["dt"] > 10 * step, way["dt"], 0.0)
    if model.trainable is not None:
        way["theta"] = way["theta"] * model.trainable
    slope = sum(float((way[name] * analytic[name]).sum()) for name in values)
    up = f({name: values[name] + step * way[name] for name in values})
    down = f({name: values[name] - step * way[name] for name in values})
    return _relative(np.array([slope]), np.array([(up - down) / (2 * step)]))


def _relative(analytic: Array, numeric: Array) -> float:
    scale = np.abs(numeric).max(initial=0.0)
    error = np.abs(analytic - numeric).max(initial=0.0)
    return 0.0 if error == 0 else float(error / scale) if scale > 0 else np.inf
