"""What the parameters of an LrcSSM have done to its potentials, carried along a stream: the definition in NumPy.

A unit reads no other, so what a parameter of unit i has done to the potentials is one number, that of v_i: a *trace* e.
A step multiplies it by D = dv+/dv, and adds what the parameter does in this step, dv+/dtheta with v held.
docs/online.md derives it.
"""

import numpy as np

from .lrc_ssm import backward_steps, synapses


def scratch(rule, I, N, dtype):
    """What `carry` works in: here nothing."""
    return ()


def carry(unit, kind, rule, mu, sigma, weights, x, dt, drives, h0, y, traces, scratch):
    """Take the traces through a step, of one sequence, that `ltc_np.kernels.numpy.lrc_ssm.forward_steps` has taken.

    Parameters
    ----------
    unit : (9, N) array
    kind : int
    rule : tuple
    mu, sigma : (I,) arrays
        Of the inputs' synapses.
    weights : (I, 2 * N) array
        Theirs, those of f and of z side by side.
    x (1, 1, I), dt (1, 1), drives (1, 2 * N), h0 (1, N), y (1, 1, N) : arrays
        Of the step: its input and length, the sums over the inputs, the potentials before and after.
    traces : (4 * I + U, N) array
        Of each unit's potential by mu, sigma, the weights of f and those of z of each input, and the first U parameters
        of the unit.  Those of mu and sigma, which all units share, are of the unit's own way to use them.
    scratch : tuple of arrays
    """
    N, dtype = h0.shape[1], traces.dtype
    s, d_v, d_drives = np.empty((1, len(mu)), dtype), np.ones((1, N), dtype), np.empty((1, 2 * N), dtype)
    own, none = np.zeros(unit.shape), np.empty((0, 0), dtype)
    synapses(mu, sigma, 0, 1, 0, 1, x, s)
    # The adjoint of a step, of a 1 for each unit: none of them reads another, so each gets the derivatives of its own.
    backward_steps(
        unit, kind, rule, 0, 1, 0, 1, dt, drives, h0, y, np.zeros((1, 1, N), dtype), d_v, d_drives, none, own, None
    )
    d_f, d_z, s = d_drives[0, :N], d_drives[0, N:], s[0, :, None]
    d_s = (d_f * weights[:, :N] + d_z * weights[:, N:]) * (s * (1 - s))
    direct = [-sigma[:, None] * d_s, (x[0, 0] - mu)[:, None] * d_s, s * d_f, s * d_z]
    traces[:] = d_v * traces + np.concatenate([*direct, own[: len(traces) - 4 * len(mu)].astype(dtype)])
