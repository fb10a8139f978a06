"""Losses: sum, weight and derivative over the elements of a batch.

A loss is a function ``loss(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)`` with

    total = sum_i w_i l_i        weight_sum = sum_i w_i        d_y = d(total) / d(y)

so that the loss of a batch is ``total / weight_sum`` (`normalise`), its gradient ``d_y / weight_sum``, and
shards of a batch combine exactly by adding.  Sizes: B batch, T time, O outputs; ``y`` is (B, T, O) or (B, O),
float.  Elements are computed in the dtype of ``y`` and summed in float64, in an order that does not depend on
the number of threads.

`check_target` validates a whole target array once; the losses themselves, called for every batch, check
shapes only.
"""

from functools import partial

import numpy as np

from .base import checks

__all__ = [
    "binary_cross_entropy",
    "check_target",
    "cross_entropy",
    "get",
    "huber",
    "mae",
    "mse",
    "normalise",
    "takes_weight",
]


def mse(y, target, weight=None, class_weight=None):
    """Squared error: l = (y - target)**2.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
    target : array of y's shape
    weight : array of shape y.shape[:-1], >= 0, or None
        Weight of all O outputs of a step; None is 1 everywhere.
    class_weight : None
        There are no classes here; anything else is a ValueError.

    Returns
    -------
    total : float
        Sum of w l over all (b, t, o).
    weight_sum : float
        O times the sum of ``weight``, so that ``total / weight_sum`` is the mean when all weights are 1.
    d_y : array of y's shape and dtype
        2 w (y - target).

    Raises
    ------
    ValueError
        A shape that differs, or a ``class_weight``.

    Examples
    --------
    >>> y, target = np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([[1.0, 0.0], [3.0, 3.0]])
    >>> total, weight_sum, d_y = mse(y, target)
    >>> total, weight_sum, normalise(total, weight_sum)
    (5.0, 4.0, 1.25)
    >>> d_y.tolist()
    [[0.0, 4.0], [0.0, 2.0]]
    >>> mse(y, target, weight=np.array([0.0, 1.0]))[:2]
    (1.0, 2.0)
    """
    _check_regression(y, target, weight, class_weight)
    error = np.subtract(y, target, dtype=y.dtype)
    return _weigh(error * error, error + error, weight)


def mae(y, target, weight=None, class_weight=None):
    """Absolute error: l = abs(y - target), with derivative sign(y - target), which is 0 at the kink.

    Parameters, returns and errors are those of `mse`.

    Examples
    --------
    >>> total, weight_sum, d_y = mae(np.array([[1.0, -2.0, 5.0]]), np.array([[1.0, 0.0, 2.0]]))
    >>> total, weight_sum, d_y.tolist()
    (5.0, 3.0, [[0.0, -1.0, 1.0]])
    """
    _check_regression(y, target, weight, class_weight)
    error = np.subtract(y, target, dtype=y.dtype)
    return _weigh(np.abs(error), np.sign(error), weight)


def huber(y, target, weight=None, class_weight=None, *, delta=1.0):
    """Squared near the target, absolute far away; with e = y - target,

        l = e**2 / 2                        if abs(e) <= delta
        l = delta * (abs(e) - delta / 2)    otherwise
        dl/dy = max(-delta, min(e, delta))

    Parameters, returns and errors are those of `mse`, and

    Parameters
    ----------
    delta : float > 0
        Where the two branches meet (value and slope agree there).  Elsewhere in the library a loss is an
        argument; write ``functools.partial(huber, delta=0.1)``.

    References
    ----------
    Huber, "Robust estimation of a location parameter", Ann. Math. Statist. 35 (1964), 73-101.

    Examples
    --------
    >>> total, weight_sum, d_y = huber(np.array([[0.5, 3.0]]), np.array([[0.0, 0.0]]))
    >>> total, weight_sum, d_y.tolist()
    (2.625, 2.0, [[0.5, 1.0]])
    """
    if not 0 < delta < np.inf:
        raise ValueError(f"`delta` must be a finite number > 0, got {delta!r}")
    _check_regression(y, target, weight, class_weight)
    error = np.subtract(y, target, dtype=y.dtype)
    delta = float(delta)  # a NumPy scalar would promote float32
    slope = np.minimum(np.maximum(error, -delta), delta)
    return _weigh(slope * (error - slope / 2), slope, weight)  # both branches: slope is e or +-delta


