"""What an output depends on: exact gradients over time."""

from __future__ import annotations

from typing import Literal

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, Ints
from ..model import Model


@with_signature_hints
def saliency(
    model: Model,
    x: ArrayLike,
    dt: ArrayLike | None = None,
    *,
    step: int = -1,
    output: int = 0,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
) -> Array:
    """The derivative of one output at one step with respect to all inputs: d y[step, output] / d x.

    Parameters
    ----------
    model : Model
    x, dt, lengths, h0
        As for a call.
    step : int
        Which step's output; a negative one counts from each sequence's end, -1 is its last.
    output : int
        Which of the O outputs.

    Returns
    -------
    (B, T, I) array, or (T, I) for one sequence
        How much the output changes, to first order, for each input at each step; 0 for inputs that come later, of
        causal layers.  In units of y per unit of x: features of different units are compared after multiplying by
        their spread.

    Raises
    ------
    ValueError, TypeError
        As a call; or there is no such step or output.

    Notes
    -----
    It is exact: one forward and one backward pass, by hand-derived adjoints.  Of a `SpikingLIF` it is the surrogate's.
    A derivative says what small changes do: where an input saturates a synapse it is 0 however much the input matters,
    and `lesion` tells more.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, analysis
    >>> model = LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0)
    >>> bool(analysis.saliency(model, np.zeros((7, 3)), dt=0.5, step=4)[5:].any())
    False
    """
    y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0, return_sequences=True, parallel_time=False)
    output = checks.integer("output", output, 0, y.shape[-1] - 1)
    d_y, T = np.zeros_like(y), y.shape[-2]
    place = _place(step, T, None if lengths is None else model.pace(tape.given.sequences).lengths)
    if y.ndim == 2:
        d_y[place, output] = 1
    else:
        d_y[np.arange(len(y)), place, output] = 1
    return model.backward(tape, d_y).x  # type: ignore[return-value]


def _place(step: int, T: int, ends: Ints | None) -> int | Ints:
    """The output of each sequence; they have so many."""
    shortest = T if ends is None else int(ends.min())
    if not shortest:
        raise ValueError("`lengths` must be >= 1 for a saliency, got 0: a sequence without steps has no output")
    step = checks.integer("step", step, -shortest, shortest - 1)  # one that all sequences have
    if ends is None or step >= 0:
        return step
    return ends + step


@with_signature_hints
def gradient_by_lag(
    model: Model,
    x: ArrayLike,
    dt: ArrayLike | None = None,
    *,
    of: Literal["input", "state"] = "input",
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
) -> Array:
    """How far back a network reaches: the size of a derivative over the lag k.

    Parameters
    ----------
    model : Model
    x, dt, lengths, h0
        As for a call.
    of : "input" or "state"
        ``"input"``: of the last outputs with respect to the inputs k steps before, d y[T-1] / d x[T-1-k], an (O, I)
        matrix for each k.  ``"state"``: of the last state with respect to that k steps before, d h[T-1] / d h[T-1-k],
        (K, K), the state that all layers have together; it begins with 1 for k = 0.

    Returns
    -------
    (B, T) float64 array, or (T,) for one sequence
        The largest singular value of that matrix for each k: the most by which a small change, of whatever direction,
        is multiplied on its way.  0 for lags that go back beyond the beginning of a sequence.

    Raises
    ------
    ValueError, TypeError
        As a call; ``of="state"`` with a layer whose outputs depend on later inputs, or without a state.

    Notes
    -----
    All is computed in float64, since the product of many small factors is no float32.  Cost: O backward passes; for the
    state K backward passes of single steps.  A curve that falls by orders of magnitude within a few steps says that
    nothing further back can be learned: begin with longer time constants (``init={"time_constants": (1, 100)}``).

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import LTCRNN, AutoNCP, analysis
    >>> short = LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0)
    >>> long = LTCRNN(AutoNCP(16, 2), input_dim=3, init="time_constants", seed=0)
    >>> at_20 = [analysis.gradient_by_lag(model, np.zeros((21, 3)))[20] for model in (short, long)]
    >>> bool(at_20[0] < 1e-6), bool(at_20[1] > 1e-3)
    (True, True)
    """
    checks.one_of("of", of, ("input", "state"))
    twin = _in_float64(model)
    single = np.ndim(x) == 2
    matrices = _by_input(twin, x, dt, lengths, h0) if of == "input" else _by_state(twin, x, dt, lengths, h0)
    T = matrices.shape[1]
    ends = np.full(len(matrices), T) if lengths is None else np.asarray(lengths)
    found = np.zeros(matrices.shape[:2])
    for b, end in enumerate(ends):
        if end:
            found[b, :end] = np.linalg.norm(matrices[b, :end][::-1], ord=2, axis=(1, 2))
    return found[0] if single else found


def _in_float64(model: Model) -> Model:
    theta, buffers = model.theta.astype(np.float64), model.buffer_vector.astype(np.float64)
    return model.restored(model.layer_stack, theta, buffers, model.backend, True)


def _by_input(
    model: Model, x: ArrayLike, dt: ArrayLike | None, lengths: ArrayLike | None, h0: ArrayLike | None
) -> Array:
    """d y[last] / d x[t], (B, T, O, I)."""
    y, tape = model.forward(x, dt=dt, lengths=lengths, h0=h0, return_sequences=False, parallel_time=False)
    rows = []
    for k in range(y.shape[-1]):
        d_y = np.zeros_like(y)
        d_y[..., k] = 1
        rows.append(np.asarray(model.backward(tape, d_y).x))
    found = np.stack(rows, axis=-2)
    return found[None] if y.ndim == 1 else found


def _by_state(
    model: Model, x: ArrayLike, dt: ArrayLike | None, lengths: ArrayLike | None, h0: ArrayLike | None
) -> Array:
    """d h[last] / d h[t], h[t] the state after step t: (B, T, K, K)."""
    if not model.layer_stack.causal or not model.state_size:
        raise ValueError(
            f'`of` must be "input" for a model without a state that goes from step to step, got "state" for {model!r}'
        )
    if model.layer_stack.stride > 1:
        raise ValueError(f'`of` must be "input" for a model of which some layers have fewer steps, got {model!r}')
    trace = model.trace(x, dt, lengths=lengths, h0=h0)
    states = np.concatenate([layer.state for layer in trace.layers], axis=-1)
    starts = np.concatenate([layer.h0 for layer in trace.layers], axis=-1)
    inputs, times, ends = trace.x, trace.dt, trace.lengths
    if states.ndim == 2:
        inputs, states, starts, ends = inputs[None], states[None], starts[None], ends[None]
        times = None if times is None else times[None]
    B, T, K = states.shape
    before = np.concatenate([starts[:, None], states[:, :-1]], axis=1).reshape(B * T, K)
    elapsed = None if times is None else times.reshape(B * T, 1)
    # All steps side by side, each a sequence of its own: row j of its matrix is the adjoint of state j.
    y, tape = model.forward(inputs.reshape(B * T, 1, -1), dt=elapsed, h0=before)
    d_y, factors = np.zeros_like(y), np.empty((B, T, K, K))
    for j in range(K):
        d_state = np.zeros((B * T, K))
        d_state[:, j] = 1
        factors[:, :, j] = np.asarray(model.backward(tape, d_y, d_state).h0).reshape(B, T, K)
    found = np.zeros((B, T, K, K))
    for b, end in enumerate(ends):
        product = np.eye(K)
        for t in range(end - 1, -1, -1):
            found[b, t] = product
            product = product @ factors[b, t]
    return found
