"""From effective values of parameters back to raw ones: the definition."""


def d_effective(layout, values, d_values):
    """The gradient of raw parameters (P,), of the dtype of the effective ``values``, from theirs, ``d_values`` float64.

    ``d_values`` may be written to.
    """
    return layout.d_effective(values, d_values).astype(values.dtype)