def cross_entropy(y, target, weight=None, class_weight=None):
    """Softmax cross-entropy of logits, one element per step:

        l = log(sum_o exp(y_o)) - y_c          dl/dy_o = exp(y_o) / sum_o' exp(y_o') - [o == c]

    with c the target; the largest logit is subtracted first, so that nothing overflows.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
        Logits, O >= 2.
    target : int array of shape y.shape[:-1]
        Classes in 0..O-1 (`check_target` makes sure of the range).
    weight : array of shape y.shape[:-1], >= 0, or None
    class_weight : (O,) array >= 0, or None
        Multiplies the weight of an element by the entry of its target.

    Returns
    -------
    total, weight_sum : float
        Sums over (b, t) of w l and of w; the mean is torch's weighted mean.
    d_y : array of y's shape and dtype

    Raises
    ------
    TypeError
        A target that is not made of integers.
    ValueError
        A shape that differs, or a ``class_weight`` that is not (O,), finite and >= 0.

    Examples
    --------
    >>> total, weight_sum, d_y = cross_entropy(np.array([[0.0, 0.0], [0.0, 1000.0]]), np.array([0, 1]))
    >>> round(total, 6), weight_sum, d_y.tolist()
    (0.693147, 2.0, [[-0.5, 0.5], [0.0, 0.0]])
    """
    _check_shapes(y, target, y.shape[:-1], weight)
    if target.dtype.kind not in "iu":
        raise TypeError(f"`target` of cross_entropy must be integer classes, got dtype {target.dtype}")
    classes = target.ravel()
    rows = np.arange(classes.size)
    logits = y.reshape(classes.size, y.shape[-1])
    logits = logits - logits.max(axis=1, keepdims=True)
    chosen = logits[rows, classes]
    d_y = np.exp(logits, out=logits)
    norm = d_y.sum(axis=1, keepdims=True)
    elements = np.log(norm[:, 0]) - chosen
    d_y /= norm
    d_y[rows, classes] -= 1
    if class_weight is not None:
        scale = _class_weight(class_weight, y.shape[-1], y.dtype)[classes].reshape(target.shape)
        weight = scale if weight is None else scale * weight
    total, weight_sum, d_y = _weigh(elements[:, None], d_y, None if weight is None else weight.ravel())
    return total, weight_sum, d_y.reshape(y.shape)


def binary_cross_entropy(y, target, weight=None, class_weight=None):
    """Logistic cross-entropy of logits, one element per output; with p = 1 / (1 + exp(-y)),

        l = -a log(p) - b log(1 - p)           a = target           (times class_weight[1])
        dl/dy = b p - a (1 - p)                b = 1 - target       (times class_weight[0])

    computed as a log(1 + exp(-y)) + b log(1 + exp(y)) from exp(-abs(y)), which cannot overflow.

    Parameters
    ----------
    y : (B, T, O) or (B, O) float array
        Logits.
    target : array of y's shape, values in [0, 1], or int or bool array of shape y.shape[:-1] when O == 1
        Probability of the positive class (`check_target` makes sure of the range).
    weight : array of shape y.shape[:-1], >= 0, or None
    class_weight : (2,) array >= 0, or None
        Weights of the negative and of the positive class.  A target in between belongs to both, to each in
        part.

    Returns
    -------
    total : float
        Sum of w l over all (b, t, o).
    weight_sum : float
        Sum of w (a + b) over the same elements: O times the sum of ``weight`` without ``class_weight``.
    d_y : array of y's shape and dtype

    Raises
    ------
    ValueError
        A shape that differs, or a ``class_weight`` that is not (2,), finite and >= 0.

    Examples
    --------
    >>> total, weight_sum, d_y = binary_cross_entropy(np.array([[0.0], [1000.0]]), np.array([[1.0], [1.0]]))
    >>> round(total, 6), weight_sum, d_y.tolist()
    (0.693147, 2.0, [[-0.5], [0.0]])
    """
    if y.shape[-1] == 1 and target.shape == y.shape[:-1] and target.dtype.kind in "iub":
        target = target[..., None]
    _check_shapes(y, target, y.shape, weight)
    positive = target.astype(y.dtype)
    negative = 1 - positive
    sizes = None
    if class_weight is not None:
        scale = _class_weight(class_weight, 2, y.dtype)
        negative *= scale[0]
        positive *= scale[1]
        sizes = positive + negative
    small = np.exp(-np.abs(y))
    # log(1 + exp(y)) = max(y, 0) + log(1 + exp(-|y|)); 1 - p from the exponential too, or its digits are lost
    elements = (positive + negative) * np.log1p(small)
    elements += positive * np.maximum(-y, 0) + negative * np.maximum(y, 0)
    p = np.where(y >= 0, 1, small) / (1 + small)
    q = np.where(y >= 0, small, 1) / (1 + small)
    return _weigh(elements, negative * p - positive * q, weight, sizes)


