"""State spaces once more, as loops over Python's complex numbers: nothing here is taken from the package."""

import cmath

import numpy as np


def discretized(a, b, delta, kind):
    """(Abar, Bbar) of one mode."""
    if kind == "bilinear":
        return (1 + delta * a / 2) / (1 - delta * a / 2), delta * b / (1 - delta * a / 2)
    factor = cmath.exp(delta * a)
    return factor, (factor - 1) / a * b


def products(inputs, degree):
    """Products of the last p inputs, p = 2..degree; inputs before the first are 0."""
    last = [inputs[-1 - k] if k < len(inputs) else 0.0 for k in range(degree)]
    return [np.prod(last[:p]) for p in range(2, degree + 1)]


def run(p, x, dt, kind="zoh", liquid=None, degree=2):
    """Outputs (T, H) of one sequence x (T, H), dt (T,), from 0; p: effective values by name."""
    (T, H), M = x.shape, len(p["decay"])
    y = np.zeros((T, H))
    for h in range(H):
        step, state = np.exp(p["log_step"][h]), [0j] * M
        for t in range(T):
            u, delta, total = x[t, h], step * dt[t], 0j
            for m in range(M):
                a, b = complex(-p["decay"][m, h], p["frequency"][m, h]), complex(p["b_re"][m, h], p["b_im"][m, h])
                c, seen = complex(p["c_re"][m, h], p["c_im"][m, h]), 0j
                if liquid == "exact":
                    w = a + b * u
                    factor = cmath.exp(delta * w)
                    state[m] = factor * state[m] + (factor - 1) / w * b * u
                else:
                    A, B = discretized(a, b, delta, kind)
                    state[m] = (A + (B * u if liquid == "discrete" else 0)) * state[m] + B * u
                    if liquid in ("kb", "pb"):
                        added = sum(B**q * v for q, v in enumerate(products(x[: t + 1, h], degree), start=2))
                        if liquid == "kb":
                            state[m] += added
                        else:
                            seen = added
                total += c * (state[m] + seen)
            y[t, h] = 2 * total.real + p["d"][h] * u
    return y
