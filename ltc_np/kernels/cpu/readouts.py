"""A readout's step by least mean squares, and what is logged of it, in one pass: see `ltc_np.online.lms`."""

import math

from ..codes import DEPLOYED_LOSS, DISTANCE, LEARNT_LOSS
from .jit import kernel


@kernel
def learn(W, deployed, f, target, then, error, rate, epsilon, share, moved, told):
    """moved (O, F) = W + rate / (epsilon + share |f|^2) error f, and ``told`` as `ltc_np.kernels.codes` has it.

    f (F,): features;  target (O,);  then, error (O,): the errors of the answer and of W;  deployed (O, F)
    """
    squares = 0.0
    for k in range(f.size):
        squares += f[k] * f[k]
    size = W.dtype.type(rate / (epsilon + share * squares))
    told[LEARNT_LOSS] = told[DEPLOYED_LOSS] = apart = 0.0
    for o in range(W.shape[0]):
        told[LEARNT_LOSS] += then[o] * then[o] / error.size
        left = target[o]
        for k in range(f.size):
            left -= deployed[o, k] * f[k]
            moved[o, k] = W[o, k] + error[o] * (size * f[k])
            apart += (moved[o, k] - deployed[o, k]) ** 2
        told[DEPLOYED_LOSS] += left * left / error.size
    told[DISTANCE] = math.sqrt(apart)