_FUNCTIONS = {f.__name__: f for f in (mse, mae, huber, cross_entropy, binary_cross_entropy)}


class NoWeightError(ValueError):
    """Every valid element of a batch has weight 0."""


def normalise(total, weight_sum):
    """The loss of a batch, ``total / weight_sum``.

    Parameters
    ----------
    total, weight_sum : float
        What a loss returned, or sums of those over shards.

    Raises
    ------
    ValueError
        If ``weight_sum`` is not positive: all weights are 0, or there is no valid element at all.

    Examples
    --------
    >>> normalise(3.0, 2.0)
    1.5
    """
    if not weight_sum > 0:
        raise NoWeightError(f"sample and class weights must not be 0 for every valid element, got the sum {weight_sum}")
    return total / weight_sum


def get(loss):
    """The loss function of a name or a callable.

    Parameters
    ----------
    loss : str or callable
        ``"mse"``, ``"mae"``, ``"huber"``, ``"cross_entropy"``, ``"binary_cross_entropy"``; one of these
        functions or a `functools.partial` of one; or a function ``(y, target) -> (value, d_y)`` of your own,
        where ``value`` is the loss of the batch, already averaged as you like, and ``d_y`` its derivative, of
        y's shape.  Yours gets all elements, padding included (y and target are 0 there), and no weights.

    Returns
    -------
    function ``(y, target, weight=None, class_weight=None) -> (total, weight_sum, d_y)``
        Yours is wrapped: total is ``value``, weight_sum is 1, and a weight is refused.

    Raises
    ------
    ValueError
        An unknown name.
    TypeError
        Neither a name nor a callable.

    Examples
    --------
    >>> get("mse") is mse
    True
    >>> mine = get(lambda y, target: (float(y.sum()), np.ones_like(y)))
    >>> mine(np.ones((2, 3)), np.zeros((2, 3)))[:2]
    (6.0, 1.0)
    """
    if isinstance(loss, str):
        if loss not in _FUNCTIONS:
            raise ValueError(f"`loss` must be one of {', '.join(_FUNCTIONS)} or a callable, got {loss!r}")
        return _FUNCTIONS[loss]
    if not callable(loss):
        raise TypeError(f"`loss` must be one of {', '.join(_FUNCTIONS)} or a callable, got {loss!r}")
    if _own_name(loss) is not None or isinstance(loss, _UserLoss):
        return loss
    return _UserLoss(loss)


def takes_weight(loss):
    """Whether a loss weighs its elements: the library's do, a function of your own does not."""
    return isinstance(loss, str) or (not isinstance(loss, _UserLoss) and _own_name(loss) is not None)


