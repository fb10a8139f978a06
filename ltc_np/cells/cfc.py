"""Closed-form continuous-time networks: the definition, and the sweeps that both backends share.

A backbone of dense layers turns the input and the state, side by side, into features u; a few heads, linear in u, say
where to go and how fast.  With the elapsed time dt and the heads f1, f2, t_a, t_b the state becomes::

    default   h' = (1 - s) g1 + s g2        s = sigmoid(t_a dt + t_b),  g1 = tanh(f1),  g2 = tanh(f2)
    no_gate   h' = g1 + s g2
    pure      h' = a - a exp(-dt (|w_tau| + |f1|)) f1

in the convention of ncps for PyTorch; `CfC` lists the other two.  No step is the identity, not even at dt = 0.

Source: Hasani et al., "Closed-form continuous-time neural networks", Nature Machine Intelligence 4 (2022).
docs/maths/cfc.md derives every line.
"""

import math

import numpy as np

from .. import kernels
from ..base import activations, blas, checks, threads
from ..base.activations import sigmoid
from ..base.layout import Entry, Layout
from .base import Layer, cell_sizes, dropout_mask

MODES = ("default", "no_gate", "pure")
VARIANTS = ("torch", "keras", "paper")
BACKBONE_ACTIVATIONS = ("relu", "silu", "tanh", "gelu", "lecun_tanh")  # kernels know them by number

# What a step does with the heads; kernels know it by number.
GATE, NO_GATE, DECAY, DECAY_OF_STATE = range(4)

# Sequences in a block, which one thread takes through all steps; products of so many rows are at BLAS's best.
BLOCK = 32
GRADIENT_ROWS = 16
# Steps times sequences whose weight gradients are one product.
CHUNK = 1024


