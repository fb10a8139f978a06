"""Neurons that are driven by synapses, over all time steps and back: the definition in NumPy, for the LTC and the LRC.

What a synapse and a stage of the solver do is said by the `Circuit` of the cell.  Its methods, with sources x (B, I)
and potentials (B, N), where "sums" are what a cell's synapses add up to, one (B, N) array of each kind:

``from_inputs(x)``
    The sigmoids of the sensory synapses (B, S), and a list of the sums without the recurrent synapses.
``advance(solver, stage, h, v, base, total, sensory)``
    One stage from the potentials v: the next ones, and what the solver hands on to its next stage.
``d_advance(solver, stage, h, base, v, new, d_new, d_base, d_end, sensory, g)``
    Adjoint of `advance`: adjoints of the sums, as a list; of h for every neuron; of v; and of the potentials at the
    begin and the end of the unfold, which go on to the stage before.  Gradients of parameters are added to ``g``.
``d_from_inputs(x, s, d_sums, g)``
    Adjoint of `from_inputs`: d_x.
"""

from typing import NamedTuple

import numpy as np


class _Saved(NamedTuple):
    """What `backward` needs of a call: its arguments, the potentials that it kept, and the last ones."""

    x: np.ndarray
    dt: np.ndarray
    states: list
    h_last: np.ndarray
    keep: str


def unfold_length(dt, t, rule):
    """h (B, 1) of time step t."""
    return (dt[:, t] / dt.dtype.type(rule.unfolds))[:, None]


def take_step(circuit, rule, v, h, sensory):
    """All unfolds of one time step: the potentials from which each stage begins, and the last ones."""
    history = [v]
    for k in range(rule.evaluations):
        stage = k % rule.stages
        if stage == 0:
            base, total = v, None
        v, total = circuit.advance(rule.solver, stage, h, v, base, total, sensory)
        history.append(v)
    return history


def forward(circuit, x, dt, lengths, h0, rule, n_out, keep, workspace):
    """Run the sequences.

    Parameters
    ----------
    circuit : Circuit
    x (B, T, I), dt (B, T), lengths (B,), h0 (B, N)
        ``lengths`` need not be looked at: dt is 0 after a sequence's end, where the step is the identity.
    rule : Rule
    n_out : int
    keep : None, "full" or "low"
        States to store for `backward`: none, those of every stage (T*U*stages*N values a sequence), or those before
        every step (T*N), from which it runs the unfolds again.
    workspace : Workspace

    Returns
    -------
    motor (B, T, n_out), h_last (B, N), saved
    """
    (B, T, _), v = x.shape, h0
    motor = np.empty((B, T, n_out), x.dtype)
    states = []
    for t in range(T):
        _, sensory = circuit.from_inputs(x[:, t])
        *before, last = take_step(circuit, rule, v, unfold_length(dt, t, rule), sensory)
        states += {None: [], "low": [v], "full": before}[keep]
        v = last
        motor[:, t] = v[:, :n_out]
    return motor, v, _Saved(x, dt, states, v, keep) if keep else None


def backward(circuit, saved, d_motor, d_h, rule, want_dt, g, workspace):
    """Adjoint of `forward`: d_x (B, T, I), d_h0 (B, N), d_dt (B, T); parameter gradients are added to ``g``."""
    x, dt, states, h_last, keep = saved
    (_, T, _), K, d_v = x.shape, rule.evaluations, d_h
    d_x = np.zeros_like(x)
    d_dt = np.zeros_like(dt)
    for t in range(T - 1, -1, -1):
        h = unfold_length(dt, t, rule)
        s_sensory, sensory = circuit.from_inputs(x[:, t])
        if keep == "full":
            after = states[(t + 1) * K] if t + 1 < T else h_last
            history = [*states[t * K : (t + 1) * K], after]
        else:
            history = take_step(circuit, rule, states[t], h, sensory)
        step_d_sums = [0 for _ in sensory]
        d_v = d_v.copy()
        d_v[:, : d_motor.shape[2]] += d_motor[:, t]
        d_base = d_end = None
        for k in range(K - 1, -1, -1):
            stage = k % rule.stages
            base, v, new = history[k - stage], history[k], history[k + 1]
            d_sums, d_length, d_v, d_base, d_end = circuit.d_advance(
                rule.solver, stage, h, base, v, new, d_v, d_base, d_end, sensory, g
            )
            d_dt[:, t] += d_length.sum(1) / x.dtype.type(rule.unfolds)
            step_d_sums = [of_step + of_stage for of_step, of_stage in zip(step_d_sums, d_sums, strict=True)]
        d_x[:, t] = circuit.d_from_inputs(x[:, t], s_sensory, step_d_sums, g)
    return d_x, d_v, d_dt