def check_target(loss, y_shape, target, dtype, valid=None, argument="target"):
    """Validate the target of a loss and cast it for fast use.

    Parameters
    ----------
    loss : str or callable
        As for `get`, or what `get` returned.
    y_shape : tuple of int
        (B, T, O) or (B, O), the shape of the prediction.
    target : array_like
        Real numbers of shape ``y_shape`` for mse, mae and huber; integers in 0..O-1 of shape ``y_shape[:-1]``
        for cross_entropy; numbers in [0, 1] of shape ``y_shape``, or integers or bools of shape
        ``y_shape[:-1]`` when O == 1, for binary_cross_entropy; anything numeric with B as first size for a
        function of your own. Nothing is broadcast.
    dtype : float dtype
        That of the model.
    valid : bool array of shape y_shape[:-1], or None
        Elements outside are not read (they may be NaN) and come back as 0; None is all valid.
    argument : str
        What errors call the target.

    Returns
    -------
    contiguous array, possibly ``target`` itself
        Classes as intp, everything else in ``dtype``.  A binary_cross_entropy target always gets the shape
        ``y_shape``.  For a function of your own, integers become intp and bools stay.

    Raises
    ------
    TypeError
        Object, complex, string, ... values, or numbers that are no integers for cross_entropy.
    ValueError
        A wrong shape, NaN, an infinity, a class or a probability out of range.

    Examples
    --------
    >>> check_target("mse", (1, 3), [[1, 2, 3]], np.float32)
    array([[1., 2., 3.]], dtype=float32)
    >>> valid = np.array([[True, True, False]])
    >>> check_target("cross_entropy", (1, 3, 4), [[3, 0, -1]], np.float32, valid).tolist()
    [[3, 0, 0]]
    >>> check_target("cross_entropy", (1, 3, 4), [[3, 0, -1]], np.float32)
    Traceback (most recent call last):
    ValueError: `target` of cross_entropy must be classes in 0..3, got -1
    """
    function = get(loss)
    y_shape = tuple(y_shape)
    target = checks.plain(argument, target)
    if target.dtype.kind not in "biuf":
        raise TypeError(f"`{argument}` must be real numbers, got dtype {target.dtype}")
    if valid is not None:
        valid = np.asarray(valid)
        if valid.dtype != bool or valid.shape != y_shape[:-1]:
            raise ValueError(f"`valid` must be bool of shape {y_shape[:-1]}, got {_describe(valid)}")

    name = _own_name(function)
    if name is None:
        return _check_free(y_shape, target, dtype, valid, argument)
    if name == "cross_entropy":
        return _check_classes(y_shape, target, valid, argument)
    shape = y_shape
    also = ""
    if name == "binary_cross_entropy" and y_shape[-1] == 1:
        also = f" (or be integers of shape {y_shape[:-1]})"
        if target.dtype.kind in "biu" and target.ndim < len(y_shape):
            shape = y_shape[:-1]
    if target.shape != shape:
        raise ValueError(f"`{argument}` of {name} must have shape {y_shape}{also}, got {_describe(target)}")
    if name == "binary_cross_entropy":
        values = target if valid is None else target[valid]
        outside = ~((values >= 0) & (values <= 1))  # also true for NaN
        if outside.any():
            raise ValueError(f"`{argument}` of {name} must be in [0, 1], got {values[outside].flat[0]}")
    return _check_finite(target, dtype, valid, argument).reshape(y_shape)


def _check_classes(y_shape, target, valid, argument):
    size = y_shape[-1]
    if size < 2:
        raise ValueError(f"cross_entropy needs at least 2 outputs, got {size} (use binary_cross_entropy)")
    if target.dtype.kind not in "iu":
        raise TypeError(f"`{argument}` of cross_entropy must be integer classes, got dtype {target.dtype}")
    if target.shape != y_shape[:-1]:
        raise ValueError(f"`{argument}` of cross_entropy must have shape {y_shape[:-1]}, got {target.shape}")
    values = target if valid is None else target[valid]
    outside = (values < 0) | (values >= size)
    if outside.any():
        got = values[outside].flat[0]
        raise ValueError(f"`{argument}` of cross_entropy must be classes in 0..{size - 1}, got {got}")
    return np.ascontiguousarray(_blank(target, valid), dtype=np.intp)


def _check_free(y_shape, target, dtype, valid, argument):
    """Target of a user's own loss: only that it can be cut into batches, and is finite where it is valid."""
    if target.ndim == 0 or target.shape[0] != y_shape[0]:
        raise ValueError(f"`{argument}` must have first size {y_shape[0]}, the batch, got shape {target.shape}")
    if valid is not None and target.shape[: valid.ndim] != valid.shape:
        valid = None  # not one target per step: the whole array counts
    if target.dtype.kind == "f":
        return _check_finite(target, dtype, valid, argument)
    target = _blank(target, valid)
    return np.ascontiguousarray(target, dtype=bool if target.dtype.kind == "b" else np.intp)


def _check_finite(target, dtype, valid, argument):
    if valid is None and target.dtype == dtype and target.flags.c_contiguous and checks.surely_finite(target):
        return target
    target = _blank(target, valid)
    with np.errstate(over="ignore"):  # reported as the infinity it becomes
        cast = np.ascontiguousarray(target, dtype=dtype)
    bad = ~np.isfinite(cast)
    if bad.any():
        where = tuple(int(k) for k in np.argwhere(bad)[0])
        raise ValueError(f"`{argument}` must be finite in {np.dtype(dtype)}, got {target[where]} at {where}")
    return cast


