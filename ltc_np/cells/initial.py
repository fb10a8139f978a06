"""Initial values that several cells share."""

import numpy as np

from ..base import checks
from ..base.layout import Layout


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


def with_init(entries, init):
    """A layer's argument ``init`` checked, and the layout of the entries with its initial values."""
    init = checks.initial_values(init, {e.name: e.shape for e in entries})
    return init, Layout(tuple(e.but(init=init.get(e.name, e.init)) for e in entries))
