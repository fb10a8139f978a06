"""What the losses check in every batch: shapes only."""


def check_shapes(y, target, target_shape, weight):
    """Refuse arrays that do not go together."""
    if y.dtype.kind != "f":
        raise TypeError(f"`y` must be a float array, got dtype {y.dtype}")
    if target.shape != target_shape:
        raise ValueError(f"`target` must have shape {target_shape}, got {target.shape}")
    if weight is not None and weight.shape != y.shape[:-1]:
        raise ValueError(f"`weight` must have shape {y.shape[:-1]}, got {weight.shape}")


def check_regression(y, target, weight, class_weight):
    """The same for a loss without classes."""
    check_shapes(y, target, y.shape, weight)
    if class_weight is not None:
        raise ValueError(f"`class_weight` must be None for a loss without classes, got {class_weight!r}")
