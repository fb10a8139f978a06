"""Calls of a model with arrays that already lie on the device, such as those of CuPy and PyTorch.

`call`, `forward` and `backward` mean what `Model.__call__`, `forward` and `backward` do with arrays of the host.  Given
are arrays of the model's dtype, contiguous; what comes back lies on the device too and is the caller's.
"""

from dataclasses import dataclass

import numpy as np

from ...base import checks
from . import moves, stack, sums
from .dense import blank
from .device import adopt, cuda, download, empty, kernel, launch_over, upload, wait
from .memory import Memory
from .plan import choose

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


def _check(name, values, least=-np.inf):
    """`checks.finite`, and >= ``least``, of an array on the device."""
    real, limit = values.dtype.type, checks.largest(values.dtype)
    partial = empty(-(-values.size // sums.FLUSH), np.float64)
    launch_over(partial.size, count_outside, values, real(max(least, -limit)), real(limit), partial)
    outside = int(download(partial).sum())
    if outside:
        rule = f"finite in {values.dtype} (at most {limit:.1e})" + (f" and >= {least}" if least > -np.inf else "")
        raise ValueError(f"`{name}` must be {rule}, got {outside} values that are not")


def _given(name, array, shape, dtype):
    """An array of the caller's, flat; not copied."""
    if not on_device(array):
        raise TypeError(f"`{name}` must lie on the GPU, as the others do, got an array of the host")
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
    saved: stack.Saved
    dt_shape: tuple
    sequences: bool
    single: bool


class _Call:
    """One call: what is looked at on the host, before anything is done on the device."""

    def __init__(self, model, x, dt, lengths, h0, sequences):
        self.model, self.sequences, self.dtype, I = model, sequences, model.dtype, model.input_size
        layer = stack.missing(model)
        if layer is not None:
            raise TypeError(f"arrays on the GPU need layers that run there (LTC, Dense), got {layer!r}")
        shape = adopt(x)[1]
        self.single = single = len(shape) == 2
        if len(shape) not in (2, 3) or shape[-1] != I or 0 in shape:
            raise ValueError(f"`x` must be (B, T, {I}) or (T, {I}), got shape {shape}")
        if single and lengths is not None:
            raise ValueError(f"`lengths` needs a batch (B, T, {I}), got a single sequence (T, {I})")
        self.B, self.T = B, T = (1, shape[0]) if single else shape[:2]
        self.x = _given("x", x, shape, self.dtype)
        self.lengths, self.valid = checks.lengths(lengths, B, T)
        if dt is not None and not model.takes_dt:
            raise ValueError("`dt` must be left out: no layer of this model has a notion of elapsed time")
        if on_device(dt):
            self.dt_shape, self.host_dt, self.dt = adopt(dt)[1], None, _given("dt", dt, shape[:-1], self.dtype)
        else:
            self.dt_shape = () if dt is None else np.shape(dt)
            self.host_dt = np.ascontiguousarray(checks.elapsed(dt, B, T, self.dtype, self.valid, single).T)
            self._check_steps(self.host_dt)
        self.h0_on_device = on_device(h0)
        if not self.h0_on_device:
            self.h0 = model._check_state("h0", h0, B, single)
        elif len(model.layers) > 1:
            raise ValueError("`h0` of a stack of layers must lie on the host, got one on the GPU")
        else:
            K = model.state_size
            self.h0 = _given("h0", h0, (K,) if single else (B, K), self.dtype)
        self.stack = stack.of(model)

    def _check_steps(self, dt):
        self.model._check_steps(self.model._kept()[0], dt)

    def run(self, keep, memory):
        """Outputs in the shape of the caller's, the last states, what the backward pass needs."""
        model, B, T, I, dtype, ragged = self.model, self.B, self.T, self.model.input_size, self.dtype, self.ragged
        steps = upload(self.lengths)
        x = moves.time_first(self.x, B, T, I, memory, "x")
        if ragged:
            launch_over(x.size, blank, x, steps, u(B), u(I))
        _check("x", x)
        if self.host_dt is None:
            dt = moves.time_first(self.dt, B, T, 1, memory, "dt")
            if ragged:
                launch_over(dt.size, blank, dt, steps, u(B), u(1))
            _check("dt", dt, 0)
            self._check_steps(download(dt).reshape(T, B))
        else:
            dt = upload(self.host_dt)
        if self.h0_on_device:
            _check("h0", self.h0)
        h0 = [self.h0] if self.h0_on_device else self.stack.put_states("h", self.h0, memory)
        y, states, saved = self.stack.forward(x, dt, steps, h0, T, B, ragged, keep, memory)
        O = model.output_size
        if self.sequences:
            y = moves.batch_first(y, B, T, O, memory, "outputs").reshape((T, O) if self.single else (B, T, O))
        else:
            every, y = y, memory.array("outputs", B * O, dtype)
            launch_over(B * O, moves.last_outputs, every, steps, u(B), u(O), y)
            y = y.reshape((O,) if self.single else (B, O))
        return y, _joined(self.stack, states, B, self.single), saved

    @property
    def ragged(self):
        return self.valid is not None

    def planned(self, keep):
        """`run`, after it has been rehearsed with its backward pass."""

        def both(keep, memory):
            y, state, saved = self.run(keep, memory)
            if keep is not None:
                memory.clear()  # of what the tape does not hold
                d_y, d_state = empty(y.size, self.dtype), empty(state.size, self.dtype)  # the caller's
                _back(self.tape(saved), d_y, d_state)

        memory = Memory()
        wait()  # another library may still be writing what it gave
        found = self.run(choose(both, keep, self.B, self.T, (), memory), memory)
        wait()  # and may read what it gets at once, whatever stream it works in
        return found

    def tape(self, saved):
        return DeviceTape(self.model, saved, self.dt_shape, self.sequences, self.single)


def _joined(own, states, B, single):
    """Last states, or their adjoints, as one array."""
    K = own.model.state_size
    h = states[0] if len(states) == 1 else upload(own.states(states, B))
    return h.reshape((K,) if single else (B, K))


def call(model, x, dt, lengths, h0, return_state, sequences):
    y, state, _ = _Call(model, x, dt, lengths, h0, sequences).planned(None)
    return (y, state) if return_state else y


def forward(model, x, dt, lengths, h0, sequences, keep):
    own = _Call(model, x, dt, lengths, h0, sequences)
    y, _, saved = own.planned(keep)
    return y, own.tape(saved)


def backward(model, tape, d_y, d_state):
    """Gradients of theta, on the host, of x and h0, and of dt, which is on the host too unless it is (B, T)."""
    if not isinstance(tape, DeviceTape) or tape.owner is not model:
        raise ValueError(f"`tape` must come from this model's own `forward` of arrays on the GPU, got {tape!r:.60}")
    B, T, O, K, dtype = tape.saved.B, tape.saved.T, model.output_size, model.state_size, model.dtype
    shape = (T, O) if tape.sequences else (O,)
    d_y = _given("d_y", d_y, shape if tape.single else (B, *shape), dtype)
    if d_state is not None:
        d_state = _given("d_state", d_state, (K,) if tape.single else (B, K), dtype)
    wait()
    # Since `forward` others may have taken memory.
    choose(lambda keep, memory: _back(tape, d_y, d_state), None, B, T, (), Memory())
    theta, *others = _back(tape, d_y, d_state)
    if model.trainable is not None:
        theta[~model.trainable] = 0
    wait()
    return theta, *others


def _back(tape, d_y, d_state):
    model, own, saved = tape.owner, tape.saved.stack, tape.saved
    B, T, I, O, memory, dtype = saved.B, saved.T, model.input_size, model.output_size, Memory(), model.dtype
    if tape.sequences:
        d_y = moves.time_first(d_y, B, T, O, memory, "d_y")
        if saved.ragged:
            launch_over(d_y.size, blank, d_y, saved.steps, u(B), u(O))
    else:
        d_last, d_y = d_y, memory.zeros("d_y", T * B * O, dtype)
        launch_over(B * O, moves.d_last_outputs, d_last, saved.steps, u(B), u(O), d_y)
    _check("d_y", d_y)
    d_h = own.zero_states(B, memory)
    if d_state is not None:
        _check("d_state", d_state)
        d_h = own.put_states("d_h", download(d_state).reshape(B, -1), memory)
    with own.lock:
        d_x, d_dt = own.backward(saved, d_y, d_h, True, model.takes_dt, memory)
        own.differentiate(own.none, own.none)
        theta = download(own.gradient)
    d_x = moves.batch_first(d_x, B, T, I, memory, "d_x").reshape((T, I) if tape.single else (B, T, I))
    if d_dt is not None and len(tape.dt_shape) < 2:
        d_dt = download(d_dt).reshape(T, B).sum(1, dtype=np.float64)
        d_dt = d_dt.astype(dtype) if tape.dt_shape else dtype.type(d_dt.sum())
    elif d_dt is not None:
        d_dt = moves.batch_first(d_dt, B, T, 1, memory, "d_dt").reshape(tape.dt_shape)
    return theta, d_x, _joined(own, d_h, B, tape.single), d_dt
