"""Feature-wise mappings of a cell's inputs and outputs: x itself, x * w, or x * w + b."""

import numpy as np

from ..base import checks

MAPPINGS = (None, "linear", "affine")


def check_mapping(name, mapping, *more):
    """``mapping`` if it is one of `MAPPINGS`, or of the words ``more``."""
    return checks.one_of(name, mapping, (*MAPPINGS, *more))


def mapping_shapes(mapping, side, size):
    """Shapes of a mapping's parameters by name; w starts at 1, b at 0."""
    names = {None: (), "linear": ("w",), "affine": ("w", "b")}[mapping]
    return {f"{side}_{name}": (size,) for name in names}


def map_features(mapping, side, x, p, fast, workspace):
    """x itself, x * w or x * w + b."""
    if mapping is None:
        return x
    w = p[f"{side}_w"]
    b = p[f"{side}_b"] if mapping == "affine" else w[:0]
    y = workspace.array(f"mapped_{side}", x.size, x.dtype)
    if fast:
        fast.map_features(x.reshape(-1, w.size), w, b, y.reshape(-1, w.size))
        return y.reshape(x.shape)
    y = np.multiply(x, w, out=y.reshape(x.shape))
    return np.add(y, b, out=y) if b.size else y


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