class CfC(Layer):
    """A layer of closed-form continuous-time neurons, fully connected.

    Parameters
    ----------
    units : int >= 1
        N: size of the state and of the output.
    input_dim : int >= 1
    mode : "default", "no_gate" or "pure"
        See the equations below.
    variant : "torch", "keras" or "paper"
        Three conventions have been published, and weights of one mean nothing in another.
    backbone_units : int >= 1
        H: width of the backbone.
    backbone_layers : int >= 0
        Its dense layers; 0: the heads read the input and the state themselves.
    backbone_activation : "lecun_tanh", "tanh", "relu", "silu" or "gelu"
    backbone_dropout : float in [0, 1)
        Share of the backbone's outputs that training drops, anew at every step: after each layer, in variant
        ``"torch"`` after each but the first.
    init : dict, optional
        Overrides initial values by parameter name: a (low, high) range, a number or an array.

    Notes
    -----
    With u the backbone's output, f1 = u @ ff1_w + ff1_b and so on, and g = tanh(f), or g = f in variant ``"keras"``:

    =========  =========================  =========================  =====================================
    mode       torch                      keras                      paper
    =========  =========================  =========================  =====================================
    default    (1 - s) g1 + s g2          (1 - s) g1 + s g2          (1 - s) g1 + s g2
    no_gate    g1 + s g2                  g1 + s g2                  g1 + s g2
    with s     sigmoid(t_a dt + t_b)      sigmoid(-t_a dt + t_b)     sigmoid(-t_a dt)
    pure       a - a e f1                 a - a e f1                 a + (h - a) e sigmoid(-f1)
    with e     exp(-dt (|w_tau| + |f1|))  exp(-dt (|w_tau| + |f1|))  exp(-dt (|w_tau| + sigmoid(f1)))
    =========  =========================  =========================  =====================================

    Parameters: ``backbone_w0`` (I + N, H), rows of the input before rows of the state, ``backbone_b0`` (H,),
    ``backbone_w1`` (H, H) and so on; ``ff1_w ff2_w time_a_w time_b_w`` (H, N) and ``*_b`` (N,); in pure mode ``ff1_w
    ff1_b``, ``w_tau`` and ``a`` (N,), which start at 0 and 1.  Matrices are uniform in +-sqrt(6 / (rows + columns))
    (Glorot & Bengio 2010) and subject to weight decay, biases uniform in +-1/sqrt(rows), as in PyTorch.
    State: h.  Cost: B*T*((I + N)*H + 4*H*N) multiplications for one backbone layer, three times that with gradients.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import CfC, Dense, Model
    >>> model = Model(CfC(32, 3), Dense(32, 2), seed=0)  # or CfCRNN(32, 3, proj_size=2, seed=0)
    >>> model(np.zeros((5, 7, 3)), dt=0.5).shape
    (5, 7, 2)
    """

    takes_dt = causal = True

    def __init__(
        self,
        units,
        input_dim,
        *,
        mode="default",
        variant="torch",
        backbone_units=128,
        backbone_layers=1,
        backbone_activation="lecun_tanh",
        backbone_dropout=0.0,
        init=None,
    ):
        self.units, self.input_dim = cell_sizes(units, input_dim)
        check_convention(mode, variant)
        self.backbone_units = checks.integer("backbone_units", backbone_units)
        self.backbone_layers = checks.integer("backbone_layers", backbone_layers, 0)
        checks.one_of("backbone_activation", backbone_activation, BACKBONE_ACTIVATIONS)
        self.backbone_dropout = checks.number("backbone_dropout", backbone_dropout, high=1, high_open=True)
        first = 1 if variant == "torch" else 0
        self.dropped = range(first, self.backbone_layers) if self.backbone_dropout else range(0)
        if self.backbone_dropout and not self.dropped:
            raise ValueError(
                f"`backbone_dropout` acts after backbone layers ({'from the second on ' if first else ''}in variant "
                f"{variant!r}) and there is none: it must be 0 with `backbone_layers` = {backbone_layers}, "
                f"got {backbone_dropout!r}"
            )
        self.drops = bool(self.dropped)
        self.mode, self.variant, self.backbone_activation = mode, variant, backbone_activation
        self.smooth = mode != "pure" and (backbone_activation != "relu" or backbone_layers == 0)
        self.input_size, self.output_size, self.state_size = self.input_dim, self.units, self.units
        self.state_slices = {"h": slice(0, self.units)}
        sizes = [self.input_size + self.units] + [self.backbone_units] * self.backbone_layers
        entries = []
        for k in range(self.backbone_layers):
            entries += dense_entries(f"backbone_{{}}{k}", sizes[k], sizes[k + 1])
        for head in heads(mode, variant):
            entries += dense_entries(f"{head}_{{}}", sizes[-1], self.units)
        self.init, self.layout = with_init(entries + decay_entries(mode, self.units), init)
        self._seal()

    def prepare(self, p, buffers, backend):
        backbone = [(p[f"backbone_w{k}"], p[f"backbone_b{k}"]) for k in range(self.backbone_layers)]
        weights = [(p[f"{head}_w"], p[f"{head}_b"]) for head in heads(self.mode, self.variant)]
        return Network(self, self.backbone_activation, backbone, weights, p.get("w_tau"), p.get("a")), backend

    def forward(self, prepared, x, dt, lengths, h0, keep, workspace, rng=None):
        network, backend = prepared
        masks = dropout_masks(rng, self.backbone_dropout, self.dropped, x.shape, self.backbone_units, x.dtype)
        return forward(network, kernels.load(backend, "cfc"), x, dt, lengths, h0, masks, keep, workspace)

    def backward(self, prepared, saved, d_y, d_h, g, want_x, want_dt, workspace):
        network, backend = prepared
        *d_inputs, products, sums = backward(
            network, kernels.load(backend, "cfc"), saved, d_y, d_h, want_x, want_dt, workspace
        )
        for k in range(self.backbone_layers):
            g[f"backbone_w{k}"] += products[k]
            g[f"backbone_b{k}"] += sums[k]
        add_head_gradients(self, network, products[-1], sums[-1], g)
        return d_inputs


# --------------------------------------------------------------------- parts of the layer that WiredCfC shares


