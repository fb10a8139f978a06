"""What the parameters of a state space have done to its modes, carried along a stream: the definition in NumPy.

No mode reads another, so what a parameter of a mode has done to the state is one complex number, a *trace* e.  A step
multiplies it by the factor on the mode, and adds what the parameter does in this step.  The parameters are real: with a
bound, a mode is no analytic function of a complex one.  docs/online.md derives it.
"""

import numpy as np

from ..codes import KB, PB
from .ssm import State, advance, d_parameters, step_of

# Parameters of a mode that have traces, in the order of the traces: the real and the imaginary part of each.
TRACED = ("decay", "frequency", "b_re", "b_im", "log_step")


def _direct(space, step, u, state, d_modes, d_added):
    """What the parameters do to the modes in this step, (5, M, H) complex; the adjoints are 0 or 1."""
    parts = []
    for turn in (1, 1j):  # the adjoint of a real part, and of an imaginary one
        d_w, _, d_b, d_delta = d_parameters(space, step, u, state, turn * d_modes, turn * d_added)
        parts.append(np.stack([-d_w.real, d_w.imag, d_b.real, d_b.imag, d_delta * step.delta])[:, 0])
    return parts[0] + parts[1] * 1j


def carry(space, u, dt, h0, traces, slopes):
    """Take the traces through one step of one sequence.

    Parameters
    ----------
    space : StateSpace
    u (1, H), dt (1,), h0 (1, K) : arrays
        The input, the elapsed time, and the state before.
    traces : (5, 2, M, H) array
        Derivatives of the modes by the parameters `TRACED`, real and imaginary parts.
    slopes : (6 * M + 2, H) array
        Out: derivatives of the outputs by decay, frequency, b_re, b_im, c_re, c_im, M rows each, log_step and d.
    """
    state = State.of(h0, space)
    step = step_of(space, dt, u, state.past)
    _, seen = advance(space, step, dt, u, state)
    one = np.ones_like(state.modes)
    before = traces[:, 0] + traces[:, 1] * 1j
    after = before + (step.factor[0] * before + _direct(space, step, u, state, one, one * (space.rule.liquid == KB)))
    traces[:, 0], traces[:, 1] = after.real, after.imag
    if space.rule.liquid == PB:  # what products of inputs add is read out, and forgotten
        after = after + _direct(space, step, u, state, 0 * one, one)
    M, of_outputs = len(space.a), 2 * (space.c * after).real
    slopes[: 4 * M] = of_outputs[:4].reshape(4 * M, -1)
    slopes[4 * M : 5 * M], slopes[5 * M : 6 * M] = 2 * seen[0].real, -2 * seen[0].imag
    slopes[6 * M], slopes[6 * M + 1] = of_outputs[4].sum(0), u[0]
