"""Models inside JAX: a function whose value and gradient are those of this library, computed on the processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..base.optional import need
from ..base.types import Memory
from ..model import Model
from ..network.engine import Answer
from ..network.sequences import check_memory, read
from .functional import at, check_theta, checked, run
from .jax_callback import callback

jax: Any = need("jax", "jax", "`ltc_np.interop.jax`")
jnp = jax.numpy


def jax_function(model: Model, *, memory: Memory = "full") -> Callable[..., Any]:
    """A model of this library as a pure function of JAX, for `jax.jit`, `jax.grad` and `jax.vmap`.

    Parameters
    ----------
    model : Model
        Its layers, buffers, backend, ``return_sequences`` and what is frozen, as they are now.
    memory : "full" or "low"
        As for `Model.forward`.

    Returns
    -------
    function
        ``function(theta, x, *, dt=None, lengths=None, h0=None, dropout_seed=None, return_state=False)``: outputs, or
        outputs and the last state.  ``theta`` (P,) are all parameters, raw, at first ``model.theta``; its dtype is that
        of the computation, and other real numbers are cast to it.  Everything else is as for `Model`; with
        ``dropout_seed``, an integer that may be traced, as for `Model.forward`.

    Raises
    ------
    ImportError
        There is no JAX; the extra ``jax`` brings it.

    Notes
    -----
    Gradients are those of theta, x, dt and h0, the ones of x and dt only where they are asked for.  There are neither
    second derivatives nor forward mode.  JAX calls this library back for values and for gradients, and keeps no tape:
    a gradient computes the outputs once more.  `jax.vmap` calls it once for each element, one after another; a batch
    (B, T, I) is much faster.  Shapes are checked when JAX traces; what only numbers show, such as a NaN, is an error of
    JAX that ends with this library's line.

    Examples
    --------
    >>> import jax
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.interop.jax import jax_function
    >>> model = LTCRNN(AutoNCP(16, 2), input_dim=3, seed=0)
    >>> function = jax.jit(jax_function(model))
    >>> gradient = jax.grad(lambda theta, x: (function(theta, x, dt=0.5) ** 2).mean())
    >>> gradient(model.theta, jax.numpy.ones((8, 20, 3))).shape == model.theta.shape
    True
    """
    keep, own = check_memory(memory), at(checked(model), model.theta, model.buffer_vector)

    def answer(keep: Memory | None, *arguments: Any) -> Answer:
        theta, x, dt, h0, lengths, seed = arguments
        return run(at(own, theta, own.buffer_vector), x, dt, lengths, h0, keep, None if seed is None else int(seed))

    def host_forward(*arguments: Any) -> Any:
        return answer(None, *arguments)[:2]

    @jax.custom_vjp
    def call(theta: Any, x: Any, dt: Any, h0: Any, lengths: Any, seed: Any) -> Any:
        given = read(own, _blank(x), _blank(dt), _blank(lengths), _blank(h0), own.return_sequences)
        B, pace = len(given.sequences.x), own.pace(given.sequences)
        y = given.outputs(np.broadcast_to(0.0, (B, pace.T, own.output_size)), pace)
        shapes = [jax.ShapeDtypeStruct(a.shape, theta.dtype) for a in (y, given.state(given.sequences.h0))]
        return callback(host_forward, shapes, theta, x, dt, h0, lengths, seed)

    def forward(*primals: Any) -> Any:
        asked = tuple(p is not None and p.perturbed for p in primals[1:3])
        values = [None if p is None else p.value for p in primals]
        # Flags as the form of a tree, which JAX keeps, and not as its numbers, which it traces.
        return call(*values), (values, [{} if want else None for want in asked])

    @jax.custom_jvp
    def gradient(flags: Any, d_y: Any, d_state: Any, *arguments: Any) -> Any:
        want_x, want_dt = (flag is not None for flag in flags)
        theta, x, dt, h0, *_ = arguments
        wanted = theta, x if want_x else None, h0, dt if want_dt else None
        shapes = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape, theta.dtype), wanted)

        def host_backward(d_y: Any, d_state: Any, *arguments: Any) -> Any:
            tape = answer(keep, *arguments).tape
            g = tape.calls.differentiate(tape, d_y, d_state, want_x, want_dt)
            return tuple(None if shape is None else values for shape, values in zip(shapes, g, strict=True))

        return callback(host_backward, shapes, d_y, d_state, *arguments)

    @gradient.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        raise TypeError("ltc_np has first derivatives only: a gradient of a `jax_function` cannot be differentiated")

    def backward(residuals: Any, adjoints: Any) -> Any:
        values, flags = residuals
        zero = jax.custom_derivatives.SymbolicZero
        d_y, d_state = (jnp.zeros(a.shape, a.dtype) if isinstance(a, zero) else a for a in adjoints)
        d_theta, d_x, d_h0, d_dt = gradient(flags, d_y, d_state, *values)
        return d_theta, d_x, d_dt, d_h0, None, None

    call.defvjp(forward, backward, symbolic_zeros=True)

    @with_signature_hints
    def function(
        theta: Any,
        x: Any,
        *,
        dt: Any = None,
        lengths: Any = None,
        h0: Any = None,
        dropout_seed: Any = None,
        return_state: bool = False,
    ) -> Any:
        with_state = checks.boolean("return_state", return_state)
        theta = jnp.asarray(theta)
        check_theta(own, theta)
        reals = [_cast(name, value, theta.dtype) for name, value in (("x", x), ("dt", dt), ("h0", h0))]
        wholes = [None if value is None else jnp.asarray(value) for value in (lengths, dropout_seed)]
        y, state = call(theta, *reals, *wholes)
        return (y, state) if with_state else y

    return function


def _cast(name: str, value: Any, dtype: Any) -> Any:
    """Real numbers as an array of this dtype; None for None."""
    if value is None:
        return None
    array = jnp.asarray(value)
    if jnp.iscomplexobj(array):
        raise TypeError(f"`{name}` must be real, got {array.dtype.name}")
    return array.astype(dtype)


def _blank(array: Any) -> Any:
    """Numbers that fit wherever this array's shape does, for checks while JAX traces."""
    return None if array is None else np.ones(array.shape, array.dtype)