def check_convention(mode, variant):
    """Refuse unknown words."""
    for name, value, allowed in (("mode", mode, MODES), ("variant", variant, VARIANTS)):
        checks.one_of(name, value, allowed)


def heads(mode, variant):
    """Names of the heads."""
    if mode == "pure":
        return ("ff1",)
    return ("ff1", "ff2", "time_a") if variant == "paper" else ("ff1", "ff2", "time_a", "time_b")


def dense_entries(name, rows, columns, shape=None):
    """A matrix and a bias, by ``name.format("w")`` and ``"b"``; ``shape``: of what is trained of the matrix."""
    w, b = (6 / (rows + columns)) ** 0.5, rows**-0.5
    return [
        Entry(name.format("w"), (rows, columns) if shape is None else shape, (-w, w), decay=True),
        Entry(name.format("b"), (columns,), (-b, b)),
    ]


def decay_entries(mode, units, prefix=""):
    """The parameters of pure mode that are no head's."""
    return [Entry(f"{prefix}w_tau", (units,)), Entry(f"{prefix}a", (units,), 1.0)] if mode == "pure" else []


def with_init(entries, init):
    """``init`` checked, and the layout of the entries with its initial values."""
    init = checks.initial_values(init, {e.name: e.shape for e in entries})
    return init, Layout(tuple(Entry(**{**vars(e), "init": init.get(e.name, e.init)}) for e in entries))


def dropout_masks(rng, rate, dropped, shape, units, dtype):
    """For each layer that drops, its `dropout_mask` (T, B, H)."""
    if rng is None:
        return {}
    B, T, _ = shape
    return {k: dropout_mask(rng, rate, (T, B, units), dtype) for k in dropped}


def add_head_gradients(layer, network, product, total, g, prefix="", index=None):
    """Split the gradients of all heads, side by side, among ``g``; ``index``: head -> weights there are, None: all."""
    N = network.N
    for k, head in enumerate(heads(layer.mode, layer.variant)):
        own, chosen = product[:, k * N : (k + 1) * N], None if index is None else index[head]
        g[f"{prefix}{head}_w"] += own if chosen is None else own[chosen]
        g[f"{prefix}{head}_b"] += total[k * N : (k + 1) * N]
    if layer.mode == "pure":
        g[f"{prefix}w_tau"] += total[N : 2 * N] * network.sign_tau
        g[f"{prefix}a"] += total[2 * N :]


# ------------------------------------------------------------------------------------------------ the sweeps


class Network:
    """Effective parameters as the sweeps read them.

    Attributes
    ----------
    products : list of (weight (n, m), bias (m,), weight.T)
        One for each layer of the backbone, and the heads side by side; the transposes contiguous, that of the first
        without the rows of the input.
    input_weight : (m, I)
        Those rows, transposed.
    form : int
        GATE, NO_GATE, DECAY or DECAY_OF_STATE.
    squash : bool
        Whether f1 and f2 go through tanh.
    sign : +1 or -1
        Of time_a * dt.
    tau, sign_tau, a : (N,) arrays
        |w_tau| and its derivative; empty where there is none.
    """

    def __init__(self, layer, activation, backbone, weights, w_tau, a):
        pure, variant = layer.mode == "pure", layer.variant
        self.form = (DECAY_OF_STATE if variant == "paper" else DECAY) if pure else MODES.index(layer.mode)
        self.squash, self.sign = variant != "keras", 1 if variant == "torch" or pure else -1
        self.activation = BACKBONE_ACTIVATIONS.index(activation)
        if not pure and variant == "paper":  # time_b is 0
            weights = [*weights, tuple(np.zeros_like(array) for array in weights[-1])]
        weight = np.concatenate([w for w, _ in weights], axis=1)
        bias = np.concatenate([b for _, b in weights])
        pairs = [*backbone, (weight, bias)]
        self.N = weight.shape[1] // len(weights)
        self.I = pairs[0][0].shape[0] - self.N
        self.input_weight = np.ascontiguousarray(pairs[0][0][: self.I].T)
        self.products = [(w, b, np.ascontiguousarray(w[self.I if k == 0 else 0 :].T)) for k, (w, b) in enumerate(pairs)]
        self.widths = [b.size for _, b in pairs]
        none = np.zeros(0, weight.dtype)
        self.tau, self.a = (np.abs(w_tau), a) if pure else (none, none)
        # 1 at 0, so that a w_tau that starts there can leave it.
        self.sign_tau = np.where(w_tau < 0, -1, 1) if pure else none

    def multiplications(self, rows):
        return rows * sum(weight.size for weight, _, _ in self.products)


