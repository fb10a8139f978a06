"""Feature-wise mappings, as in `ltc_np.kernels.numpy.mapping`.

The adjoint is NumPy's: in the forward of few steps NumPy's overhead would show, and nowhere else.
"""

from ..numpy.mapping import bind, d_map_features  # noqa: F401  (called by cells)
from .jit import kernel


@kernel
def _map(x, w, b, y):
    """y = x * w + b, (B, T, features) by (features,); b may be empty."""
    for s in range(x.shape[0]):
        for t in range(x.shape[1]):
            for k in range(x.shape[2]):
                y[s, t, k] = x[s, t, k] * w[k] + b[k] if b.size else x[s, t, k] * w[k]


def map_features(mapping, side, x, p, workspace):
    """x (B, T, features) mapped; see `ltc_np.kernels.numpy.mapping.map_features`."""
    if mapping is None:
        return x
    w = p[f"{side}_w"]
    b = p[f"{side}_b"] if mapping == "affine" else w[:0]
    y = workspace.array(f"mapped_{side}", x.size, x.dtype).reshape(x.shape)
    _map(x, w, b, y)
    return y
