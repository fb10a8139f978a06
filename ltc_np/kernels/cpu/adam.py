"""Adam's change of the parameters in one pass; `change` means what `ltc_np.optim.Adam._change` does with NumPy."""

import math

from .jit import kernel


@kernel
def change(grad, m, v, delta, numbers):
    """Moments m and v, and what is to be subtracted, delta; all (P,); numbers: rate, take1, keep2, take2, epsilon."""
    rate, take1, keep2, take2, epsilon = numbers[0], numbers[1], numbers[2], numbers[3], numbers[4]
    for k in range(grad.size):
        m[k] += (grad[k] - m[k]) * take1
        v[k] = v[k] * keep2 + grad[k] * grad[k] * take2
        delta[k] = m[k] / (math.sqrt(v[k]) + epsilon) * rate
