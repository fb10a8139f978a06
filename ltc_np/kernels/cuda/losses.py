"""The losses of `ltc_np.losses` on the device: a thread owns an output, a step of a sequence or its last.

y and d_y are (T, B, O), time first; targets and weights as the library has them, (B, T, ...) or (B, ...).
"""

import math

import numpy as np

from ...base import checks
from .. import losses
from ..codes import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, LOSSES
from . import sums
from .device import cuda, helper, kernel, launch_over, upload

u = np.uint64
of_error, of_logit = helper(losses.of_error), helper(losses.of_logit)


@helper
def _row(n, steps, B, T, last):
    """Of output n: its row in y, its row in the target, and whether there is one."""
    if last:
        return u(max(steps[n] - 1, 0)) * B + n, n, steps[n] > 0
    return n, n % B * T + n // B, True


@kernel
def elementwise(kind, parameters, y, target, weight, scale, steps, B, T, O, last, elements, d_y):
    """elements: each output's loss times its weight; d_y: its derivative times scale.

    weight: of each output, or of each of its O numbers, or empty.
    """
    n = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if n < u(elements.size):
        at, to, there = _row(n, steps, B, T, last)
        total = y.dtype.type(0)
        if there:
            single = weight.size > elements.size
            w = weight[to] if weight.size > 0 and not single else y.dtype.type(1)
            for o in range(O):
                z, wanted = y[at * O + u(o)], target[to * O + u(o)]
                if kind == BINARY_CROSS_ENTROPY:
                    value, slope = of_logit(parameters, z, wanted)
                else:
                    value, slope = of_error(kind, parameters, z - wanted, o)
                own = w
                if single:
                    own = weight[to * O + u(o)]
                    value *= own
                total += value
                d_y[at * O + u(o)] = slope * (own * scale)
            total *= w
        elements[n] = total


@kernel
def classes(class_weight, y, target, weight, scale, steps, B, T, O, last, elements, d_y):
    """The same for cross-entropy: target holds classes, class_weight is (O,) or empty."""
    n = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if n < u(elements.size):
        at, to, there = _row(n, steps, B, T, last)
        zero = y.dtype.type(0)
        value = zero
        if there:
            c = u(target[to])
            w = weight[to] if weight.size > 0 else y.dtype.type(1)
            w *= class_weight[c] if class_weight.size > 0 else y.dtype.type(1)
            most = y[at * O]
            for o in range(O):
                most = max(most, y[at * O + u(o)])
            norm = zero
            for o in range(O):
                norm += math.exp(y[at * O + u(o)] - most)
            for o in range(O):
                p = math.exp(y[at * O + u(o)] - most) / norm
                d_y[at * O + u(o)] = (p - y.dtype.type(1) if u(o) == c else p) * (w * scale)
            value = w * (math.log(norm) - (y[at * O + c] - most))
        elements[n] = value


class DeviceLoss:
    """One of the losses, weighed.

    Parameters
    ----------
    name : str
        One of `ltc_np.kernels.codes.LOSSES`.
    parameters : tuple
        Of huber delta; of quantile the quantiles; of the cross-entropies the classes' weights, or () for 1.
    dtype : numpy.dtype
    last : bool
        Whether outputs are those of each sequence's last step.
    """

    def __init__(self, name, parameters, dtype, last):
        checks.must_know(__name__, "loss", name, losses.KNOWN)
        self.kind, self.dtype, self.last = LOSSES.index(name), dtype, last
        self.parameters = upload(np.array(parameters, dtype))

    def run(self, y, target, weight, weight_sum, sequences, total, memory):
        """Adds the loss to total (1,), float64; returns d_y (T, B, O), both divided by the sum of weights."""
        T, B, real = sequences.T, sequences.B, self.dtype.type
        rows = B if self.last else T * B
        elements = memory.array("elements", rows, self.dtype)
        d_y = (memory.zeros if self.last else memory.array)("d_y", y.size, self.dtype)
        given = {"y": y, "target": target, "weight": weight, "scale": real(1 / weight_sum), "steps": sequences.steps}
        given |= {"B": u(B), "T": u(T), "O": u(y.size // (T * B)), "last": self.last, "elements": elements, "d_y": d_y}
        if self.kind == CROSS_ENTROPY:
            launch_over(rows, classes, class_weight=self.parameters, **given)
        else:
            launch_over(rows, elementwise, kind=self.kind, parameters=self.parameters, **given)
        sums.add_columns(elements, None, 1, rows, total, memory)
        return d_y
