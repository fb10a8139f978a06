"""What cells of gates share: the sweep through time and products of all steps at once.

Such a cell adds a projection of its input to products with its state and passes the sum through sigmoids and tanhs.
What needs no state is one product for all steps; only the rest is computed one step after another, for a part of the
batch at a time.  Arrays lie by time: (T, B, ...).  docs/maths/lstm.md explains why.
"""

from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from ..base import threads

# A part of the batch has at least so many sequences, and so many multiplications in the product of one step: below,
# the Python around it costs more than a second thread brings.
PART_ROWS, PART_PRODUCTS = 32, 2**18


class Whole(NamedTuple):
    """What a cell needs of its parameters whose kernels take it through all steps: these, and what they read."""

    matrices: Any
    kernels: ModuleType


def transposes(p, *names):
    """Transposes of matrices by name, copied: on small ones BLAS is up to twice as fast in its own order."""
    return {name: np.ascontiguousarray(p[name].T) for name in names}


def count_parts(B, products):
    """Parts that B sequences are cut into, whatever the number of threads; ``products``: multiplications of each."""
    return max(1, min(B // PART_ROWS, B * products // PART_PRODUCTS))


def over_parts(run, size, parts):
    """Call ``run(first, last)`` on as many parts of 0..size-1, on several threads."""
    cuts = [size * k // parts for k in range(parts + 1)]

    def some(first, last, worker):
        for k in range(first, last):
            run(cuts[k], cuts[k + 1])

    threads.run(some, parts, threads.share(parts, parts > 1))


def project(inputs, w_x, z, parts):
    """z = inputs w_x for all steps: ``inputs`` (T, B, I), ``z`` (T, B, m)."""
    flat_inputs, flat = (a.reshape(-1, a.shape[2]) for a in (inputs, z))

    def run(first, last):
        np.dot(flat_inputs[first:last], w_x, out=flat[first:last])

    over_parts(run, len(flat), parts)


def d_project(d_z, w_x_turned, d_inputs, parts):
    """Adjoint of `project` with respect to the inputs: (B, T, I), a new array."""
    project(d_z, w_x_turned, d_inputs, parts)
    return np.ascontiguousarray(d_inputs.transpose(1, 0, 2))


def add_product(g, source, d_z, parts):
    """g += the sum of source^T d_z over steps and sequences: ``source`` (T, B, n), ``d_z`` (T, B, m), ``g`` (n, m)."""
    flat_source, flat = (a.reshape(-1, a.shape[2]) for a in (source, d_z))

    def run(first, last):  # some columns
        g[:, first:last] += np.dot(flat_source.T, flat[:, first:last])

    over_parts(run, flat.shape[1], parts)


def add_sum(g, d_z, parts):
    """g (m,) += the sum of ``d_z`` (T, B, m) over steps and sequences."""
    flat = d_z.reshape(-1, d_z.shape[2])

    def run(first, last):
        g[first:last] += flat[:, first:last].sum(0, np.float64)

    over_parts(run, flat.shape[1], parts)


def blocks(gates, *names):
    """{name: block of columns} of gates (n, ...)."""
    return dict(zip(names, np.split(gates, len(names), axis=1), strict=True))


def sweep(step, lengths, T, parts, states):
    """Call ``step(t, first, last)``, which takes the sequences first..last-1 through step t, for all t.

    ``states`` are the arrays (T + 1, B, ...) whose row t + 1 a step writes; sequences that have ended keep row t.
    """

    def run(first, last):
        part = lengths[first:last]
        shortest = part.min()
        for t in range(T):
            step(t, first, last)
            if t >= shortest:
                ended = first + np.flatnonzero(part <= t)
                for state in states:
                    state[t + 1, ended] = state[t, ended]

    over_parts(run, len(lengths), parts)


def d_sweep(step, lengths, T, parts, d_states, d_gates):
    """Adjoint of `sweep`: ``step`` turns the ``d_states`` (B, ...), those after step t, into those before it.

    Of sequences that have ended they pass unchanged, and row t of the ``d_gates`` (T, B, ...) is 0.
    """

    def run(first, last):
        part = lengths[first:last]
        shortest = part.min()
        for t in range(T - 1, -1, -1):
            if t >= shortest:
                ended = first + np.flatnonzero(part <= t)
                kept = [d[ended] for d in d_states]
            step(t, first, last)
            if t >= shortest:
                for d, values in zip(d_states, kept, strict=True):
                    d[ended] = values
                for d in d_gates:
                    d[t, ended] = 0

    over_parts(run, len(lengths), parts)


def by_sequence(h, workspace):
    """The model's (B, T, N) from (T, B, N); it may change it, but not h."""
    T, B, N = h.shape
    y = workspace.array("y", B * T * N, h.dtype).reshape(B, T, N)
    y[:] = h.transpose(1, 0, 2)
    return y
