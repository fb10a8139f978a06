"""Whether a peer computes the same numbers."""

import numpy as np

TOLERANCE = 1e-4  # float32 sums over B*T*U terms in another order; the peers differ by some 1e-6


def check(what, model, x, y, loss, gradient):
    """Raise ValueError unless the loss and each array of the flat gradient are ltc_np's, relative to the largest."""
    expected_loss, expected = model.loss_and_grad(x, y)
    errors = {"loss": abs(loss - expected_loss) / abs(expected_loss)}
    for name, (where, _) in model.layout.slices.items():
        errors[name] = np.abs(gradient[where] - expected[where]).max() / np.abs(expected[where]).max()
    worst = max(errors, key=lambda name: np.nan_to_num(errors[name], nan=np.inf))
    if not errors[worst] <= TOLERANCE:
        raise ValueError(
            f"{what} must have ltc_np's loss and gradient within {TOLERANCE}, got an error of {errors[worst]:.1e} in "
            f"{worst!r}"
        )
