"""Calls of a model with arrays that already lie on the device, such as those of CuPy and PyTorch.

They are of the model's dtype and contiguous; what comes back lies on the device too and is the caller's.
"""

from typing import NamedTuple

import numpy as np

from ...base import checks
from ...kernels.cuda import moves, sums
from ...kernels.cuda.dense import blank
from ...kernels.cuda.device import adopt, cuda, download, empty, kernel, launch_over, upload, wait
from ...kernels.cuda.memory import Memory
from ...kernels.cuda.plan import choose
from ..sequences import check_shape, check_state, check_takes_dt, state_shape
from ..tape import Gradients

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


class Form(NamedTuple):
    """In which form a caller gave his arrays and gets his answer; see `ltc_np.network.sequences.Given`."""

    dt_shape: tuple
    return_sequences: bool
    single: bool


class DeviceCall:
    """The arguments of one call, as far as they are looked at on the host, before anything is done on the device."""

    def __init__(self, engine, x, dt, lengths, h0, return_sequences):
        self.engine, self.network = engine, engine.network
        network, self.dtype = self.network, self.network.dtype
        if engine.unknown is not None:
            raise TypeError(f"arrays on the GPU need layers that run there (LTC, Dense), got {engine.unknown!r}")
        shape = adopt(x)[1]
        self.B, self.T, single = check_shape(shape, network.input_size, lengths)
        B, T = self.B, self.T
        self.x = _given("x", x, shape, self.dtype)
        self.lengths, self.valid = checks.lengths(lengths, B, T)
        check_takes_dt(network, dt)
        if on_device(dt):
            dt_shape, self.host_dt, self.dt = adopt(dt)[1], None, _given("dt", dt, shape[:-1], self.dtype)
        else:
            dt_shape = () if dt is None else np.shape(dt)
            self.host_dt = np.ascontiguousarray(checks.elapsed(dt, B, T, self.dtype, self.valid, single).T)
            self._check_steps(self.host_dt)
        self.form = Form(dt_shape, return_sequences, single)
        self.h0_on_device = on_device(h0)
        if not self.h0_on_device:
            self.h0 = check_state(network, "h0", h0, B, single)
        elif len(network.layers) > 1:
            raise ValueError("`h0` of a stack of layers must lie on the host, got one on the GPU")
        else:
            self.h0 = _given("h0", h0, state_shape(network.state_size, B, single)[0], self.dtype)
        self.stack = engine.stack()

    def _check_steps(self, dt):
        self.engine.check(self.engine.remembered().prepared, dt)

    def run(self, keep, memory):
        """Outputs in the shape of the caller's, the last states, what the backward pass needs."""
        network, B, T, dtype, ragged = self.network, self.B, self.T, self.dtype, self.ragged
        I, single = network.input_size, self.form.single
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
        O = network.output_size
        if self.form.return_sequences:
            y = moves.batch_first(y, B, T, O, memory, "outputs").reshape((T, O) if single else (B, T, O))
        else:
            every, y = y, memory.array("outputs", B * O, dtype)
            launch_over(B * O, moves.last_outputs, every, steps, u(B), u(O), y)
            y = y.reshape((O,) if single else (B, O))
        return y, _joined(self.stack, states, B, single), saved

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
                _back(self.form, saved, d_y, d_state)

        memory = Memory()
        wait()  # another library may still be writing what it gave
        found = self.run(choose(both, keep, self.B, self.T, (), memory), memory)
        wait()  # and may read what it gets at once, whatever stream it works in
        return found


def _joined(own, states, B, single):
    """Last states, or their adjoints, as one array."""
    K = own.model.state_size
    h = states[0] if len(states) == 1 else upload(own.states(states, B))
    return h.reshape((K,) if single else (B, K))


def differentiate(network, form, saved, d_y, d_state):
    """Gradients of theta, on the host, of x and h0, and of dt, which is on the host too unless it is (B, T)."""
    B, T, dtype = saved.B, saved.T, network.dtype
    shape = (T, network.output_size) if form.return_sequences else (network.output_size,)
    d_y = _given("d_y", d_y, shape if form.single else (B, *shape), dtype)
    if d_state is not None:
        d_state = _given("d_state", d_state, state_shape(network.state_size, B, form.single)[0], dtype)
    wait()
    # Since `forward` others may have taken memory.
    choose(lambda keep, memory: _back(form, saved, d_y, d_state), None, B, T, (), Memory())
    theta, *others = _back(form, saved, d_y, d_state)
    if network.trainable is not None:
        theta[~network.trainable] = 0
    wait()
    return Gradients(theta, *others)


def _back(form, saved, d_y, d_state):
    own, memory, network = saved.stack, Memory(), saved.stack.model
    B, T, I, O, dtype = saved.B, saved.T, network.input_size, network.output_size, network.dtype
    if form.return_sequences:
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
        d_x, d_dt = own.backward(saved, d_y, d_h, True, network.takes_dt, memory)
        own.differentiate(own.none, own.none)
        theta = download(own.gradient)
    d_x = moves.batch_first(d_x, B, T, I, memory, "d_x").reshape((T, I) if form.single else (B, T, I))
    if d_dt is not None and len(form.dt_shape) < 2:
        d_dt = download(d_dt).reshape(T, B).sum(1, dtype=np.float64)
        d_dt = d_dt.astype(dtype) if form.dt_shape else dtype.type(d_dt.sum())
    elif d_dt is not None:
        d_dt = moves.batch_first(d_dt, B, T, 1, memory, "d_dt").reshape(form.dt_shape)
    return theta, d_x, _joined(own, d_h, B, form.single), d_dt
