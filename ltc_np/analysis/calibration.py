"""Probabilities that mean what they say: the temperature of logits, found on data that the network has not seen."""

from __future__ import annotations

import math

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import ArrayLike
from ..layers import Standardize
from ..losses.probabilities import probabilities
from ..model import Model
from ..network.outputs import check_classes

BOUNDS = 0.01, 100.0  # of the temperature


@with_signature_hints
def temperature(logits: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None) -> float:
    """The temperature T for which the softmax of logits / T has the smallest cross-entropy.

    A network that is too sure has T > 1.  The order of the classes, and so every decision, stays.

    Parameters
    ----------
    logits : (n, O) array
        Of data that were not trained on; O = 1 is class 1 against class 0.
    target : (n,) integers
        The classes.
    weight : (n,) array, optional

    Returns
    -------
    float
        In [0.01, 100].

    Warns
    -----
    RuntimeWarning
        The best temperature lies beyond a bound: all decisions are right, or the logits say nothing of the classes.

    Notes
    -----
    As a function of s = 1 / T the cross-entropy is convex, with the derivative mean(E[z] - z_target) and the second
    derivative mean(Var[z]), E and Var by the probabilities softmax(s z).  Newton's steps are kept inside of a bracket,
    which every step makes smaller.  Cost: a softmax for each of about ten steps.

    References
    ----------
    Guo, Pleiss, Sun and Weinberger, "On calibration of modern neural networks", ICML 2017, arXiv:1706.04599,
    section 4.2.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np.analysis import temperature
    >>> logits = np.log([[9.0, 1.0]] * 4)                  # says 90 %, and 3 of 4 are right
    >>> T = temperature(logits, np.array([0, 0, 0, 1]))
    >>> round(1 / (1 + float(np.exp(-np.log(9.0) / T))), 6)
    0.75
    """
    z = checks.real("logits", logits, np.dtype(np.float64), "(n, O)")
    y = np.asarray(target)
    if z.ndim != 2 or y.shape != z.shape[:1] or y.dtype.kind not in "biu" or not z.size:
        raise ValueError(f"`target` must be the class (n,) of each of the logits (n, O), got {checks.describe(y)}")
    checks.finite("logits", z)
    z = np.concatenate([np.zeros_like(z), z], axis=1) if z.shape[1] == 1 else z
    if y.min() < 0 or y.max() >= z.shape[1]:
        raise ValueError(f"`target` must be classes in 0..{z.shape[1] - 1}, got {y.min()} to {y.max()}")
    w = np.ones(len(y)) if weight is None else checks.real("weight", weight, np.dtype(np.float64), "(n,)")
    if w.shape != y.shape or not (w >= 0).all() or not w.any():
        raise ValueError(f"`weight` must be {y.shape} numbers >= 0, not all of them 0, got {checks.describe(w)}")
    z = z - z[np.arange(len(y)), y.astype(int)][:, None]  # the target's logit is 0

    def derivatives(s: float) -> tuple[float, float]:
        p = probabilities(s * z)
        mean = (p * z).sum(axis=1)
        return float(w @ mean), float(w @ (p * (z - mean[:, None]) ** 2).sum(axis=1))

    low, high = 1 / BOUNDS[1], 1 / BOUNDS[0]
    for bound, beyond in ((low, derivatives(low)[0] >= 0), (high, derivatives(high)[0] <= 0)):
        if beyond:
            why = "the logits say nothing of the classes" if bound == low else "every decision is right"
            checks.warn(f"ltc_np: the best temperature is beyond {1 / bound:g}, which is taken: {why}; give other data")
            return 1 / bound
    s = 1.0
    for _ in range(200):
        slope, curve = derivatives(s)
        low, high = (low, s) if slope > 0 else (s, high)
        step = s - slope / curve if curve > 0 else math.inf
        new = step if low < step < high else math.sqrt(low * high)
        if abs(new - s) <= 1e-12 * s:
            break
        s = new
    return 1 / s


@with_signature_hints
def calibrated(model: Model, temperature: float) -> Model:
    """A copy of a model whose outputs are divided by a temperature; it can be saved, trained and exported.

    Parameters
    ----------
    model : Model
        Its outputs are logits; one that was trained with a loss of numbers is refused.
    temperature : float > 0

    Returns
    -------
    Model
        With ``Standardize(inverse=True)`` as its last layer, whose scale is 1 / temperature; if the model has such a
        layer there already, it is scaled.  A layer that would change nothing is left out.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.analysis import calibrated
    >>> model, x = LTCRNN(AutoNCP(8, 3), 2, seed=0), np.ones((4, 5, 2))
    >>> bool(np.allclose(calibrated(model, 2.0)(x), model(x) / 2, atol=1e-7))
    True
    """
    check_classes(model, "`calibrated`")
    factor = 1 / checks.number("temperature", temperature, low_open=True)
    there, O = np.array(model.buffer_vector), model.output_size
    layers, last = model.layers, model.layers[-1]
    if not (isinstance(last, Standardize) and last.inverse):
        layers = *layers, Standardize(inverse=True)
        there = np.concatenate([there, *(np.full(O, v, there.dtype) for v in (0.0, 1.0))])
    there[-2 * O :] *= there.dtype.type(factor)
    if len(layers) > 1 and not there[-2 * O : -O].any() and (there[-O:] == 1).all():
        layers, there = layers[:-1], there[: -2 * O]
    found = Model(*layers, seed=0, dtype=model.dtype, backend=model.backend, return_sequences=model.return_sequences)
    found.theta[:], found.buffer_vector[:] = model.theta, there
    found.trained, found.notes = model.trained, model.notes
    if model.trainable is not None:
        found.trainable = model.trainable.copy()
    return found
