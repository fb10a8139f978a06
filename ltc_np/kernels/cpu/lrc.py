"""The LRC on the CPU: packs a network for the kernels of both loop orders.

`forward` and `backward` have the meaning of their namesakes in `ltc_np.kernels.numpy.lrc`, the definition; they are
those of `tiles`.
"""

import numpy as np

from ..codes import LOG2E
from . import lrc_lanes, lrc_posts
from .lrc_lanes import synapse_sums
from .lrc_neuron import KEPT
from .tiles import backward, forward, padded_units

__all__ = ["Circuit", "backward", "forward"]

# Of a neuron, in the order in which kernels take them and their gradients.
NEURON = ("gleak", "vleak", "elastance_b", "elastance_v", "elastance_shift")
NEURON_SUMS = 8  # sums of a neuron in the lanes order, a whole number of fours


class _Synapses:
    """One kind of synapse: index lists, names, and effective values; weights (0,) where the elastance has none."""

    def __init__(self, lists, prefix, p, dtype):
        self.lists, self.names = lists, [prefix + name for name in ("w", "h", "mu", "sigma")]
        self.values = [p[name] for name in self.names]
        self.weight_name = prefix + "elastance_w"
        self.weights = p.get(self.weight_name, np.zeros(0, dtype))

    def constants(self):
        """(S, 5), as `lrc_lanes.Synapses` has them."""
        w, h, mu, sigma = self.values
        scaled = sigma * sigma.dtype.type(LOG2E)
        return np.stack([-scaled, scaled * mu, w, h, sigma], axis=1)

    def dense(self, M):
        """Constants (5, n_pre, M) and weights (n_pre, M), of a kind that has all synapses; 0 for padding."""
        N, constants = self.lists.n_post, self.constants()
        planes = np.zeros((5, self.lists.n_pre, M), constants.dtype)
        planes[:, :, :N] = constants.reshape(N, -1, 5).transpose(2, 1, 0)
        weights = np.zeros((self.lists.n_pre if self.weights.size else 0, M), constants.dtype)
        if self.weights.size:
            weights[:, :N] = self.weights.reshape(N, -1).T
        return planes, weights

    def add_gradients(self, sums, d_weights, g):
        """sums (S, 4), d_weights (S,): those of `lrc_lanes`."""
        d_w, d_h, d_y, d_y_source = sums.T
        _, _, mu, sigma = self.values
        for name, gradient in zip(self.names, (d_w, d_h, -sigma * d_y, d_y_source - mu * d_y), strict=True):
            g[name] += gradient
        if self.weights.size:
            g[self.weight_name] += d_weights


class Circuit:
    """Effective parameters of one LRC, packed on demand for either loop order.

    Parameters
    ----------
    recurrent, sensory : Synapses
        Sorted index lists.
    p : dict
        Effective values by name; what the elastance does not have is missing.
    elastance : int
        Its number in `ltc_np.kernels.codes`.
    """

    orders, totals = (lrc_lanes, lrc_posts), KEPT

    def __init__(self, recurrent, sensory, p, elastance):
        self.recurrent, self.sensory, self.dtype = recurrent, sensory, p["gleak"].dtype
        self.elastance = elastance
        none = np.zeros_like(p["gleak"])
        self._neuron = np.stack([p.get(name, none) for name in NEURON])
        self._kinds = [_Synapses(recurrent, "", p, self.dtype), _Synapses(sensory, "sensory_", p, self.dtype)]
        self._packed = {}

    def evaluations(self, shape, rule):
        """Synapses evaluated by a call with an x of this shape."""
        B, T, _ = shape
        return B * T * (rule.stages * rule.unfolds * self.recurrent.pre.size + self.sensory.pre.size)

    def row_size(self, posts):
        """Sums that the gradients come from, as the kernels of either order have them."""
        N, I = self.recurrent.n_post, self.sensory.n_pre
        if posts:
            return 5 * padded_units(N, self.dtype) * (N + I + 1)
        return sum(synapse_sums(kind.pre.size) for kind in (self.recurrent, self.sensory)) + NEURON_SUMS * N

    def packed(self, posts):
        """The kernels' form, for posts or for lanes order."""
        if posts not in self._packed:
            self._packed[posts] = self._pack_posts() if posts else self._pack_lanes()
        return self._packed[posts]

    def _pack_lanes(self):
        kinds = [(k.lists.start, k.lists.pre, k.constants(), k.weights) for k in self._kinds]
        return (self.elastance, np.ascontiguousarray(self._neuron.T), *kinds[0], *kinds[1])

    def _pack_posts(self):
        M = padded_units(self.recurrent.n_post, self.dtype)
        padded = np.zeros((len(NEURON), M), self.dtype)
        padded[:, : self.recurrent.n_post] = self._neuron
        return (self.elastance, padded, *self._kinds[0].dense(M), *self._kinds[1].dense(M))

    def unpack(self, rows, posts, g):
        """Gradient rows of the kernels -> gradients of the effective values, added to the arrays of ``g``."""
        N, M = self.recurrent.n_post, padded_units(self.recurrent.n_post, self.dtype)
        rest = rows.sum(axis=0)  # row by row, in order
        for kind in self._kinds:
            S = kind.lists.pre.size
            if posts:  # (5, pre, post) -> (post, pre, 5), as lanes order has it
                size = 5 * kind.lists.n_pre * M
                sums = rest[:size].reshape(5, -1, M)[:, :, :N].transpose(2, 1, 0).reshape(S, 5)
                kind.add_gradients(sums[:, :4], sums[:, 4], g)
            else:
                size = synapse_sums(S)
                kind.add_gradients(rest[: 4 * S].reshape(S, 4), rest[4 * S : 5 * S], g)
            rest = rest[size:]
        sums = rest.reshape(5, M)[:, :N] if posts else rest.reshape(N, NEURON_SUMS).T[:5]
        for name, gradient in zip(NEURON, sums, strict=True):
            if name in g:
                g[name] += gradient