def _cuts(B):
    """(first, end) of each block of sequences; the number of threads has no say."""
    count = min(-(-B // BLOCK), GRADIENT_ROWS)
    return [(B * k // count, B * (k + 1) // count) for k in range(count)]


def _share(run, count, multiplications, fast):
    """Call ``run`` on all blocks; NumPy's functions hold the GIL too often for threads to gain."""
    with blas.one_thread():
        threads.run(run, count, threads.share(count, fast is not None and multiplications > blas.PARALLEL_PRODUCTS))


class _Features:
    """What some steps of a block compute, by step: lists of arrays, and the arrays they are cut from.

    inner: for each layer of the backbone its output (b, H) and the derivative of that;  q (b, m): the heads, then what
    the adjoint needs of them.
    """

    def __init__(self, net, b, steps, workspace, name, dtype):
        def array(key, size):
            return workspace.array(f"{name} {key}", steps * b * size, dtype).reshape(steps, b, size)

        *inner, last = net.widths
        self.u = [array(f"u{k}", n) for k, n in enumerate(inner)]
        self.inner = [(list(u), list(array(f"d_u{k}", u.shape[2]))) for k, u in enumerate(self.u)]
        self.q = list(array("q", last))


def forward(net, fast, x, dt, lengths, h0, masks, keep, workspace):
    """Run the sequences, block by block.

    Parameters
    ----------
    net : Network
    fast : module or None
        Where `activate` and `blend` come from; None: from here.
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
    masks : dict
        Layer of the backbone -> (T, B, H) factors of its output.
    keep : None, "full" or "low"
        For `backward`: nothing, everything, or the states alone, from which it runs chunks of steps again.

    Returns
    -------
    y (B, T, N), h_last (B, N), saved
    """
    (B, T, I), N, dtype = x.shape, net.N, x.dtype
    cuts = _cuts(B)

    def make():
        y, h_last = (workspace.array(name, B * n, dtype) for name, n in (("y", T * N), ("h_last", N)))
        z = [
            workspace.array(f"z{b}", (T + 1 if keep else 2) * (e - b) * (I + N), dtype).reshape(-1, e - b, I + N)
            for b, e in cuts
        ]
        features = [_Features(net, e - b, T if keep == "full" else 1, workspace, f"f{b}", dtype) for b, e in cuts]
        return y.reshape(B, T, N), h_last.reshape(B, N), z, [list(rows) for rows in z], features

    y, h_last, z, z_rows, features = workspace.kept("forward", (x.shape, keep), make)
    time = dt if net.sign > 0 else -dt

    def run(first, last, worker):
        for k in range(first, last):
            (b, e), rows = cuts[k], z_rows[k]
            steps = int(lengths[b:e].max())
            rows[0][:, :I] = x[b:e, 0]
            rows[0][:, I:] = h0[b:e]
            part = _part(b, e, x, time, lengths, masks)
            _steps(net, fast, rows, features[k], range(steps), part, y[b:e], keep is not None)
            h_last[b:e] = rows[steps % len(rows)][:, I:]

    _share(run, len(cuts), net.multiplications(B * T), fast)
    return y, h_last, (x, time, lengths, masks, z, z_rows, features, keep) if keep else None


def _part(b, e, x, time, lengths, masks):
    """The arguments of the sequences b..e-1."""
    return x[b:e], time[b:e], lengths[b:e], {k: mask[:, b:e] for k, mask in masks.items()}


def _steps(net, fast, z, features, steps, part, y, keep):
    """Some steps of a block; ``z``: (b, I + N) arrays, input and state before each step, taken in turn."""
    f, g = (fast.activate, fast.blend) if fast else (activate, blend)
    x, time, lengths, masks = part
    none, states, rows = x[0, :0], len(z), len(features.q)
    *backbone, (weight, bias, _) = net.products
    for t in steps:
        before, row = z[t % states], t % rows
        source = before
        for k, (weight_k, bias_k, _) in enumerate(backbone):
            u, d_u = features.inner[k][0][row], features.inner[k][1][row]
            np.dot(source, weight_k, out=u)
            f(net.activation, u, bias_k, masks[k][t] if k in masks else none, d_u, keep)
            source = u
        q = features.q[row]
        np.dot(source, weight, out=q)
        g(net.form, net.squash, q, bias, net.tau, net.a, time, lengths, t, x, before, z[(t + 1) % states], y)


def backward(net, fast, saved, d_y, d_h, want_x, want_dt, workspace):
    """Adjoint of `forward`.

    Returns
    -------
    d_x (B, T, I) or None, d_h0 (B, N), d_dt (B, T) or None
    products, sums : lists of float64 arrays
        Gradients of weight and bias of each of ``net.products``; in pure mode the last sum goes on with those of
        |w_tau| and of a.
    """
    x, time, lengths, masks, z, z_rows, features, keep = saved
    (B, T, I), N, dtype = x.shape, net.N, x.dtype
    cuts = _cuts(B)

    def make():
        d_h0 = workspace.array("d_h0", B * N, dtype).reshape(B, N)
        d_x = workspace.array("d_x", B * T * I, dtype).reshape(x.shape) if want_x else None
        d_dt = workspace.array("d_dt", B * T, dtype).reshape(B, T) if want_dt else np.zeros((0, 0), dtype)
        sweeps = [_Sweep(net, e - b, T, keep, workspace, f"s{b}", dtype) for b, e in cuts]
        return d_h0, d_x, d_dt, sweeps

    d_h0, d_x, d_dt, sweeps = workspace.kept("backward", (x.shape, keep, want_x, want_dt), make)

    def run(first, last, worker):
        for k in range(first, last):
            b, e = cuts[k]
            part = _part(b, e, x, time, lengths, masks)
            kept = features[k] if keep == "full" else None
            adjoints = d_y[b:e], d_h[b:e], d_x[b:e] if want_x else None, d_dt[b:e], d_h0[b:e]
            _sweep(net, fast, sweeps[k], z[k], z_rows[k], kept, part, *adjoints)

    _share(run, len(cuts), 2 * net.multiplications(B * T), fast)
    if net.sign < 0:
        np.negative(d_dt, out=d_dt)
    products = [sum(parts) for parts in zip(*(s.products for s in sweeps), strict=True)]
    sums = [sum(parts) for parts in zip(*(s.sums for s in sweeps), strict=True)]
    return d_x, d_h0, d_dt if want_dt else None, products, sums


class _Sweep:
    """What the adjoint of a block works in, and its gradients.

    adjoints: for each product the adjoints of its result (steps of a chunk, b, width), in pure mode the last ones
    followed by the terms of the gradients of |w_tau| and a;  direct: the part of the adjoint of a state that does not
    come through a product.
    """

    def __init__(self, net, b, T, keep, workspace, name, dtype):
        def array(key, *shape, dtype=dtype):
            return workspace.array(f"{name} {key}", math.prod(shape), dtype).reshape(shape)

        self.chunk = min(T, max(1, CHUNK // b))
        self.features = _Features(net, b, self.chunk, workspace, name, dtype) if keep == "low" else None
        widths = [*net.widths[:-1], net.widths[-1] * (3 if net.form >= DECAY else 1)]
        self.adjoints = [array(f"d{k}", self.chunk, b, n) for k, n in enumerate(widths)]
        self.rows = [list(a) for a in self.adjoints]
        self.d_next, self.direct = array("d_next", b, net.N), array("direct", b, net.N)
        self.ones = np.ones(self.chunk * b, dtype)
        self.results = [array(f"w{k}", *weight.shape) for k, (weight, _, _) in enumerate(net.products)]
        double = np.dtype(np.float64)
        self.products = [array(f"g{k}", *w.shape, dtype=double) for k, w in enumerate(self.results)]
        self.sums = [array(f"b{k}", n, dtype=double) for k, n in enumerate(widths)]


def _sweep(net, fast, s, z, z_rows, features, part, d_y, d_h, d_x, d_dt, d_h0):
    """Adjoint of all steps of a block, chunk by chunk."""
    lengths, T = part[2], d_y.shape[1]
    steps = int(lengths.max())
    for array in (*s.products, *s.sums, s.d_next, s.direct):
        array.fill(0)
    for first in range((steps - 1) // s.chunk * s.chunk, -1, -s.chunk):
        chunk = range(first, min(first + s.chunk, steps))
        if features is None:
            _steps(net, fast, z_rows, s.features, chunk, part, d_y[:0], True)
        kept = features or s.features
        _d_steps(net, fast, s, z_rows, kept, chunk, part, d_y, d_h, d_dt)
        _add_products(net, s, z, kept, chunk)
        if d_x is not None:
            flat = s.adjoints[0][: len(chunk), :, : net.widths[0]].reshape(-1, net.widths[0])
            d_z = np.dot(flat, net.input_weight).reshape(len(chunk), -1, net.I)
            d_x[:, first : chunk.stop] = d_z.transpose(1, 0, 2)
    for array in (d_x, d_dt):
        if array is not None and array.size:
            array[:, steps:T] = 0
    s.d_next += s.direct
    d_h0[:] = np.where((lengths > 0)[:, None], s.d_next, d_h)


def _d_steps(net, fast, s, z, features, chunk, part, d_y, d_h, d_dt):
    """Adjoint of `_steps`: fills ``s.adjoints``; the adjoint of the state before the chunk is d_next + direct."""
    d_g = fast.d_blend if fast else d_blend
    _, time, lengths, _ = part
    inner, q, rows, m = features.inner, features.q, len(features.q), net.widths[-1]
    for t in reversed(chunk):
        row, at = t % rows, t - chunk.start
        d = s.rows[-1][at]
        d_g(net.form, net.squash, q[row], net.tau, net.a, time, lengths, t, z[t], d_y, d_h, s.d_next, s.direct, d, d_dt)
        d = d if net.form < DECAY else d[:, :m]
        for k in range(len(inner) - 1, -1, -1):
            np.dot(d, net.products[k + 1][2], out=s.rows[k][at])
            d = s.rows[k][at]
            d *= inner[k][1][row]
        np.dot(d, net.products[0][2], out=s.d_next)


def _add_products(net, s, z, features, chunk):
    """Gradients of weights and biases from the adjoints of a chunk: one product each."""
    count = len(chunk)
    first = chunk.start % len(features.q)
    for k, adjoint in enumerate(s.adjoints):
        source = features.u[k - 1][first : first + count] if k else z[chunk.start : chunk.stop]
        d = adjoint[:count].reshape(-1, adjoint.shape[2])
        s.sums[k] += np.dot(s.ones[: len(d)], d)
        np.dot(source.reshape(len(d), -1).T, d[:, : net.widths[k]], out=s.results[k])
        s.products[k] += s.results[k]


# ------------------------------------------------------------------------------------------ NumPy backend


def activate(activation, u, bias, mask, d_u, keep):
    """u (b, H) becomes f(u + bias) * mask, and d_u its derivative if it is kept; without a mask that is (0, H)."""
    f, d_f = activations.get(BACKBONE_ACTIVATIONS[activation])
    u += bias
    y = f(u)
    if keep:
        d_u[:] = d_f(u, y) * mask if mask.size else d_f(u, y)
    u[:] = y * mask if mask.size else y


def blend(form, squash, q, bias, tau, a, time, lengths, t, x, z, z_next, y):
    """The new state, from the heads; a sequence that has ended keeps its own.

    Parameters
    ----------
    form, squash, tau, a
        As in `Network`.
    q : (b, 4 * N) or, in pure mode, (b, N)
        f1 | f2 | time_a | time_b or f1, without bias; becomes g1 | g2 | time_a | s or f1.
    time : (b, T)
        dt, or -dt where the variant wants it so.
    x : (b, T, I)
        Of which the next step's goes to ``z_next``.
    z, z_next : (b, I + N)
        Inputs and states before this step, and after it.
    y : (b, T, N), or empty
        Row t is filled.
    """
    I, d = x.shape[2], time[:, t, None]
    h, N = z[:, I:], z.shape[1] - I
    q += bias
    if form == DECAY:
        new = a - a * np.exp(-d * (tau + np.abs(q))) * q
    elif form == DECAY_OF_STATE:
        new = a + (h - a) * np.exp(-d * (tau + sigmoid(q))) * sigmoid(-q)
    else:
        g1, g2, time_a, s = (q[:, k * N : (k + 1) * N] for k in range(4))
        if squash:
            q[:, : 2 * N] = np.tanh(q[:, : 2 * N])
        s[:] = sigmoid(time_a * d + s)
        new = g1 + s * (g2 - g1) if form == GATE else g1 + s * g2
    z_next[:, I:] = np.where((t < lengths)[:, None], new, h)
    if y.size:
        y[:, t] = z_next[:, I:]
    if t + 1 < x.shape[1]:
        z_next[:, :I] = x[:, t + 1]


def d_blend(form, squash, q, tau, a, time, lengths, t, z, d_y, d_h, d_next, direct, d_q, d_dt):
    """Adjoint of `blend`, without the inputs.

    Parameters
    ----------
    d_y : (b, T, N)
    d_h : (b, N)
        Adjoint of the last state of each sequence.
    d_next, direct : (b, N)
        Their sum is the adjoint of the state after this step; direct becomes the part of that of the state before
        which does not come through q.
    d_q : (b, 4 * N), or in pure mode (b, 3 * N)
        Becomes the adjoint of the heads; in pure mode followed by the terms of the gradients of tau and a.
    d_dt : (b, T) or empty
        Column t becomes the adjoint of ``time``.
    """
    N, d = d_h.shape[1], time[:, t, None]
    G = d_y[:, t] + np.where((t + 1 < lengths)[:, None], d_next + direct, d_h)
    G = np.where((t < lengths)[:, None], G, 0)
    direct[:] = 0
    if form >= DECAY:
        h = z[:, z.shape[1] - N :]
        f = q
        if form == DECAY:
            rate, d_rate, factor, d_factor, base = np.abs(f), np.sign(f), f, 1, -a
        else:
            rate, factor = sigmoid(f), sigmoid(-f)
            d_rate, d_factor, base = rate * factor, -rate * factor, h - a
        e = np.exp(-d * (tau + rate))
        # new = a + base * e * factor
        d_e = G * base * factor * e
        d_q[:, :N] = G * base * e * d_factor - d_e * d * d_rate
        d_q[:, N : 2 * N] = -d_e * d
        d_q[:, 2 * N :] = G * (1 - e * factor)
        if form == DECAY_OF_STATE:
            direct[:] = G * e * factor
        d_time = -d_e * (tau + rate)
    else:
        g1, g2, time_a, s = (q[:, k * N : (k + 1) * N] for k in range(4))
        d_s = G * (g2 - g1 if form == GATE else g2)
        d_q[:, :N] = G * (1 - s) if form == GATE else G
        d_q[:, N : 2 * N] = G * s
        if squash:
            d_q[:, : 2 * N] *= 1 - q[:, : 2 * N] ** 2
        d_q[:, 3 * N :] = d_z = d_s * s * (1 - s)
        d_q[:, 2 * N : 3 * N] = d_z * d
        d_time = d_z * time_a
    if d_dt.size:
        d_dt[:, t] = d_time.sum(1)
