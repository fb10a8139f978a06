"""How a CfC runs through time, for every backend: blocks of sequences and chunks of steps.

A batch is cut into blocks of sequences; one thread takes a block through all steps, and all blocks share the weights.
`CfC` is one such sweep, `WiredCfC` one for each of its cells.  docs/maths/cfc.md derives the adjoint.
"""

import math
from types import ModuleType
from typing import NamedTuple

import numpy as np

from ..base import blas, checks, threads
from ..base.activations import SLOPE_OF_OUTPUT
from ..base.workspace import Fresh
from ..kernels.codes import ACTIVATIONS, DECAY, DECAY_OF_STATE, GATE, GRADIENT_ROWS, NO_GATE, VECTOR_BYTES
from .cfc_variants import CONVENTIONS

# Sequences in a block; products of so many rows are at BLAS's best.
BLOCK = 32
# Steps times sequences whose weight gradients are one product.
CHUNK = 1024


class Product(NamedTuple):
    """A dense layer: of the backbone, or all heads side by side.

    Attributes
    ----------
    weight : (n, m) array
    bias : (m,) array
    transposed : (m, n) array
        The transpose, contiguous; that of the first layer has no columns for the input.
    """

    weight: np.ndarray
    bias: np.ndarray
    transposed: np.ndarray


class Prepared:
    """Effective parameters of one network as the sweeps read them, and the kernels.

    Parameters
    ----------
    mode, variant : str
        As of a `CfC`.
    activation : str
        Of the backbone.
    backbone, heads : lists of (weight, bias)
    w_tau, a : (N,) arrays, or None
        Of pure mode.
    kernels : module
        With `Packed`, `steps`, `turned` and `d_steps`.

    Attributes
    ----------
    products : list of Product
        One for each layer of the backbone, and the heads side by side.
    input_weight : (m, I) array
        The rows of the input in the first of them, transposed.
    packed : Packed
        The same as the kernels read them.
    widths : list of int
        The columns of the products.
    N, I : int
        Neurons and inputs.
    activation, form, squash : int
        Their numbers in `ltc_np.kernels.codes`; ``squash``: the activation of f1 and f2 (not in pure mode).
    slope_of_output : bool
        Whether the value of the activation says its derivative.
    sign : +1 or -1
        Of time_a * dt.
    tau, sign_tau, a : (N,) arrays
        |w_tau| and its derivative; empty where there is none.
    """

    def __init__(self, mode, variant, activation, backbone, heads, w_tau, a, kernels: ModuleType):
        checks.must_know(__name__, "mode", mode, ("default", "no_gate", "pure"))
        checks.must_know(__name__, "variant", variant, ("torch", "keras", "tf", "paper"))
        pure = mode == "pure"
        if pure:
            self.form = DECAY_OF_STATE if variant == "paper" else DECAY
        else:
            self.form = GATE if mode == "default" else NO_GATE
        convention = CONVENTIONS[variant]
        self.squash, self.sign = ACTIVATIONS.index(convention.squash), 1 if pure else convention.sign
        self.activation, self.kernels = ACTIVATIONS.index(activation), kernels
        self.slope_of_output = activation in SLOPE_OF_OUTPUT
        if not pure and not convention.time_b:  # it is 0
            heads = [*heads, tuple(np.zeros_like(array) for array in heads[-1])]
        weight = np.concatenate([w for w, _ in heads], axis=1)
        bias = np.concatenate([b for _, b in heads])
        pairs = [*backbone, (weight, bias)]
        self.N = weight.shape[1] // len(heads)
        self.I = pairs[0][0].shape[0] - self.N
        self.input_weight = np.ascontiguousarray(pairs[0][0][: self.I].T)
        self.products = [
            Product(w, b, np.ascontiguousarray(w[self.I if k == 0 else 0 :].T)) for k, (w, b) in enumerate(pairs)
        ]
        self.widths, self.packed = [b.size for _, b in pairs], kernels.Packed(self.products)
        none = np.zeros(0, weight.dtype)
        self.tau, self.a = (np.abs(w_tau), a) if pure else (none, none)
        # 1 at 0, so that a w_tau that starts there can leave it.
        self.sign_tau = np.where(w_tau < 0, -1, 1) if pure else none

    def multiplications(self, rows):
        """Those of all products with so many rows."""
        return rows * sum(product.weight.size for product in self.products)


