"""Calls of a model with arrays that already lie on the device, such as those of CuPy and PyTorch.

`call`, `forward` and `backward` mean what `Model.__call__`, `forward` and `backward` do with arrays of the host.  Given
are arrays of the model's dtype, contiguous; what comes back lies on the device too and is the caller's.
"""

from dataclasses import dataclass

import numpy as np

from ... import checks
from . import moves, sums
from .dense import blank
from .device import adopt, cuda, download, empty, kernel, launch_over, upload
from .memory import Memory
from .stack import Stack, missing

u = np.uint64


@kernel
def count_outside(values, low, high, partial):
    """partial (values.size / FLUSH, rounded up), float64: how many of FLUSH values are not between low and high."""
    k = u(cuda.blockIdx.x) * u(cuda.blockDim.x) + u(cuda.threadIdx.x)
    if k < u(partial.size):
        count = partial.dtype.type(0)
        for n in range(k * u(sums.FLUSH), min((k + u(1)) * u(sums.FLUSH), u(values.size))):
            inside = values[u(n)] >= low and values[u(n)] <= high  # NaN is not
            count += partial.dtype.type(0 if inside else 1)
        partial[k] = count


def _check_range(name, values, low, high, rule):
    partial = empty(-(-values.size // sums.FLUSH), np.float64)
    real = values.dtype.type
    launch_over(partial.size, count_outside, values, real(low), real(high), partial)
    outside = int(download(partial).sum())
    if outside:
        raise ValueError(f"`{name}` must be {rule}, got {outside} values that are not")


def _given(name, array, shape, dtype):
    """An array of the caller's, flat; not copied."""
    flat, own_shape = adopt(array)
    if flat is None or flat.dtype != dtype or own_shape != shape:
        got = "one that is not contiguous" if flat is None else f"{flat.dtype} of shape {own_shape}"
        raise ValueError(f"`{name}` must be a contiguous {dtype} array of shape {shape} on the GPU, got {got}")
    return flat


def on_device(array):
    return hasattr(array, "__cuda_array_interface__")


@dataclass(frozen=True)
class DeviceTape:
    """What `backward` needs of one `forward`."""

    owner: object
    stack: Stack
    saved: tuple
    steps: object
    ragged: bool
    dt_shape: tuple
    shape: tuple
    sequences: bool
    single: bool


def _stack(model):
    """The model on the device; each thread keeps it while theta and buffers stay the same."""
    layer = missing(model)
    if layer is not None:
        raise TypeError(f"arrays on the GPU need layers that run there (LTC, Dense), got {layer!r}")
    key = (
        model.theta.tobytes(),
        model._buffers.tobytes(),
        None if model.trainable is None else model.trainable.tobytes(),
    )
    held = getattr(model._local, "stack", None)
    if held is None or held[0] != key:
        stack = Stack(model)
        stack.load()
        stack.prepare()
        held = model._local.stack = key, stack
    return held[1]


def _run(model, x, dt, lengths, h0, keep):
    """y (T, B, O), the last states, their shapes, and what a tape needs."""
    shape, I, dtype, memory = adopt(x)[1], model.input_size, model.dtype, Memory()
    single = len(shape) == 2
    if len(shape) not in (2, 3) or shape[-1] != I or 0 in shape:
        raise ValueError(f"`x` must be (B, T, {I}) or (T, {I}), got shape {shape}")
    if single and lengths is not None:
        raise ValueError(f"`lengths` needs a batch (B, T, {I}), got a single sequence (T, {I})")
    B, T = (1, shape[0]) if single else shape[:2]
    x = moves.time_first(_given("x", x, shape, dtype), B, T, I, memory, "x")
    lengths, valid = checks.lengths(lengths, B, T)
    ragged, steps = valid is not None, upload(lengths)
    if ragged:
        launch_over(x.size, blank, x, steps, u(B), u(I))
    high = np.finfo(dtype).max
    _check_range("x", x, -high, high, "finite")
    if dt is not None and not model.takes_dt:
        raise ValueError("`dt` must be left out: no layer of this model has a notion of elapsed time")
    dt_shape = () if dt is None else adopt(dt)[1] if on_device(dt) else np.shape(dt)
    if on_device(dt):
        dt = moves.time_first(_given("dt", dt, shape[:-1], dtype), B, T, 1, memory, "dt")
        if ragged:
            launch_over(dt.size, blank, dt, steps, u(B), u(1))
        high = checks.largest(dtype)
        _check_range("dt", dt, 0, high, f"finite, >= 0 and <= {high:.1e} in {dtype}")
        host_dt = download(dt).reshape(T, B)
    else:
        host_dt = checks.elapsed(dt, B, T, dtype, valid, single).T
        dt = upload(np.ascontiguousarray(host_dt))
    model._check_steps(model._kept()[0], host_dt)
    stack = _stack(model)
    if on_device(h0):
        if len(model.layers) > 1:
            raise ValueError("`h0` of a stack of layers must lie on the host, got one on the GPU")
        h0 = [_given("h0", h0, (model.state_size,) if single else (B, model.state_size), dtype)]
    else:
        h0 = stack.put_states(model._check_state("h0", h0, B, single), memory)
    y, states, saved = stack.forward(x, dt, steps, h0, T, B, ragged, keep, memory)
    return y, states, memory, stack, saved, steps, ragged, dt_shape, (B, T), single


def _outputs(model, y, states, memory, steps, shape, single, sequences):
    (B, T), O = shape, model.output_size
    if sequences:
        out = moves.batch_first(y, B, T, O, memory, "outputs").reshape((T, O) if single else (B, T, O))
    else:
        out = memory.array("outputs", B * O, model.dtype)
        launch_over(B * O, moves.last_outputs, y, steps, u(B), u(O), out)
        out = out.reshape((O,) if single else (B, O))
    return out, states[0] if len(states) == 1 else upload(_stack(model).states(states, B))


def call(model, x, dt, lengths, h0, return_state, sequences):
    y, states, memory, _, _, steps, _, _, shape, single = _run(model, x, dt, lengths, h0, None)
    y, state = _outputs(model, y, states, memory, steps, shape, single, sequences)
    K = model.state_size
    return (y, state.reshape((K,) if single else (shape[0], K))) if return_state else y


def forward(model, x, dt, lengths, h0, sequences, keep):
    y, states, memory, stack, saved, steps, ragged, dt_shape, shape, single = _run(model, x, dt, lengths, h0, keep)
    y, _ = _outputs(model, y, states, memory, steps, shape, single, sequences)
    return y, DeviceTape(model, stack, saved, steps, ragged, dt_shape, shape, sequences, single)


def backward(model, tape, d_y, d_state):
    """Gradients of theta, on the host, of x and h0, and of dt, which is on the host too unless it is (B, T)."""
    if not isinstance(tape, DeviceTape) or tape.owner is not model:
        raise ValueError(f"`tape` must come from this model's own `forward` of arrays on the GPU, got {tape!r:.60}")
    (B, T), I, O, K = tape.shape, model.input_size, model.output_size, model.state_size
    memory, stack, dtype = Memory(), tape.stack, model.dtype
    if tape.sequences:
        d_y = _given("d_y", d_y, (T, O) if tape.single else (B, T, O), dtype)
        d_y = moves.time_first(d_y, B, T, O, memory, "d_y")
        if tape.ragged:
            launch_over(d_y.size, blank, d_y, tape.steps, u(B), u(O))
    else:
        d_last, d_y = _given("d_y", d_y, (O,) if tape.single else (B, O), dtype), memory.zeros("d_y", T * B * O, dtype)
        launch_over(B * O, moves.d_last_outputs, d_last, tape.steps, u(B), u(O), d_y)
    d_h = stack.zero_states(B, memory)
    if d_state is not None:
        d_state = download(_given("d_state", d_state, (K,) if tape.single else (B, K), dtype)).reshape(B, K)
        d_h = stack.put_states(d_state, memory)
    d_x, d_dt = stack.backward(tape.saved, d_y, d_h, tape.steps, T, B, tape.ragged, True, model.takes_dt, memory)
    none = upload(np.zeros(0))
    stack.differentiate(none, none)
    d_x = moves.batch_first(d_x, B, T, I, memory, "d_x").reshape((T, I) if tape.single else (B, T, I))
    d_h0 = d_h[0] if len(d_h) == 1 else upload(stack.states(d_h, B))
    if d_dt is not None and len(tape.dt_shape) < 2:
        d_dt = download(d_dt).reshape(T, B).sum(1, dtype=np.float64)
        d_dt = d_dt.astype(dtype) if tape.dt_shape else dtype.type(d_dt.sum())
    elif d_dt is not None:
        d_dt = moves.batch_first(d_dt, B, T, 1, memory, "d_dt").reshape(tape.dt_shape)
    return download(stack.gradient), d_x, d_h0.reshape((K,) if tape.single else (B, K)), d_dt
