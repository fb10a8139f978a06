"""Dense: one matrix product at every step."""

from typing import NamedTuple

import numpy as np

from ..base import activations, blas, checks
from ..base.layout import Entry, Layout
from ..cells import Layer


class Saved(NamedTuple):
    """What the adjoint needs: x (B, T, n_in), and before and after the activation z and y (B, T, n_out)."""

    x: np.ndarray
    z: np.ndarray
    y: np.ndarray


class Dense(Layer):
    """``activation(x @ weight + bias)``, at every step.

    Parameters
    ----------
    n_in, n_out : int >= 1
    activation : None, "relu", "tanh", "sigmoid", "silu", "gelu" or "lecun_tanh"

    Notes
    -----
    Parameters: ``weight`` (n_in, n_out), uniform in +-sqrt(6 / (n_in + n_out)) (Glorot & Bengio 2010) and subject
    to weight decay; ``bias`` (n_out,), 0.  It has no state and no time.  Cost: one matrix product.
    """

    dt0_identity = hull = causal = True  # of a state that is empty

    def __init__(self, n_in, n_out, activation=None):
        self.n_in = self.input_size = checks.integer("n_in", n_in)
        self.n_out = self.output_size = checks.integer("n_out", n_out)
        self.f, self.d_f = activations.get(activation)
        self.activation = activation
        self.smooth = activation != "relu"
        limit = (6 / (self.n_in + self.n_out)) ** 0.5
        self.layout = Layout(
            (Entry("weight", (self.n_in, self.n_out), (-limit, limit), decay=True), Entry("bias", (self.n_out,)))
        )
        self._seal()

    def forward(self, p, x, dt, lengths, h0, keep, workspace):
        z = blas.product(x.reshape(-1, self.input_size), p["weight"]).reshape(*x.shape[:2], self.output_size)
        z += p["bias"]
        y = self.f(z)
        return y, h0, Saved(x, z, y) if keep else None

    def backward(self, p, saved, d_y, d_h, g, want_x, want_dt, workspace):
        x = saved.x
        d_z = d_y if self.activation is None else d_y * self.d_f(saved.z, saved.y)
        flat = d_z.reshape(-1, self.output_size)
        with blas.one_thread():
            g["weight"] += np.dot(x.reshape(-1, self.input_size).T, flat)
        g["bias"] += flat.sum(0, np.float64)
        d_x = blas.product(flat, p["weight"].T).reshape(x.shape) if want_x else None
        return d_x, d_h, None