class Gradients(NamedTuple):
    """Gradients of each of the products of a network; in float64.

    Attributes
    ----------
    weights : list of arrays
    biases : list of arrays
        In pure mode the last one goes on with the gradients of |w_tau| and of a.
    """

    weights: list
    biases: list


class Saved(NamedTuple):
    """What the adjoint needs.

    Attributes
    ----------
    x : (B, T, I) array
    time : (B, T) array
        dt times `Prepared.sign`.
    lengths : (B,) array
    masks : dict
        Layer of the backbone -> (T, B, H) factors of its output.
    z : list of (T + 1, b, I + N) arrays
        For each block the input and the state, side by side, before each step.
    features : list of _Features
        For each block; of all steps if ``keep`` is "full".
    keep : "full" or "low"
    """

    x: np.ndarray
    time: np.ndarray
    lengths: np.ndarray
    masks: dict
    z: list
    features: list
    keep: str


class _Block(NamedTuple):
    """The arguments of a call as far as they belong to the sequences of one block."""

    x: np.ndarray
    time: np.ndarray
    lengths: np.ndarray
    masks: dict


def _block(b, e, x, time, lengths, masks):
    """That of the sequences b..e-1."""
    return _Block(x[b:e], time[b:e], lengths[b:e], {k: mask[:, b:e] for k, mask in masks.items()})


