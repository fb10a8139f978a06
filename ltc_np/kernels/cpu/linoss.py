"""LinOSS on the CPU, oscillators side by side in lanes; `ltc_np.kernels.numpy.linoss` is the definition.

A block, some steps of one sequence or a few short sequences, goes through products and steps while it is in the cache.
For gradients the states before blocks are kept, and what happens in a block is computed again.

Arguments of the kernels; all arrays are flat but for own, packed ones and rows:
    sizes: B, T, I, N, P;  cut: steps and sequences of a block, and in how many parts the sequences are worked on
    sequences: x (B, T, I), dt (B, T), lengths (B,);  weights: `packed`;  d (N,) or empty
    h0, h_last and adjoints of them (B, 4 * P);  starts (B, blocks, 4 * P) or empty
    work: numbers to work in, a row for each worker
Inside P is M, whole vectors, with zeros behind: rows of forces, velocities and positions have 2 * M numbers.
"""

from functools import partial
from typing import NamedTuple

import numpy as np

from ...base import threads
from ...base.workspace import arrays
from ..codes import GRADIENT_ROWS
from ..numpy.linoss import Sums
from ..numpy.linoss import Weights as Definition
from .arguments import cut as parted
from .gates import PARALLEL_PRODUCTS, clear, columns, copy, flat
from .jit import helper, kernel
from .linoss_flow import d_flow, flow
from .neuron_major import longest_of
from .products import add_outer, multiply, packed, whole_vectors
from .simd import add_wide, fma, fnma, lane_sum, load, load_part, store, store_part, vector_size, zeros

# Rows of M numbers: m, l, g and psi; sums of gradients; a state, of which each part is real, then imaginary.
HELD, SUMS, STATE = 4, 5, 4
# Steps of a block, whose arrays fit into the second level of a cache; and as few as are worth a row of gradients.
ROWS, FEW = 128, 64


@helper
def _hold(own, now, held):
    """m, l, g and psi of a step of the exact form with dt = now."""
    M, W, number, single = own.shape[1], vector_size(own), own.dtype.type, own.itemsize == 4
    for k in range(0, M, W):
        m, l, g, psi = flow(number, single, own, M, k, load(own, 2 * M + k) * now)
        store(held, k, m)
        store(held, M + k, l)
        store(held, 2 * M + k, g)
        store(held, 3 * M + k, psi)


@helper
def _settle(own, now, held, gathered, sums):
    """Adjoint of `_hold`: adds to the sums of A and G what was gathered, which becomes 0."""
    M, W, number, single = own.shape[1], vector_size(own), own.dtype.type, own.itemsize == 4
    for k in range(0, M, W):
        h, g, psi = load(own, 2 * M + k) * now, load(held, 2 * M + k), load(held, 3 * M + k)
        d_m, d_l = load(gathered, k), load(gathered, M + k)
        d_g, d_psi = load(gathered, 2 * M + k), load(gathered, 3 * M + k)
        d_A, d_G = d_flow(number, single, own, M, k, h, g, psi, d_m, d_l, d_g, d_psi)
        store(sums, k, load(sums, k) + d_A)
        store(sums, M + k, load(sums, M + k) + d_G)
    clear(gathered, 0, gathered.size)


@helper
def _constant(own, held):
    """m, l, g and psi where they do not depend on dt."""
    copy(own, 3 * own.shape[1], held, 0, held.size)


@helper
def _pad(array, at, P, M, padded):
    """The state that begins at ``array[at]``, with zeros behind each part."""
    clear(padded, 0, STATE * M)
    for part in range(STATE):
        copy(array, at + part * P, padded, part * M, P)


@helper
def _unpad(padded, z, x, P, M, array, at):
    """The velocities from z on, and the positions from x on, to ``array[at]``."""
    for part in range(2):
        copy(padded, z + part * M, array, at + part * P, P)
        copy(padded, x + part * M, array, at + (2 + part) * P, P)


