"""One call on the device, planned before it is begun; wherever the caller's arrays lie.

A call is a `HostCall` or a `DeviceCall`, which put its arrays where the stack reads them; the form in which it is
answered is a `HostForm` or a `DeviceForm`.
"""

from functools import partial

from ...kernels.cuda.device import download
from ...kernels.cuda.memory import forget, memory_of
from ...kernels.cuda.plan import choose
from ..engine import Adjoints


def forward(call, stack, keep, workspace):
    """What `Engine.forward` gives, in the form of the call; with ``keep`` its ``saved`` is for `backward`."""
    memory, (B, T, key) = memory_of(workspace), call.size
    call.form.wait()  # another library may still be writing what it gave
    keep = choose(partial(_rehearse, call, stack, workspace), keep, B, T, key, memory)
    found = _forward(call, stack, keep, memory)
    call.form.wait()  # and may read what it gets at once, whatever stream it works in
    return found


def backward(form, saved, d_y, d_h, want_x, want_dt, workspace):
    """`Adjoints` in this form; no parameter is frozen."""
    memory, sequences = memory_of(workspace), saved.sequences
    run = partial(_backward, form, saved, d_y, d_h, want_x, want_dt)
    form.wait()
    if not workspace.keeps:  # since `forward` others may have taken memory
        choose(lambda _, counted: run(counted), None, sequences.B, sequences.T, (), memory)
    found = run(memory)
    form.wait()
    return found


def _rehearse(call, stack, workspace, keep, memory):
    """What `forward` and the backward pass behind it will do; `choose` counts the memory that they take."""
    y, state, saved = _forward(call, stack, keep, memory)
    if keep is None:
        return
    forget(workspace, memory)
    # Only the public `forward`, whose workspace keeps nothing, is followed by a backward pass to the inputs.
    to_inputs = not workspace.keeps
    _backward(call.form, saved, *call.form.like(y, state), to_inputs, to_inputs and stack.network.takes_dt, memory)


def _forward(call, stack, keep, memory):
    y, states, saved = stack.forward(*call.put(stack, memory), keep, memory)
    return *call.form.take(y, states, saved, memory), saved if keep is not None else None


def _backward(form, saved, d_y, d_h, want_x, want_dt, memory):
    stack = saved.stack
    d_y, d_h = form.put_adjoints(saved, d_y, d_h, memory)
    with stack.lock:
        d_x, d_dt = stack.backward(saved, d_y, d_h, want_x, want_dt, memory)
        stack.parameters.differentiate()
        theta = download(stack.parameters.gradient)
    return Adjoints(theta, *form.take_adjoints(saved, d_x, d_h, d_dt, memory))
