"""Long short-term memory: the definition, matrix products by BLAS.

Four gates decide what enters the memory c, what it forgets and what it shows::

    z = x w_x + h w_h + b                       (four blocks of N columns: input, forget, candidate, output)
    i, f, g, o = sigmoid(z_i), sigmoid(z_f), tanh(z_g), sigmoid(z_o)
    c+ = f c + i g
    h+ = o tanh(c+)

Source: Hochreiter & Schmidhuber, "Long Short-Term Memory", Neural Computation 9, 1997; forget gate: Gers,
Schmidhuber & Cummins, Neural Computation 12, 2000.  docs/maths/lstm.md derives every line.
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


class LSTM(Layer):
    """A layer of long short-term memory.

    Parameters
    ----------
    units : int >= 1
    input_dim : int >= 1
    forget_bias : float
        Initial value of the forget gates' ``b``; 1 lets the memory last from the start (Jozefowicz et al., 2015).
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.

    Notes
    -----
    Parameters: ``w_x`` (I, 4N), ``w_h`` (N, 4N), both subject to weight decay, ``b`` (4N,), each in four blocks of
    columns: input, forget, candidate, output, PyTorch's order: ``w_x = weight_ih_l0.T``, ``w_h = weight_hh_l0.T``,
    ``b = bias_ih_l0 + bias_hh_l0``.  Initially w_x is uniform (Glorot), w_h orthogonal, b is 0 but for the forget
    gates.  State: ``h`` (N,), which is the output, and ``c`` (N,).  It has no time.  Cost: 4*B*T*N*(I + N)
    multiplications; three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LSTM, Dense, Model
    >>> model = Model(LSTM(32, 3), Dense(32, 2), seed=0)
    >>> model(np.zeros((5, 7, 3))).shape
    (5, 7, 2)
    """

    smooth = causal = True

    def __init__(self, units, input_dim, *, forget_bias=1.0, init=None):
        N, I = cell_sizes(units, input_dim)
        self.forget_bias = checks.number("forget_bias", forget_bias, low=-np.inf)
        self.units, self.input_dim = N, I
        self.input_size, self.output_size, self.state_size = I, N, 2 * N
        self.state_slices = {"h": slice(0, N), "c": slice(N, 2 * N)}
        shapes = {"w_x": (I, 4 * N), "w_h": (N, 4 * N), "b": (4 * N,)}
        self.init = checks.initial_values(init, shapes)
        b = np.repeat([0.0, self.forget_bias, 0.0, 0.0], N)
        initial = {"w_x": glorot(I, 4 * N), "w_h": orthogonal, "b": b} | self.init
        self.layout = Layout(
            tuple(Entry(name, shape, initial[name], decay=name != "b") for name, shape in shapes.items())
        )
        self._seal()

    def prepare(self, p, buffers, backend):
        return p, transposes(p, "w_x", "w_h"), pointwise(backend)

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        p, _, (step, _) = prepared
        (B, T, I), N, w_h, b = x.shape, self.output_size, p["w_h"], p["b"]
        shapes = (T, B, I), (T, B, 4 * N), (B, 4 * N), (T + 1, B, N), (T + 1, B, N)
        inputs, z, recurrent, h, c = workspace.kept("forward", (B, T), lambda: arrays(x.dtype, *shapes))
        inputs[:] = x.transpose(1, 0, 2)
        h[0], c[0] = h0[:, :N], h0[:, N:]

        def steps(t, first, last):
            np.dot(h[t, first:last], w_h, out=recurrent[first:last])
            step(t, first, last, z, recurrent, b, c, h)

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            project(inputs, p["w_x"], z, parts)
            sweep(steps, lengths, T, parts, (h, c))
        h_last = np.concatenate([h[T], c[T]], axis=1)
        return by_sequence(h[1:], workspace), h_last, (inputs, z, h, c, lengths) if keep else None

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        _, turned, (_, step) = prepared
        inputs, gates, h, c, lengths = saved
        (T, B, _), N, w_h = inputs.shape, self.output_size, turned["w_h"]
        shapes = inputs.shape, gates.shape, (T, B, N)
        d_inputs, d_z, d_hidden = workspace.kept("backward", (B, T), lambda: arrays(h.dtype, *shapes))
        d_hidden[:] = d_y.transpose(1, 0, 2)
        d_state, d_c = d_h[:, :N].copy(), d_h[:, N:].copy()

        def steps(t, first, last):
            step(t, first, last, gates, c, d_hidden, d_state, d_c, d_z)
            np.dot(d_z[t, first:last], w_h, out=d_state[first:last])

        parts = count_parts(B, w_h.size)
        with blas.one_thread():
            d_sweep(steps, lengths, T, parts, (d_state, d_c), (d_z,))
            add_product(g["w_x"], inputs, d_z, parts)
            add_product(g["w_h"], h[:T], d_z, parts)
            add_sum(g["b"], d_z, parts)
            d_x = d_project(d_z, turned["w_x"], d_inputs, parts) if want_x else None
        return d_x, np.concatenate([d_state, d_c], axis=1), None


def pointwise(backend):
    """`forward_step` and `backward_step` of a backend."""
    fast = kernels.load(backend, "lstm")
    return (fast.forward_step, fast.backward_step) if fast else (forward_step, backward_step)


# ------------------------------------------------------------------------------------------ NumPy backend


def forward_step(t, first, last, z, recurrent, b, c, h):
    """Step t of the sequences first..last-1, but for the products.

    Parameters
    ----------
    z : (T, B, 4*N) array
        In: x w_x; out: the gates.
    recurrent : (B, 4*N) array
        h w_h.
    b : (4*N,) array
    c, h : (T + 1, B, N) arrays
        Those after the step are written to row t + 1.
    """
    N, rows = c.shape[2], slice(first, last)
    z = z[t, rows]
    z += recurrent[rows]
    z += b
    z[:, : 2 * N], z[:, 3 * N :] = sigmoid(z[:, : 2 * N]), sigmoid(z[:, 3 * N :])
    z[:, 2 * N : 3 * N] = np.tanh(z[:, 2 * N : 3 * N])
    i, f, g, o = np.split(z, 4, axis=1)
    c[t + 1, rows] = f * c[t, rows] + i * g
    h[t + 1, rows] = o * np.tanh(c[t + 1, rows])


def backward_step(t, first, last, gates, c, d_y, d_h, d_c, d_z):
    """Adjoint of `forward_step`: writes row t of d_z.

    ``d_y`` (>= T, B, N), row t of it, and ``d_h`` (B, N) add up to the adjoint of h after the step; ``d_c`` (B, N) is
    that of c after the step and becomes that of c before it.
    """
    rows = slice(first, last)
    i, f, g, o = np.split(gates[t, rows], 4, axis=1)
    u = np.tanh(c[t + 1, rows])
    d_h = d_h[rows] + d_y[t, rows]
    d_o = d_h * u
    d_c_new = d_c[rows] + d_h * o * (1 - u * u)
    d_i, d_f, d_g = d_c_new * g, d_c_new * c[t, rows], d_c_new * i
    d_c[rows] = d_c_new * f
    d_gates = d_i * i * (1 - i), d_f * f * (1 - f), d_g * (1 - g * g), d_o * o * (1 - o)
    np.concatenate(d_gates, axis=1, out=d_z[t, rows])
