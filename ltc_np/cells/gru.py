"""Gated recurrent unit: the definition, matrix products by BLAS.

Two gates decide what of the state enters the candidate, and how much of the state stays::

    r = sigmoid(x w_x + h w_h + b)              (first block of N columns)
    z = sigmoid(x w_x + h w_h + b)              (second)
    n = tanh(x w_x + b + r (h w_h + b_hn))      (third)
    h+ = (1 - z) n + z h

Source: Cho et al., "Learning Phrase Representations using RNN Encoder-Decoder", arXiv 1406.1078, in PyTorch's form,
where r acts on the product with the state.  docs/maths/gru.md derives every line.
"""

import numpy as np

from .. import kernels
from ..base import blas, checks
from ..base.activations import sigmoid
from ..base.layout import Entry, Layout
from .base import Layer, cell_sizes
from .gates import (
    add_product,
    add_sum,
    arrays,
    by_sequence,
    count_parts,
    d_project,
    d_sweep,
    glorot,
    orthogonal,
    project,
    sweep,
    transposes,
)


class GRU(Layer):
    """A layer of gated recurrent units.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.

    Notes
    -----
    Parameters: ``w_x`` (I, 3N), ``w_h`` (N, 3N), both subject to weight decay, ``b`` (3N,), each in three blocks of
    columns: reset, update, candidate, PyTorch's order, and ``b_hn`` (N,).  Weights of ``torch.nn.GRU``::

        w_x = weight_ih_l0.T        b = bias_ih_l0 + concatenate([bias_hh_l0[: 2 * N], zeros(N)])
        w_h = weight_hh_l0.T        b_hn = bias_hh_l0[2 * N :]

    Initially w_x is uniform (Glorot), w_h orthogonal, b and b_hn are 0.  State: ``h`` (N,), which is the output.  It
    has no time.  Cost: 3*B*T*N*(I + N) multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import GRU, Dense, Model
    >>> model = Model(GRU(32, 3), Dense(32, 2), seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    smooth = causal = True

    def __init__(self, units, input_dim, *, init=None):
        N, I = cell_sizes(units, input_dim)
        self.units, self.input_dim = N, I
        self.input_size, self.output_size, self.state_size = I, N, N
        self.state_slices = {"h": slice(0, N)}
        shapes = {"w_x": (I, 3 * N), "w_h": (N, 3 * N), "b": (3 * N,), "b_hn": (N,)}
        self.init = checks.initial_values(init, shapes)
        initial = {"w_x": glorot(I, 3 * N), "w_h": orthogonal, "b": 0.0, "b_hn": 0.0} | self.init
        self.layout = Layout(
            tuple(Entry(name, shape, initial[name], decay=len(shape) > 1) for name, shape in shapes.items())
        )
        self._seal()

    def prepare(self, p, buffers, backend):
        fast = kernels.load(backend, "gru")
        steps = (fast.forward_step, fast.backward_step) if fast else (forward_step, backward_step)
        return p, transposes(p, "w_x", "w_h"), steps

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        p, _, (step, _) = prepared
        (B, T, I), N, w_h, b, b_hn = x.shape, self.output_size, p["w_h"], p["b"], p["b_hn"]
        shapes = (T, B, I), (T, B, 3 * N), (B, 3 * N), (T, B, N), (T + 1, B, N)
        inputs, gates, recurrent, u, h = workspace.kept("forward", (B, T), lambda: arrays(x.dtype, *shapes))
        inputs[:] = x.transpose(1, 0, 2)
        h[0] = h0

        def steps(t, first, last):
            np.dot(h[t, first:last], w_h, out=recurrent[first:last])
            step(t, first, last, gates, recurrent, b, b_hn, u, h)

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            project(inputs, p["w_x"], gates, parts)
            sweep(steps, lengths, T, parts, (h,))
        return by_sequence(h[1:], workspace), h[T].copy(), (inputs, gates, u, h, lengths) if keep else None

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        _, turned, (_, step) = prepared
        inputs, gates, u, h, lengths = saved
        (T, B, _), N, w_h = inputs.shape, self.output_size, turned["w_h"]
        shapes = inputs.shape, gates.shape, gates.shape, (T, B, N), (B, N)
        made = workspace.kept("backward", (B, T), lambda: arrays(h.dtype, *shapes))
        d_inputs, d_z, d_recurrent, d_hidden, d_product = made
        d_hidden[:] = d_y.transpose(1, 0, 2)
        d_state, d_product[:] = d_h.copy(), 0

        def steps(t, first, last):
            step(t, first, last, gates, u, h, d_hidden, d_product, d_state, d_z, d_recurrent)
            np.dot(d_recurrent[t, first:last], w_h, out=d_product[first:last])

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            d_sweep(steps, lengths, T, parts, (d_state, d_product), (d_z, d_recurrent))
            add_product(g["w_x"], inputs, d_z, parts)
            add_product(g["w_h"], h[:T], d_recurrent, parts)
            add_sum(g["b"], d_z, parts)
            add_sum(g["b_hn"], d_recurrent[:, :, 2 * N :], parts)
            d_x = d_project(d_z, turned["w_x"], d_inputs, parts) if want_x else None
        return d_x, d_state + d_product, None


# ------------------------------------------------------------------------------------------ NumPy backend


def forward_step(t, first, last, gates, recurrent, b, b_hn, u, h):
    """Step t of the sequences first..last-1, but for the products.

    Parameters
    ----------
    gates : (T, B, 3*N) array
        In: x w_x; out: r, z and n.
    recurrent : (B, 3*N) array
        h w_h.
    b : (3*N,) array
    b_hn : (N,) array
    u : (T, B, N) array
        What r acts on is written to row t, for the adjoint.
    h : (T + 1, B, N) array
        That after the step is written to row t + 1.
    """
    N, rows = h.shape[2], slice(first, last)
    z, product = gates[t, rows], recurrent[rows]
    z += b
    z[:, : 2 * N] = sigmoid(z[:, : 2 * N] + product[:, : 2 * N])
    u[t, rows] = product[:, 2 * N :] + b_hn
    z[:, 2 * N :] = np.tanh(z[:, 2 * N :] + z[:, :N] * u[t, rows])
    _, z, n = np.split(z, 3, axis=1)
    h[t + 1, rows] = n + z * (h[t, rows] - n)


def backward_step(t, first, last, gates, u, h, d_y, d_product, d_h, d_z, d_recurrent):
    """Adjoint of `forward_step`: writes row t of d_z and of d_recurrent, the adjoints of x w_x and of h w_h.

    ``d_y`` (T, B, N), row t of it, ``d_product`` and ``d_h`` (B, N) add up to the adjoint of h after the step; ``d_h``
    becomes the part of that of h before it that does not come through h w_h.
    """
    rows = slice(first, last)
    r, z, n = np.split(gates[t, rows], 3, axis=1)
    d_new = d_h[rows] + d_product[rows] + d_y[t, rows]
    d_n = d_new * (1 - z) * (1 - n * n)
    d_update = d_new * (h[t, rows] - n) * z * (1 - z)
    d_h[rows] = d_new * z
    d_reset = d_n * u[t, rows] * r * (1 - r)
    np.concatenate((d_reset, d_update, d_n), axis=1, out=d_z[t, rows])
    np.concatenate((d_reset, d_update, d_n * r), axis=1, out=d_recurrent[t, rows])
