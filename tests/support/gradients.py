"""The error of a model's gradients by finite differences, in a time that fits the backend."""

from ltc_np import gradcheck


def worst(model, x, *, dt=None, **options):
    """The largest relative error: coordinate by coordinate, or with NumPy along five random directions.

    NumPy takes some milliseconds for a call, and there are two calls for every number; its gradients are compared with
    those of the compiled kernels, array by array, in the battery.
    """
    if model.backend == "numpy":
        return max(gradcheck.direction(model, x, dt=dt, seed=seed, **options) for seed in range(5))
    return max(gradcheck.check(model, x, dt=dt, **options).values())
