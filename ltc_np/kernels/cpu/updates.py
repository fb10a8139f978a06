"""What steps of all optimisers do with the change that their own kernels compute.

A kernel ``step(gradient, *moments, theta, before, decay, now)`` is called by its address, on arrays (P,) that stay the
same: ``before`` is what theta was, and ``decay`` says which parameters decay, 1 or 0.
now (SIZE,): `FIRST` numbers, the second of them the share that decays, then those of the optimiser's own step, float64
"""

from .jit import helper

FIRST, SIZE = 2, 7


@helper
def subtract(k, delta, theta, before, decay, share):
    """Change parameter k by the optimiser's change, and by its decay."""
    before[k] = theta[k]
    theta[k] -= delta + theta[k] * decay[k] * share