@helper
def _advance(exact, own, dt, lengths, block, before, place, held, forces, states):
    """Take a block through its steps.

    block: its first sequence, how many, its first step, how many, and T;  place: where the states before it begin in
    ``before``, from one sequence to the next, and P.  In ``states`` are first the state before the last sequence of the
    block, then the velocities after all steps, then the positions.
    """
    (row, count, begin, steps, T), (at, step, P) = block, place
    M, W, now = own.shape[1], vector_size(own), dt.dtype.type(-1)
    apart = (states.size - STATE * M) // 2
    for q in range(count):
        _pad(before, at + q * step, P, M, states)
        z_before, x_before = 0, 2 * M
        for t in range(steps):
            force = (q * steps + t) * 2 * M
            z_after = STATE * M + force
            x_after = z_after + apart
            if begin + t >= lengths[row + q]:
                copy(states, z_before, states, z_after, 2 * M)
                copy(states, x_before, states, x_after, 2 * M)
            else:
                elapsed = dt[(row + q) * T + begin + t]
                if exact and elapsed != now:
                    now = elapsed
                    _hold(own, now, held)
                for k in range(0, M, W):
                    m, l, g, psi = load(held, k), load(held, M + k), load(held, 2 * M + k), load(held, 3 * M + k)
                    A = load(own, k)
                    for part in range(2):
                        i = part * M + k
                        f, z, x = load(forces, force + i), load(states, z_before + i), load(states, x_before + i)
                        store(states, z_after + i, z + fma(m, z, g * fnma(A, x, f)))
                        store(states, x_after + i, x + fma(l, x, fma(g, z, psi * f)))
            z_before, x_before = z_after, x_after


@helper
def _d_advance(
    exact, own, dt, lengths, block, before, place, held, forces, states, d_state, d_forces, d_dt, gathered, sums, d_now
):
    """Adjoint of `_advance`: takes the state's through the block, and turns the positions' into those of the forces.

    ``gathered``, ``sums``: gradients are added to them;  d_now: to work in.
    """
    (row, count, begin, steps, T), (at, step, P) = block, place
    M, W, now = own.shape[1], vector_size(own), dt.dtype.type(-1)
    apart = (states.size - STATE * M) // 2
    for q in range(count):
        _pad(before, at + q * step, P, M, states)
        _pad(d_state, (row + q) * STATE * P, P, M, d_now)
        for t in range(steps - 1, -1, -1):
            force, time = (q * steps + t) * 2 * M, (row + q) * T + begin + t
            if begin + t >= lengths[row + q]:
                clear(d_forces, force, 2 * M)
                if exact and d_dt.size > 0:
                    d_dt[time] = 0
                continue
            if exact and dt[time] != now:
                if now >= 0:
                    _settle(own, now, held, gathered, sums)
                now = dt[time]
                _hold(own, now, held)
            z_before, x_before = 0, 2 * M
            if t > 0:
                z_before = (STATE - 2) * M + force
                x_before = z_before + apart
            d_length = zeros(own)
            for k in range(0, M, W):
                m, l, g, psi = load(held, k), load(held, M + k), load(held, 2 * M + k), load(held, 3 * M + k)
                A, G, pace = load(own, k), load(own, M + k), load(own, 2 * M + k)
                d_m, d_l = load(gathered, k), load(gathered, M + k)
                d_g, d_psi = load(gathered, 2 * M + k), load(gathered, 3 * M + k)
                d_A, d_h = zeros(own), zeros(own)
                for part in range(2):
                    i = part * M + k
                    f, z, x = load(forces, force + i), load(states, z_before + i), load(states, x_before + i)
                    r, d_z = fnma(A, x, f), load(d_now, i)
                    d_x = load(d_now, 2 * M + i) + load(d_forces, force + i)
                    impulse = g * d_z
                    d_m, d_l, d_psi = fma(d_z, z, d_m), fma(d_x, x, d_l), fma(d_x, f, d_psi)
                    d_g, d_A = fma(d_z, r, fma(d_x, z, d_g)), fnma(impulse, x, d_A)
                    past_z, past_x = d_z + fma(m, d_z, g * d_x), d_x + fnma(A, impulse, l * d_x)
                    if exact:
                        d_h = fma(past_z, fnma(G, z, r), fma(past_x, z, d_h))
                    store(d_forces, force + i, fma(psi, d_x, impulse))
                    store(d_now, i, past_z)
                    store(d_now, 2 * M + i, past_x)
                store(gathered, k, d_m)
                store(gathered, M + k, d_l)
                store(gathered, 2 * M + k, d_g)
                store(gathered, 3 * M + k, d_psi)
                store(sums, k, load(sums, k) + d_A)
                if exact:
                    store(sums, 2 * M + k, fma(d_h, now, load(sums, 2 * M + k)))
                    d_length = fma(d_h, pace, d_length)
            if exact and d_dt.size > 0:
                d_dt[time] = lane_sum(d_length)
        _unpad(d_now, 0, 2 * M, P, M, d_state, (row + q) * STATE * P)
    if exact:
        if now >= 0:
            _settle(own, now, held, gathered, sums)
    else:
        copy(gathered, 0, sums, M, HELD * M)
        clear(gathered, 0, HELD * M)


