"""Lists of synapses: checked, sorted by (post, pre), read-only."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from ..base import checks
from ..base.types import Array, ArrayLike, Ints, Numbers

SAVED = ("pre", "post", "value", "erev")  # the columns of a list of synapses in files


class Edges(NamedTuple):
    """One checked list of synapses, sorted by (post, pre); all arrays (S,) and read-only."""

    pre: Ints
    post: Ints
    polarity: Array
    gain: Array | None
    erev: Array

    @property
    def value(self) -> Array:
        """Polarity times gain, (S,)."""
        return self.polarity if self.gain is None else self.polarity * self.gain


def array_of(name: str, values: Any, kinds: str, size: int | None = None) -> Numbers:
    """`values` as a new (S,) array of a dtype kind in `kinds`; an empty list has no kind and passes."""
    array = np.array(values)
    if array.ndim != 1 or (size is not None and array.size != size):
        raise ValueError(f"`{name}` must have shape ({'S' if size is None else size},), got {array.shape}")
    if array.size and array.dtype.kind not in kinds:
        rule = "integers" if kinds == "iu" else "real numbers"
        raise TypeError(f"`{name}` must hold {rule}, got dtype {array.dtype}")
    return array


def checked_edges(kind: str, pre_count: int, units: int, pre: Any, post: Any, value: Any, erev: Any = None) -> Edges:
    """Check and sort one list of synapses; the only way to make one.

    kind: "" or "sensory_", for messages; pre, post: (S,) ids; value: (S,) polarity times gain; erev: (S,) or
    None, which means the polarity.
    """
    pre = array_of(f"{kind}pre", pre, "iu")
    post = array_of(f"{kind}post", post, "iu", pre.size)
    value = array_of(f"{kind}polarity", value, "iuf", pre.size).astype(np.float64)
    erev = np.sign(value) if erev is None else array_of(f"{kind}erev", erev, "iuf", pre.size).astype(np.float64)
    for name, ids, count in ((f"{kind}pre", pre, pre_count), (f"{kind}post", post, units)):
        wrong = ids[(ids < 0) | (ids >= count)]
        if wrong.size:
            raise ValueError(f"`{name}` must hold ids in 0..{count - 1}, got {wrong[0]}")
    wrong = np.flatnonzero(~np.isfinite(value) | (value == 0))
    if wrong.size:
        pair = int(pre[wrong[0]]), int(post[wrong[0]])
        raise ValueError(f"`{kind}polarity` must be finite and not 0, got {value[wrong[0]]} for {pair}")
    if not np.isfinite(erev).all():
        raise ValueError(f"`{kind}erev` must be finite, got {erev[~np.isfinite(erev)][0]}")
    pre, post = pre.astype(np.int64), post.astype(np.int64)
    order = np.lexsort((pre, post))
    pre, post, value, erev = pre[order], post[order], value[order], erev[order]
    twice = np.flatnonzero((pre[1:] == pre[:-1]) & (post[1:] == post[:-1]))
    if twice.size:
        pair = int(pre[twice[0]]), int(post[twice[0]])
        raise ValueError(f"each {kind}synapse (pre, post) may be given once, got {pair} twice")
    gain = np.abs(value)
    synapses = Edges(pre, post, np.sign(value), None if (gain == 1).all() else gain, erev)
    for array in synapses:
        if array is not None:
            array.setflags(write=False)
    return synapses


def edge_lists(name: str, edges: Iterable[tuple[int, int, float]], pre_count: int, units: int) -> list[list[Any]]:
    """(pre, post, polarity) lists of an iterable of triples."""
    try:
        triples = [tuple(edge) for edge in edges]
    except TypeError:
        raise TypeError(f"`{name}` must be an iterable of (pre, post, polarity), got {edges!r}") from None
    for i, edge in enumerate(triples):
        if len(edge) != 3:
            raise ValueError(f"`{name}[{i}]` must be (pre, post, polarity), got {edge!r}")
        pre = checks.integer(f"pre of {name}[{i}]", edge[0], 0, pre_count - 1)
        post = checks.integer(f"post of {name}[{i}]", edge[1], 0, units - 1)
        triples[i] = pre, post, checks.number(f"polarity of {name}[{i}]", edge[2], -np.inf)
    return [list(column) for column in zip(*triples, strict=True)] or [[], [], []]


def matrix_lists(name: str, matrix: ArrayLike, shape: tuple[int | None, int]) -> tuple[Ints, Ints, Numbers]:
    """(pre, post, value) of the non-zero entries of a signed matrix; NaN is not zero and is refused later."""
    matrix = np.asarray(matrix)
    if matrix.ndim != 2 or matrix.shape[1] != shape[1] or shape[0] not in (None, matrix.shape[0]):
        rule = f"({'I' if shape[0] is None else shape[0]}, {shape[1]})"
        raise ValueError(f"`{name}` must have shape {rule} [pre, post], got {matrix.shape}")
    if matrix.dtype.kind not in "iuf":
        raise TypeError(f"`{name}` must hold real numbers, got dtype {matrix.dtype}")
    pre, post = np.nonzero(matrix)
    return pre, post, matrix[pre, post]


def all_pairs(pre_count: int, units: int) -> tuple[Ints, Ints]:
    """All (pre, post), pre slowest: the order of ncps' loops."""
    return np.repeat(np.arange(pre_count), units), np.tile(np.arange(units), pre_count)


