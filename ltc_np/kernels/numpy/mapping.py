"""Feature-wise mappings of inputs and outputs, x itself, x * w or x * w + b: the definition in NumPy."""

from functools import partial

import numpy as np

from ...base import checks


def map_features(mapping, side, x, p, workspace):
    """x (B, T, features) mapped.

    Parameters
    ----------
    mapping : None, "linear" or "affine"
    side : "input" or "output"
        The parameters are ``p[side + "_w"]`` and, of an affine mapping, ``p[side + "_b"]``.
    p : dict
        Effective values by name.
    workspace : Workspace
    """
    if mapping is None:
        return x
    checks.must_know(__name__, "mapping", mapping, ("linear", "affine"))
    y = workspace.array(f"mapped_{side}", x.size, x.dtype).reshape(x.shape)
    np.multiply(x, p[f"{side}_w"], out=y)
    return np.add(y, p[f"{side}_b"], out=y) if mapping == "affine" else y


def d_map_features(mapping, side, x, d_y, p, g, workspace):
    """Adjoint of `map_features`: d_x; the gradients of w and b are added to ``g``."""
    if mapping is None:
        return d_y
    d_x = workspace.array(f"d_mapped_{side}", x.size, x.dtype).reshape(x.shape)
    if mapping == "affine":
        g[f"{side}_b"] += d_y.sum((0, 1), np.float64)
    np.multiply(d_y, x, out=d_x)
    g[f"{side}_w"] += d_x.sum((0, 1), np.float64)
    np.multiply(d_y, p[f"{side}_w"], out=d_x)
    return d_x


def bind(mapping, side, x, p, workspace):
    """`map_features` of an x that stays the same: the result, and a list of functions that compute it each time.

    Called like this NumPy takes less time than a kernel's arguments would.
    """
    if mapping is None:
        return x, []
    y, w = workspace.array(f"mapped_{side}", x.size, x.dtype), p[f"{side}_w"]
    to = (
        y if x.size == w.size else y.reshape(x.shape)
    )  # for one sequence without axes to broadcast along: half the time
    scale = partial(np.multiply, x.reshape(to.shape), w, to)
    calls = [scale, partial(np.add, to, p[f"{side}_b"], to)] if mapping == "affine" else [scale]
    return y.reshape(x.shape), calls