@helper
def _skip(products, rows, through, d, out, at, N):
    """Rows of ``products``, and of ``through`` times d unless d is empty, to ``out``; the last two begin at ``at``."""
    W = vector_size(out)
    length = (N + W - 1) // W * W
    for r in range(rows):
        i = at + r * N
        for k in range(0, N, W):
            value = load(products, r * length + k)
            if d.size > 0:
                value = fma(load_part(through, i + k, N - k), load_part(d, k, N - k), value)
            store_part(out, i + k, value, N - k)


@helper
def _d_skip(x, d_y, rows, at, N, sums):
    """The gradient of d, of these rows, is added."""
    for k in range(0, N, vector_size(x)):
        total = zeros(x)
        for i in range(at + k, at + k + rows * N, N):
            total = fma(load_part(x, i, N - k), load_part(d_y, i, N - k), total)
        add_wide(sums, k, total)


@kernel
def _forward(exact, own, sizes, cut, sequences, weights, d, h_last, starts, y, work, first, last, worker):
    """Parts first..last-1; ``weights``: of inputs and of outputs;  h_last: h0 before."""
    (B, T, I, N, P), (most, several, parts), (x, dt, lengths), (inputs, outputs) = sizes, cut, sequences, weights
    M = own.shape[1]
    held, rest = parted(work[worker], HELD * M)
    forces, rest = parted(rest, most * several * 2 * M)
    states, products = parted(rest, (STATE + 2 * most * several * 2) * M)
    K, apart = STATE * P, most * several * 2 * M
    if not exact:
        _constant(own, held)
    for part in range(first, last):
        end = B * (part + 1) // parts
        for row in range(B * part // parts, end, several):
            count = min(several, end - row)
            for begin in range(0, longest_of(lengths, row, count), most):
                steps, at = min(most, T - begin), row * T + begin
                if starts.size > 0:
                    for q in range(row, row + count):
                        copy(h_last, q * K, starts, (q * (starts.size // (B * K)) + begin // most) * K, K)
                multiply(forces, 2 * M, count * steps, x, at * I, I, I, inputs, 0, inputs.shape[0])
                block = row, count, begin, steps, T
                _advance(exact, own, dt, lengths, block, h_last, (row * K, K, P), held, forces, states)
                for q in range(count):
                    z = STATE * M + ((q + 1) * steps - 1) * 2 * M
                    _unpad(states, z, z + apart, P, M, h_last, (row + q) * K)
                length = outputs.shape[0] * outputs.shape[2]
                position = STATE * M + apart
                multiply(products, length, count * steps, states, position, 2 * M, 2 * M, outputs, 0, outputs.shape[0])
                _skip(products, count * steps, x, d, y, at * N, N)


@kernel
def _backward(
    exact, own, sizes, cut, sequences, weights, d, starts, adjoints, results, work, gradients, first, last, worker
):  # fmt: skip
    """Adjoint of `_forward`: parts first..last-1, each into its row of gradients.

    ``weights``: of inputs, and both turned;  adjoints: d_y, and d_h, which becomes d_h0;  results: d_x, d_dt, or empty;
    a row of gradients: those of oscillators (SUMS, M), of B (I, 2 * M), of C's transpose (N, 2 * M), and of d.
    """
    (B, T, I, N, P), (most, several, parts), (x, dt, lengths) = sizes, cut, sequences
    (inputs, d_inputs, d_outputs), (d_y, d_state), (d_x, d_dt) = weights, adjoints, results
    M, W, length = own.shape[1], vector_size(x), d_inputs.shape[0] * d_inputs.shape[2]
    held, rest = parted(work[worker], HELD * M)
    forces, rest = parted(rest, most * several * 2 * M)
    states, rest = parted(rest, (STATE + 2 * most * several * 2) * M)
    d_forces, rest = parted(rest, most * several * 2 * M)
    gathered, rest = parted(rest, HELD * M)
    sums, rest = parted(rest, SUMS * M)
    d_now, products = parted(rest, STATE * M)
    K, position = STATE * P, STATE * M + most * several * 2 * M
    blocks = starts.size // (B * K)
    clear(gathered, 0, HELD * M)
    if not exact:
        _constant(own, held)
    for part in range(first, last):
        end = B * (part + 1) // parts
        of_own, rest_of_row = parted(gradients[part], SUMS * M)
        of_inputs, rest_of_row = parted(rest_of_row, I * 2 * M)
        of_outputs, of_skip = parted(rest_of_row, N * 2 * M)
        for row in range(B * part // parts, end, several):
            count = min(several, end - row)
            for k in range((longest_of(lengths, row, count) - 1) // most, -1, -1):
                begin = k * most
                steps, at = min(most, T - begin), row * T + begin
                rows = count * steps
                block, place = (row, count, begin, steps, T), ((row * blocks + k) * K, blocks * K, P)
                multiply(forces, 2 * M, rows, x, at * I, I, I, inputs, 0, inputs.shape[0])
                _advance(exact, own, dt, lengths, block, starts, place, held, forces, states)
                multiply(d_forces, 2 * M, rows, d_y, at * N, N, N, d_outputs, 0, d_outputs.shape[0])
                add_outer(of_outputs, N, 2 * M, d_y, at * N, N, rows, states, position, 2 * M)
                clear(sums, 0, SUMS * M)
                _d_advance(
                    exact, own, dt, lengths, block, starts, place, held, forces, states, d_state, d_forces, d_dt,
                    gathered, sums, d_now,
                )  # fmt: skip
                for i in range(0, SUMS * M, W):
                    add_wide(of_own, i, load(sums, i))
                add_outer(of_inputs, I, 2 * M, x, at * I, I, rows, d_forces, 0, 2 * M)
                if d.size > 0:
                    _d_skip(x, d_y, rows, at * N, N, of_skip)
                if d_x.size > 0:
                    multiply(products, length, rows, d_forces, 0, 2 * M, 2 * M, d_inputs, 0, d_inputs.shape[0])
                    _skip(products, rows, d_y, d, d_x, at * I, I)


# ------------------------------------------------------------------------------------------ called from Python


class Cut(NamedTuple):
    """How calls of one shape are cut: steps of a block, its sequences, which are whole if there are several, parts."""

    steps: int
    several: int
    parts: int

    @classmethod
    def make(cls, B, T):
        steps = -(-T // -(-T // ROWS))
        return cls(steps, min(B, max(1, ROWS // T)), max(1, min(B, GRADIENT_ROWS, B * T // FEW)))


class Weights(Definition):
    """See `ltc_np.kernels.numpy.linoss.Weights`; `packed` for products."""

    def __init__(self, exact, own, inputs, outputs, d):
        super().__init__(exact, own, inputs, outputs, d)
        M, P = own.shape[1], self.P
        padded = np.zeros((2, M, self.N), outputs.dtype)
        padded[:, :P] = outputs.reshape(2, P, self.N)
        self.padded, self.packed = M, (packed(*np.split(inputs, 2, axis=1)), packed(padded.reshape(2 * M, self.N)))
        self._turned = None

    def turned(self):
        """The transposes of both, for adjoints."""
        if self._turned is None:
            P, padded = self.P, np.zeros((2, self.padded, self.I), self.inputs.dtype)
            padded[:, :P] = self.inputs.T.reshape(2, P, self.I)
            self._turned = packed(padded.reshape(-1, self.I)), packed(*np.split(self.outputs.T, 2, axis=1))
        return self._turned

    def call(self, B, T):
        """Sizes, the cut, and threads, of calls of this shape, and the numbers that each works in."""
        cut = Cut.make(B, T)
        n = threads.share(cut.parts, B * T * 2 * self.P * (self.I + self.N) > PARALLEL_PRODUCTS)
        widest = max(whole_vectors(size, self.inputs.dtype) for size in (self.I, self.N))
        work = (2 * HELD + SUMS + 2 * STATE) * self.padded + cut.steps * cut.several * (8 * self.padded + widest)
        return (B, T, self.I, self.N, self.P), cut, n, work


class Saved(NamedTuple):
    """What the adjoint needs: x (B, T, I), dt (B, T) and lengths (B,), as kernels take them, and the starts."""

    sequences: tuple
    starts: np.ndarray


def forward(weights, x, dt, lengths, h0, keep, workspace):
    """Run the sequences; see `ltc_np.kernels.numpy.linoss.forward`."""
    B, T, _ = x.shape
    sizes, cut, n, work = weights.call(B, T)

    def make():
        blocks = -(-T // cut.steps) if keep else 0
        return arrays(x.dtype, work=(n, work), starts=(B * blocks * h0.shape[1],), y=(B, T, weights.N), state=h0.shape)

    made = workspace.kept("forward", (x.shape, keep, n), make)
    made.state[:] = h0
    sequences = flat(x), flat(dt), lengths
    given = weights.exact, weights.own, sizes, tuple(cut), sequences, weights.packed, weights.d
    threads.run(partial(_forward, *given, flat(made.state), made.starts, flat(made.y), made.work), cut.parts, n)
    return made.y, made.state, Saved(sequences, made.starts) if keep else None


def backward(weights, saved, d_y, d_h, want_x, want_dt, workspace):
    """Adjoint of `forward`; see `ltc_np.kernels.numpy.linoss.backward`."""
    (B, T, N), (I, P, M), dtype = d_y.shape, (weights.I, weights.P, weights.padded), d_y.dtype
    sizes, cut, n, work = weights.call(B, T)
    counts = [SUMS * M, I * 2 * M, N * 2 * M, columns((weights.packed[1],))]

    def make():
        return arrays(
            dtype, work=(n, work), d_x=(B, T, I if want_x else 0), d_dt=(B, T if want_dt else 0), d_h0=d_h.shape
        )

    made = workspace.kept("backward", (d_y.shape, want_x, want_dt, n), make)
    made.d_h0[:] = d_h
    rows = np.zeros((cut.parts, sum(counts)))
    turned = weights.packed[0], *weights.turned()
    adjoints, results = (flat(d_y), flat(made.d_h0)), (flat(made.d_x), flat(made.d_dt))
    given = weights.exact, weights.own, sizes, tuple(cut), saved.sequences, turned, weights.d, saved.starts, adjoints
    threads.run(partial(_backward, *given, results, made.work, rows), cut.parts, n)
    own, inputs, outputs, skip = np.split(rows.sum(0), np.cumsum(counts)[:-1])  # row by row, in order
    found = Sums(
        own.reshape(SUMS, M)[:, :P],
        inputs.reshape(I, 2, M)[..., :P].reshape(I, 2 * P),
        outputs.reshape(N, 2, M)[..., :P].reshape(N, 2 * P).T,
        skip[:N],
    )
    return made.d_x if want_x else None, made.d_h0, made.d_dt if want_dt else None, found