class Outgoing(NamedTuple):
    """Synapses sorted by (pre, post): start (n_pre + 1,) first one of each pre, post (S,), order (S,) their numbers."""

    start: Ints
    post: Ints
    order: Ints


class Synapses:
    """Index lists of one kind of synapse, sorted by (post, pre), and sums over them.

    Attributes
    ----------
    pre, post : (S,) int64
    start : (n_post + 1,) int64
        First synapse of each post.
    outgoing : Outgoing
        The same synapses in the other order.
    dense : bool
        Whether every pair has a synapse.
    """

    pre: Ints
    post: Ints
    start: Ints
    outgoing: Outgoing
    n_pre: int
    n_post: int
    dense: bool

    def __init__(self, pre: Any, post: Any, n_pre: int, n_post: int) -> None:
        # Copies: a wiring's arrays are read-only, for which Numba would compile its kernels again.
        self.pre, self.post = np.array(pre, np.int64), np.array(post, np.int64)
        self.start = np.searchsorted(self.post, np.arange(n_post + 1)).astype(np.int64)
        self.n_pre, self.n_post = n_pre, n_post
        self.dense = self.pre.size == n_pre * n_post
        order = np.argsort(self.pre, kind="stable")
        by_pre = self.pre[order]
        first = np.searchsorted(by_pre, np.arange(n_pre + 1)).astype(np.int64)
        self.outgoing = Outgoing(first, self.post[order], order)
        # Both sums are taken once a stage of a solver, so where their segments lie is worked out here.
        self._to_post = _segments(self.post)
        self._to_pre = _segments(by_pre)

    def __reduce__(self) -> tuple[Any, ...]:
        # Made anew where this is unpickled, since its arrays could lie in a file there that is mapped read-only.
        return type(self), (self.pre, self.post, self.n_pre, self.n_post)

    @staticmethod
    def _sum(values: Array, segments: tuple[Ints, Ints], n: int) -> Array:
        begins, keys = segments
        if 0 < n == keys.size:
            return np.add.reduceat(values, begins, axis=1)
        # reduceat returns an element, not 0, for an empty segment: reduce over the keys that occur.
        total = np.zeros((values.shape[0], n), values.dtype)
        if keys.size:
            total[:, keys] = np.add.reduceat(values, begins, axis=1)
        return total

    def sum_to_post(self, values: Array) -> Array:
        """(B, S) -> (B, n_post): each neuron's sum over its incoming synapses."""
        return self._sum(values, self._to_post, self.n_post)

    def sum_to_pre(self, values: Array) -> Array:
        """(B, S) -> (B, n_pre): each source's sum over its outgoing synapses."""
        return self._sum(values[:, self.outgoing.order], self._to_pre, self.n_pre)


def _segments(keys: Ints) -> tuple[Ints, Ints]:
    """Of sorted keys: where a new one begins, and which."""
    begins = np.flatnonzero(np.diff(keys, prepend=-1))
    return begins, keys[begins]
