"""Feature-wise mappings, as in `ltc_np.kernels.numpy.mapping`, in one pass each way.

Of several features the adjoint adds up in NumPy's order, so that its sums have the bits of the definition.
"""

import numpy as np

from ..numpy.mapping import bind  # noqa: F401  (called by cells)
from .arguments import of_mapping
from .jit import helper, kernel
from .simd import add_wide, load


@helper
def mapped(x, w, b, k):
    """x * w + b of feature k; b may be empty, or both."""
    if w.size == 0:
        return x
    return x * w[k] + b[k] if b.size else x * w[k]


@helper
def d_mapped(x, d_y, w, d_w, d_b, k):
    """Adjoint of `mapped`: d_x; d_w and d_b are added to, unless they are empty."""
    if d_b.size:
        d_b[k] += d_y
    if w.size == 0:
        return d_y
    d_w[k] += d_y * x
    return d_y * w[k]


@helper
def mapped_lanes(x, w, b, k):
    """`mapped` of the features in the lanes of the vector x, from k on."""
    if w.size == 0:
        return x
    return x * load(w, k) + load(b, k) if b.size else x * load(w, k)


@helper
def d_mapped_lanes(x, d_y, w, d_w, d_b, k):
    """`d_mapped` of them."""
    if d_b.size:
        add_wide(d_b, k, d_y)
    if w.size == 0:
        return d_y
    add_wide(d_w, k, d_y * x)
    return d_y * load(w, k)


@kernel
def _map(x, w, b, y):
    """y = x * w + b, (B, T, features) by (features,); b may be empty."""
    for s in range(x.shape[0]):
        for t in range(x.shape[1]):
            for k in range(x.shape[2]):
                y[s, t, k] = mapped(x[s, t, k], w, b, k)


@kernel
def _d_map(x, d_y, w, d_w, d_b, d_x):
    """Adjoint of `_map`: d_x; float64 sums are added to d_w and d_b, which may be empty."""
    for s in range(x.shape[0]):
        for t in range(x.shape[1]):
            for k in range(x.shape[2]):
                d_x[s, t, k] = d_mapped(x[s, t, k], d_y[s, t, k], w, d_w, d_b, k)


def calls(x, y, d_y, d_x, w, b, d_w, d_b):
    """What is called for y, and for d_x where d_y is known: a kernel and its arguments, each."""
    return (_map, (x, w, b, y)), (_d_map, (x, d_y, w, d_w, d_b, d_x))


def map_features(mapping, side, x, p, workspace):
    """x (B, T, features) mapped; see `ltc_np.kernels.numpy.mapping.map_features`."""
    if mapping is None:
        return x
    y = workspace.array(f"mapped_{side}", x.size, x.dtype).reshape(x.shape)
    _map(x, *of_mapping(mapping, side, p), y)
    return y


def d_map_features(mapping, side, x, d_y, p, g, workspace):
    """Its adjoint; see `ltc_np.kernels.numpy.mapping.d_map_features`."""
    if mapping is None:
        return d_y
    d_x = workspace.array(f"d_mapped_{side}", x.size, x.dtype).reshape(x.shape)
    _d_map(x, np.ascontiguousarray(d_y), p[f"{side}_w"], *of_mapping(mapping, side, g), d_x)
    return d_x
