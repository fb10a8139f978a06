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

from .. import blas, checks, kernels, threads
from ..activations import sigmoid
from ..layout import Entry, Layout
from .base import Layer, aligned

# A part of the batch has at least so many sequences, and so many multiplications in the product of one step: below,
# the Python around it costs more than a second thread brings.
PART_ROWS, PART_PRODUCTS = 32, 2**18


def orthogonal(rng, shape):
    """A (rows, columns) matrix, uniformly drawn, whose rows (columns, if there are more rows) are orthonormal."""
    rows, columns = shape
    q, r = np.linalg.qr(rng.standard_normal((max(shape), min(shape))))
    q *= np.sign(np.diag(r))  # without it the draw is not uniform
    return q.T if rows < columns else q


def glorot(rows, columns):
    """Uniform range of a (rows, columns) matrix by Glorot & Bengio, 2010."""
    limit = (6 / (rows + columns)) ** 0.5
    return -limit, limit


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
        N, I = checks.positive_int("units", units), checks.positive_int("input_dim", input_dim)
        self.forget_bias = checks.number("forget_bias", forget_bias, low=-np.inf)
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
        # The transposes are copied: on small matrices BLAS is up to twice as fast in its own order.
        turned = {name: np.ascontiguousarray(p[name].T) for name in ("w_x", "w_h")}
        return p, turned, pointwise(backend)

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace):
        p, _, (step, _) = prepared
        (B, T, I), N = x.shape, self.output_size
        inputs, z, h, c = workspace.kept("forward", (B, T), lambda: arrays(x.dtype, T, B, I, N))
        inputs[:] = x.transpose(1, 0, 2)
        flat_inputs, flat = inputs.reshape(T * B, I), z.reshape(T * B, 4 * N)
        h[0], c[0] = h0[:, :N], h0[:, N:]
        recurrent = workspace.array("recurrent", B * 4 * N, x.dtype).reshape(B, 4 * N)

        def project(first, last):
            np.dot(flat_inputs[first:last], p["w_x"], out=flat[first:last])

        def sweep(first, last):
            rows, shortest = slice(first, last), lengths[first:last].min()
            product, w_h, b = recurrent[rows], p["w_h"], p["b"]
            for t in range(T):
                np.dot(h[t, rows], w_h, out=product)
                step(t, first, last, z, recurrent, b, c, h)
                if t >= shortest:
                    ended = first + np.flatnonzero(lengths[rows] <= t)
                    h[t + 1, ended], c[t + 1, ended] = h[t, ended], c[t, ended]

        parts = count_parts(B, N)
        with blas.one_thread():
            over_parts(project, T * B, parts)
            over_parts(sweep, B, parts)
        y = workspace.array("y", B * T * N, x.dtype).reshape(B, T, N)  # the model may change it, but not h
        y[:] = h[1:].transpose(1, 0, 2)
        return y, np.concatenate([h[T], c[T]], axis=1), (inputs, z, h, c, lengths) if keep else None

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        _, turned, (_, step) = prepared
        inputs, gates, h, c, lengths = saved
        (T, B, I), N = inputs.shape, self.output_size
        d_inputs, d_z, d_hidden, _ = workspace.kept("backward", (B, T), lambda: arrays(h.dtype, T, B, I, N))
        d_hidden[:T] = d_y.transpose(1, 0, 2)
        d_state, d_c = d_h[:, :N].copy(), d_h[:, N:].copy()
        flat_inputs, flat_h, flat = inputs.reshape(T * B, I), h[:T].reshape(T * B, N), d_z.reshape(T * B, 4 * N)
        d_flat_inputs = d_inputs.reshape(T * B, I)

        def sweep(first, last):
            rows, shortest = slice(first, last), lengths[first:last].min()
            product, w_h = d_state[rows], turned["w_h"]
            for t in range(T - 1, -1, -1):
                if t >= shortest:
                    ended = first + np.flatnonzero(lengths[rows] <= t)
                    kept = d_state[ended], d_c[ended]
                step(t, first, last, gates, c, d_hidden, d_state, d_c, d_z)
                if t >= shortest:
                    d_z[t, ended] = 0
                np.dot(d_z[t, rows], w_h, out=product)
                if t >= shortest:
                    d_state[ended], d_c[ended] = kept

        def add_up(first, last):  # some columns
            d_gates = flat[:, first:last]
            g["w_x"][:, first:last] += np.dot(flat_inputs.T, d_gates)
            g["w_h"][:, first:last] += np.dot(flat_h.T, d_gates)
            g["b"][first:last] += d_gates.sum(0, np.float64)

        def d_project(first, last):
            np.dot(flat[first:last], turned["w_x"], out=d_flat_inputs[first:last])

        parts = count_parts(B, N)
        with blas.one_thread():
            over_parts(sweep, B, parts)
            over_parts(add_up, 4 * N, parts)
            if want_x:
                over_parts(d_project, T * B, parts)
        d_x = np.ascontiguousarray(d_inputs.transpose(1, 0, 2)) if want_x else None
        return d_x, np.concatenate([d_state, d_c], axis=1), None

    def config(self):
        return {
            "units": self.output_size,
            "input_dim": self.input_size,
            "forget_bias": self.forget_bias,
            "init": self.init,
        }

    def __repr__(self):
        forget = "" if self.forget_bias == 1 else f", forget_bias={self.forget_bias!r}"
        return f"LSTM({self.output_size}, {self.input_size}{forget})"


def arrays(dtype, T, B, I, N):
    """Uninitialised (T, B, I), (T, B, 4*N), and twice (T + 1, B, N): inputs, gates, outputs and memory by time."""
    shapes = (T, B, I), (T, B, 4 * N), (T + 1, B, N), (T + 1, B, N)
    return tuple(aligned(int(np.prod(shape)), dtype).reshape(shape) for shape in shapes)


def count_parts(B, N):
    """Parts that the work of B sequences is cut into, whatever the number of threads."""
    return max(1, min(B // PART_ROWS, B * 4 * N * N // PART_PRODUCTS))


def over_parts(run, size, parts):
    """Call ``run(first, last)`` on as many parts of 0..size-1, on several threads."""
    cuts = [size * k // parts for k in range(parts + 1)]

    def some(first, last, worker):
        for k in range(first, last):
            run(cuts[k], cuts[k + 1])

    threads.run(some, parts, threads.share(parts, parts > 1))


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
