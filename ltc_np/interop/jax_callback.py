"""Functions of NumPy inside JAX.

`jax.pure_callback` puts the arguments of a callback on a device again, a copy that a thread of JAX's pool makes, while
the callback holds a thread of it: with one core, or with as many callbacks at once as there are cores, both wait for
ever (as in JAX's issue 24255).  Here the callback gets XLA's own arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base.optional import need

jax: Any = need("jax", "jax", "`ltc_np.interop.jax`")
extend: Any = need("jax.extend.core", "jax", "`ltc_np.interop.jax`")
mlir: Any = need("jax.interpreters.mlir", "jax", "`ltc_np.interop.jax`")
batching: Any = need("jax.interpreters.batching", "jax", "`ltc_np.interop.jax`")

CALL = extend.Primitive("ltc_np_call")
CALL.multiple_results = True


def callback(host: Callable[..., Any], shapes: Any, *arguments: Any) -> Any:
    """``host(*arguments)``, a tree of arrays of these ``shapes``; the arguments, trees too, come as arrays of NumPy.

    They are XLA's own and valid only during the call.  `jax.vmap` calls once for each element.
    """
    flat, form = jax.tree.flatten(arguments)
    wanted, answer_form = jax.tree.flatten(shapes)

    def flat_host(*arrays: Any) -> tuple[Any, ...]:
        found = host(*jax.tree.unflatten(form, [np.asarray(a) for a in arrays]))
        return tuple(np.asarray(a, w.dtype) for a, w in zip(jax.tree.leaves(found), wanted, strict=True))

    found = CALL.bind(*flat, host=flat_host, shapes=tuple((w.shape, w.dtype) for w in wanted))
    return jax.tree.unflatten(answer_form, found)


@CALL.def_impl
def _now(*arrays: Any, host: Callable[..., Any], shapes: Any) -> Any:
    return [jax.numpy.asarray(a) for a in host(*arrays)]


@CALL.def_abstract_eval
def _forms(*arrays: Any, host: Callable[..., Any], shapes: Any) -> Any:
    return [jax.core.ShapedArray(*form) for form in shapes]


def _compile(context: Any, *operands: Any, host: Callable[..., Any], shapes: Any) -> Any:
    forms = context.avals_in, context.avals_out
    return mlir.emit_python_callback(context, host, None, list(operands), *forms, has_side_effect=False)[0]


def _one_by_one(arrays: Any, axes: Any, **parameters: Any) -> Any:
    """The rule of `jax.vmap`: a loop over what has an axis, the rest as it is."""
    at = [k for k, axis in enumerate(axes) if axis is not None]

    def one(slices: Any) -> Any:
        whole = list(arrays)
        for k, part in zip(at, slices, strict=True):
            whole[k] = part
        return CALL.bind(*whole, **parameters)

    found = jax.lax.map(one, [jax.numpy.moveaxis(arrays[k], axes[k], 0) for k in at])
    return found, [0] * len(found)


mlir.register_lowering(CALL, _compile)
batching.primitive_batchers[CALL] = _one_by_one