def _blank(target, valid):
    if valid is None or valid.all():
        return target
    target = target.copy()
    target[~valid] = 0
    return target


def _own_name(loss):
    """The name of one of this module's losses, also under a partial; None for anything else."""
    function = loss.func if isinstance(loss, partial) else loss
    return next((name for name, own in _FUNCTIONS.items() if own is function), None)


class _UserLoss:
    """A user's ``(y, target) -> (value, d_y)`` with the signature of the others."""

    def __init__(self, function):
        self.function = function
        self.__name__ = getattr(function, "__name__", type(function).__name__)

    def __call__(self, y, target, weight=None, class_weight=None):
        if weight is not None or class_weight is not None:
            given = "weight" if weight is not None else "class_weight"
            raise ValueError(f"`{given}` must be None with a loss of your own ({self.__name__}), got one")
        result = self.function(y.copy(), target.copy())  # yours may work in place
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(f"{self.__name__} must return a tuple (value, d_y), got {_describe(result)}")
        value, d_y = np.asarray(result[0]), np.asarray(result[1])
        if value.size != 1 or value.dtype.kind not in "fiu":
            got = _describe(result[0])
            raise TypeError(f"{self.__name__} must return one real number as value, got {got}")
        if d_y.shape != y.shape or d_y.dtype.kind not in "fiu":
            got = _describe(result[1])
            raise ValueError(f"{self.__name__} must return a real d_y of shape {y.shape}, got {got}")
        return float(value.item()), 1.0, d_y.astype(y.dtype)  # a copy: the caller scales it in place


def _describe(value):
    if isinstance(value, np.ndarray):
        return f"{value.dtype} of shape {value.shape}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    return f"{type(value).__name__} {value!r:.40}"


def _check_shapes(y, target, target_shape, weight):
    if y.dtype.kind != "f":
        raise TypeError(f"`y` must be a float array, got dtype {y.dtype}")
    if target.shape != target_shape:
        raise ValueError(f"`target` must have shape {target_shape}, got {target.shape}")
    if weight is not None and weight.shape != y.shape[:-1]:
        raise ValueError(f"`weight` must have shape {y.shape[:-1]}, got {weight.shape}")


def _check_regression(y, target, weight, class_weight):
    _check_shapes(y, target, y.shape, weight)
    if class_weight is not None:
        raise ValueError(f"`class_weight` must be None for a loss without classes, got {class_weight!r}")


def _class_weight(class_weight, size, dtype):
    scale = checks.plain("class_weight", class_weight)
    if scale.shape != (size,) or scale.dtype.kind not in "biuf":
        raise ValueError(f"`class_weight` must be {size} real numbers, got {_describe(class_weight)}")
    if not (np.isfinite(scale) & (scale >= 0)).all():
        raise ValueError(f"`class_weight` must be finite and >= 0, got {class_weight!r}")
    if not ((scale == 0) | ((scale >= 1e-15) & (scale <= 1e15))).all():  # float32 must hold products with others
        raise ValueError(f"`class_weight` must be 0 or in [1e-15, 1e15], got {class_weight!r}")
    return scale.astype(dtype)


def _weigh(elements, d_y, weight, sizes=None):
    """Sum ``elements`` (..., O) and scale ``d_y`` in place by ``weight`` (...); ``sizes`` (..., O) are
    elements' own weights, already inside ``elements`` and ``d_y``, None for 1.

    Sums go through ufunc reductions: BLAS would be as fast, but its order depends on the number of threads.
    """
    if weight is None:
        weight_sum = float(elements.size) if sizes is None else float(np.add.reduce(sizes, None, np.float64))
        return float(np.add.reduce(elements, None, np.float64)), weight_sum, d_y
    weight = np.asarray(weight, dtype=np.float64)[..., None]
    if sizes is None:
        weight_sum = elements.shape[-1] * float(np.sum(weight))
    else:
        weight_sum = float(np.sum(weight * sizes))
    d_y *= weight.astype(d_y.dtype)
    return float(np.sum(weight * elements)), weight_sum, d_y