def _cuts(B):
    """(first, end) of each block of sequences; the number of threads has no say."""
    count = min(-(-B // BLOCK), GRADIENT_ROWS)
    return [(B * k // count, B * (k + 1) // count) for k in range(count)]


def _share(run, count, multiplications, kernels):
    """Call ``run`` on all blocks, on several threads if there is enough to do and the kernels let them."""
    with blas.one_thread():
        parallel = kernels.RELEASES_GIL and multiplications > blas.PARALLEL_PRODUCTS
        threads.run(run, count, threads.share(count, parallel))


class _Features:
    """What some steps of a block compute, in arrays that are used again.

    Attributes
    ----------
    u, d_u : (layers, steps, b, H) arrays
        The outputs of the backbone's layers, and their derivatives; where an output says its own, d_u has no steps.
    q : (steps, b, m) array
        The heads, then what the adjoint needs of them.
    """

    def __init__(self, prepared, b, steps, masks, workspace, name, dtype):
        *inner, last = prepared.widths
        shape = (len(inner), steps, b, inner[0] if inner else 0)
        self.u = workspace.array(f"{name} u", math.prod(shape), dtype).reshape(shape)
        if not masks and prepared.slope_of_output:
            shape = (len(inner), 0, *shape[2:])
        self.d_u = workspace.array(f"{name} d_u", math.prod(shape), dtype).reshape(shape)
        self.q = workspace.array(f"{name} q", steps * b * last, dtype).reshape(steps, b, last)


def forward(prepared, x, dt, lengths, h0, masks, keep, workspace):
    """Run the sequences, block by block.

    Parameters
    ----------
    prepared : Prepared
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
    masks : dict
        Layer of the backbone -> (T, B, H) factors of its output.
    keep : None, "full" or "low"
        For `backward`: nothing, everything, or the states alone, from which it runs chunks of steps again.

    Returns
    -------
    y (B, T, N), h_last (B, N), saved
    """
    (B, T, I), N, dtype = x.shape, prepared.N, x.dtype
    cuts = _cuts(B)

    def make():
        y, h_last = (workspace.array(name, B * n, dtype) for name, n in (("y", T * N), ("h_last", N)))
        z = [
            workspace.array(f"z{b}", (T + 1 if keep else 2) * (e - b) * (I + N), dtype).reshape(-1, e - b, I + N)
            for b, e in cuts
        ]
        steps = T if keep == "full" else 1
        features = [_Features(prepared, e - b, steps, masks, workspace, f"f{b}", dtype) for b, e in cuts]
        return y.reshape(B, T, N), h_last.reshape(B, N), z, features

    y, h_last, z, features = workspace.kept("forward", (x.shape, keep, bool(masks)), make)
    time = dt if prepared.sign > 0 else -dt

    def run(first, last, worker):
        for k in range(first, last):
            (b, e), rows = cuts[k], z[k]
            steps = int(lengths[b:e].max())
            rows[0][:, :I] = x[b:e, 0]
            rows[0][:, I:] = h0[b:e]
            block = _block(b, e, x, time, lengths, masks)
            prepared.kernels.steps(prepared, rows, features[k], range(steps), block, y[b:e], keep is not None)
            h_last[b:e] = rows[steps % len(rows)][:, I:]

    _share(run, len(cuts), prepared.multiplications(B * T), prepared.kernels)
    return y, h_last, Saved(x, time, lengths, masks, z, features, keep) if keep else None


def observe(prepared, x, dt, state):
    """Of n steps side by side, x (n, I), dt (n,), state (n, N): the states after them, and what the heads gave.

    ``backbone_0`` (n, H) and so on are the outputs of the backbone's layers.
    """
    ones = np.ones(len(dt), np.int64)
    _, after, saved = forward(prepared, x[:, None], dt[:, None], ones, state, {}, "full", Fresh())

    def joined(pick):
        return np.concatenate([pick(features) for features in saved.features])

    seen = prepared.kernels.observe(prepared.form, joined(lambda features: features.q[0]), prepared.tau)
    for k in range(len(prepared.products) - 1):
        seen[f"backbone_{k}"] = joined(lambda features, k=k: features.u[k, 0])
    return after, seen


def backward(prepared, saved, d_y, d_h, want_x, want_dt, workspace):
    """Adjoint of `forward`.

    Returns
    -------
    d_x (B, T, I) or None, d_h0 (B, N), d_dt (B, T) or None, gradients : Gradients
    """
    x, time, lengths, masks, z, features, keep = saved
    (B, T, I), N, dtype = x.shape, prepared.N, x.dtype
    cuts = _cuts(B)

    def make():
        d_h0 = workspace.array("d_h0", B * N, dtype).reshape(B, N)
        d_x = workspace.array("d_x", B * T * I, dtype).reshape(x.shape) if want_x else None
        d_dt = workspace.array("d_dt", B * T, dtype).reshape(B, T) if want_dt else np.zeros((0, 0), dtype)
        adjoints = [_Adjoints(prepared, joined, e - b, T, masks, keep, workspace, f"s{b}", dtype) for b, e in cuts]
        return d_h0, d_x, d_dt, adjoints

    elapsed, products, input_weight = _common_time(prepared, time, lengths), prepared.products, prepared.input_weight
    joined = elapsed is not None
    if joined:
        *inner, heads = products
        products = [*inner, heads._replace(transposed=_joined(heads.transposed, elapsed))]
        input_weight = input_weight if inner else _joined(input_weight, elapsed)
    key = x.shape, keep, want_x, want_dt, joined, bool(masks)
    d_h0, d_x, d_dt, adjoints = workspace.kept("backward", key, make)
    turned = prepared.kernels.turned(products)

    def run(first, last, worker):
        for k in range(first, last):
            b, e = cuts[k]
            block = _block(b, e, x, time, lengths, masks)
            known = features[k] if keep == "full" else None
            d_arguments = d_y[b:e], d_h[b:e], d_x[b:e] if want_x else None, d_dt[b:e], d_h0[b:e]
            _d_block(prepared, turned, input_weight, adjoints[k], z[k], known, block, *d_arguments)

    _share(run, len(cuts), 2 * prepared.multiplications(B * T), prepared.kernels)
    if prepared.sign < 0:
        np.negative(d_dt, out=d_dt)
    weights = [sum(parts) for parts in zip(*(each.weights for each in adjoints), strict=True)]
    biases = [sum(parts) for parts in zip(*(each.biases for each in adjoints), strict=True)]
    weights = [part[:, : len(product.transposed)] for part, product in zip(weights, products, strict=True)]
    biases = [part[: d.shape[2]] for part, d in zip(biases, adjoints[0].products, strict=True)]
    if joined:
        for parts in (weights, biases):
            f, d_z = np.split(parts[-1], [2 * N], axis=-1)
            parts[-1] = np.concatenate([f, d_z * elapsed, d_z], axis=-1)
    return d_x, d_h0, d_dt if want_dt else None, Gradients(weights, biases)


def _common_time(prepared, time, lengths):
    """The time that all steps take if that joins two heads, time_a * time + time_b; or None.

    These have one adjoint then, so a fifth of the adjoint's multiplications are spared.
    """
    inside = time[np.arange(time.shape[1]) < lengths[:, None]]
    return inside[0] if prepared.form < DECAY and inside.size and (inside == inside[0]).all() else None


def _joined(rows, elapsed):
    """Rows for each head, with one head in place of the last two."""
    f, time_a, time_b = np.split(rows, [len(rows) // 2, len(rows) // 4 * 3])
    return np.concatenate([f, time_a * elapsed + time_b])


class _Adjoints:
    """What the adjoint of a block works in, and its gradients.

    Attributes
    ----------
    chunk : int
        Steps that are worked on at a time.
    features : _Features or None
        Where these steps are made again.
    inner : (layers, chunk, b, H) array
        The adjoints of the arguments of the backbone's layers.
    products : list of (chunk, b, width) arrays
        The adjoints of the results of each product, in pure mode the last ones followed by the terms of the gradients
        of |w_tau| and a.
    d_next, direct : (b, N) arrays
        The adjoint of a state as far as it comes through a product, and the rest.
    ones : (chunk * b,) array
        For sums as products.
    weights, biases : lists of float64 arrays
        As in `Gradients`, of this block, with as many columns as the kernels want.
    sums : list of two arrays
        The memory of all weights, and of all biases.
    """

    def __init__(self, prepared, joined, b, T, masks, keep, workspace, name, dtype):
        def array(key, *shape, dtype=dtype):
            size = math.prod(shape)  # behind it lies a vector that may be read
            return workspace.array(f"{name} {key}", size + VECTOR_BYTES // dtype.itemsize, dtype)[:size].reshape(shape)

        self.chunk = min(T, max(1, CHUNK // b))
        self.features = _Features(prepared, b, self.chunk, masks, workspace, name, dtype) if keep == "low" else None
        heads = 3 * prepared.N if joined else prepared.widths[-1]
        widths = [*prepared.widths[:-1], 3 * prepared.N if prepared.form >= DECAY else heads]
        self.inner = array("d", len(widths) - 1, self.chunk, b, widths[0] if len(widths) > 1 else 0)
        self.products = [*self.inner, array("d_q", self.chunk, b, widths[-1])]
        self.d_next, self.direct = array("d_next", b, prepared.N), array("direct", b, prepared.N)
        self.ones = np.ones(self.chunk * b, dtype)
        columns = prepared.packed.columns
        shapes = [product.weight.shape for product in prepared.products[:-1]]
        shapes.append((len(prepared.products[-1].weight), heads))
        self.sums = []

        def split(name, shapes):
            """An array of each shape, all in one."""
            sizes = [math.prod(shape) for shape in shapes]
            self.sums.append(array(name, sum(sizes), dtype=np.dtype(np.float64)))
            parts = np.split(self.sums[-1], np.cumsum(sizes)[:-1])
            return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]

        self.weights = split("weights", [(n, columns(m, dtype)) for n, m in shapes])
        self.biases = split("biases", [(columns(n, dtype),) for n in widths])


def _d_block(prepared, turned, input_weight, adjoints, z, features, block, d_y, d_h, d_x, d_dt, d_h0):
    """Adjoint of all steps of a block, chunk by chunk."""
    lengths, T, size = block.lengths, d_y.shape[1], adjoints.chunk
    steps = int(lengths.max())
    for array in (*adjoints.sums, adjoints.d_next, adjoints.direct):
        array.fill(0)
    for first in range((steps - 1) // size * size, -1, -size):
        chunk = range(first, min(first + size, steps))
        if features is None:
            prepared.kernels.steps(prepared, z, adjoints.features, chunk, block, d_y[:0], True)
        known = features or adjoints.features
        prepared.kernels.d_steps(prepared, turned, adjoints, z, known, chunk, block, d_y, d_h, d_dt)
        if d_x is not None:
            width = len(input_weight)
            flat = adjoints.products[0][: len(chunk), :, :width].reshape(-1, width)
            d_z = np.dot(flat, input_weight).reshape(len(chunk), -1, prepared.I)
            d_x[:, first : chunk.stop] = d_z.transpose(1, 0, 2)
    for array in (d_x, d_dt):
        if array is not None and array.size:
            array[:, steps:T] = 0
    adjoints.d_next += adjoints.direct
    d_h0[:] = np.where((lengths > 0)[:, None], adjoints.d_next, d_h)
