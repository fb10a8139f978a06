"""Convolutions over time: weighted sums of the inputs in a window that moves along a sequence, and their adjoints.

`ltc_np.kernels.windows` has what a window is.  ``seen`` is (B, P, I), and n windows lie in P steps.
"""

import numpy as np


class Taps:
    """A window, and what it reads times weight (K, I, O), plus bias (O,)."""

    def __init__(self, window, weight, bias):
        self.window, self.weight, self.bias = window, weight, bias


def correlate(taps, seen):
    """z (B, n, O) of ``seen`` (B, P, I): z[b, t] = bias + sum over k of seen[b, stride t + dilation k] weight[k]."""
    read = taps.window.taps(seen, taps.window.count(seen.shape[1]))
    return sum((x @ w for x, w in zip(read, taps.weight, strict=True)), taps.bias)


def d_correlate(taps, seen, d_z, n):
    """Adjoint of `correlate`: d_seen, of the first n windows alone, as many steps as they span; d_weight float64."""
    window, (K, I, O) = taps.window, taps.weight.shape
    flat, d_weight = d_z.reshape(-1, O), np.empty((K, I, O))
    d_seen = np.zeros((len(seen), window.spanned(n), I), seen.dtype)
    each = zip(window.taps(seen, d_z.shape[1]), window.taps(d_seen, n), taps.weight, strict=True)
    for k, (x, d_x, w) in enumerate(each):
        d_weight[k] = x.reshape(-1, I).T @ flat
        d_x += d_z[:, :n] @ w.T
    return d_seen, d_weight


def depthwise(window, weight, seen):
    """u (B, n, I), feature by feature: u[b, t] = sum over k of seen[b, stride t + dilation k] weight[k], (K, I)."""
    read = window.taps(seen, window.count(seen.shape[1]))
    return sum(x * w for x, w in zip(read, weight, strict=True))


def d_depthwise(window, weight, seen, d_u):
    """Adjoint of `depthwise`: d_seen, as many steps as the windows span, and d_weight (K, I) float64."""
    n, d_weight = d_u.shape[1], np.empty(weight.shape)
    d_seen = np.zeros((len(seen), window.spanned(n), seen.shape[2]), seen.dtype)
    for k, (x, d_x, w) in enumerate(zip(window.taps(seen, n), window.taps(d_seen, n), weight, strict=True)):
        d_weight[k] = np.einsum("btc,btc->c", x, d_u, dtype=np.float64)
        d_x += d_u * w
    return d_seen, d_weight
