"""Convolutions over time: weighted sums of the inputs in a window that moves along a sequence, and their adjoints.

`ltc_np.kernels.windows` has what a window is, and ``seen``, P steps in which n windows lie.
"""

import numpy as np


class Taps:
    """A window, and what it reads times weight (K, I, O), plus bias (O,)."""

    def __init__(self, window, weight, bias):
        self.window, self.weight, self.bias = window, weight, bias


def correlate(taps, seen):
    """z (B, n, O): z[b, t] = bias + sum over k of seen[b, stride t + dilation k] weight[k]."""
    read = taps.window.taps(seen.joined(), taps.window.count(seen.steps))
    return sum((x @ w for x, w in zip(read, taps.weight, strict=True)), taps.bias)


def d_correlate(taps, seen, d_z, n):
    """Adjoint of `correlate`: of the inputs that the first n windows read, in two `Window.parts`; d_weight and d_bias,
    float64."""
    window, (K, I, O) = taps.window, taps.weight.shape
    flat, d_weight = d_z.reshape(-1, O), np.empty((K, I, O))
    d_seen = np.zeros((len(d_z), window.spanned(n), I), d_z.dtype)
    each = zip(window.taps(seen.joined(), d_z.shape[1]), window.taps(d_seen, n), taps.weight, strict=True)
    for k, (x, d_x, w) in enumerate(each):
        d_weight[k] = x.reshape(-1, I).T @ flat
        d_x += d_z[:, :n] @ w.T
    return window.parts(d_seen), d_weight, flat.sum(0, np.float64)


def depthwise(window, weight, seen):
    """u (B, n, I), feature by feature: u[b, t] = sum over k of seen[b, stride t + dilation k] weight[k], (K, I)."""
    read = window.taps(seen.joined(), window.count(seen.steps))
    return sum(x * w for x, w in zip(read, weight, strict=True))


def d_depthwise(window, weight, seen, d_u):
    """Adjoint of `depthwise`: of the inputs that windows read, in two `Window.parts`, and d_weight (K, I) float64."""
    (B, n, I), d_weight = d_u.shape, np.empty(weight.shape)
    d_seen = np.zeros((B, window.spanned(n), I), d_u.dtype)
    for k, (x, d_x, w) in enumerate(zip(window.taps(seen.joined(), n), window.taps(d_seen, n), weight, strict=True)):
        d_weight[k] = np.einsum("btc,btc->c", x, d_u, dtype=np.float64)
        d_x += d_u * w
    return window.parts(d_seen), d_weight
