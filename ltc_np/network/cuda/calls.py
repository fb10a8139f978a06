"""One call on the device, planned before it is begun; wherever the caller's arrays lie.

A call is a `HostCall` or a `DeviceCall`, which put its arrays where the stack reads them; the form in which it is
answered is a `HostForm` or a `DeviceForm`.
"""

from ...kernels.cuda.device import download
from ...kernels.cuda.memory import forget, memory_of
from ...kernels.cuda.plan import choose
from ..engine import Adjoints


def forward(call, stack, keep, workspace):
    """What `Engine.forward` gives, in the form of the call; with ``keep`` its ``saved`` is for `backward`."""
    memory, form, (B, T, key) = memory_of(workspace), call.form, call.size

    def run(keep, memory):
        y, states, saved = stack.forward(*call.put(stack, memory), keep, memory)
        return *form.take(y, states, saved, memory), saved if keep is not None else None

    def both(keep, memory):
        y, state, saved = run(keep, memory)
        if keep is not None:
            forget(workspace, memory)
            # Only the public `forward`, whose workspace keeps nothing, is followed by a `backward` to the inputs.
            to_inputs = not workspace.keeps
            want_dt = to_inputs and stack.network.takes_dt
            _back(form, saved, *form.like(y, state), to_inputs, want_dt, memory)

    form.wait()  # another library may still be writing what it gave
    found = run(choose(both, keep, B, T, key, memory), memory)
    form.wait()  # and may read what it gets at once, whatever stream it works in
    return found


def backward(form, saved, d_y, d_h, want_x, want_dt, workspace):
    """`Adjoints` in this form; no parameter is frozen."""
    memory = memory_of(workspace)

    def run(keep, memory):
        return _back(form, saved, d_y, d_h, want_x, want_dt, memory)

    form.wait()
    if not workspace.keeps:  # since `forward` others may have taken memory
        choose(run, None, saved.sequences.B, saved.sequences.T, (), memory)
    found = run(None, memory)
    form.wait()
    return found


def _back(form, saved, d_y, d_h, want_x, want_dt, memory):
    stack = saved.stack
    d_y, d_h = form.put_adjoints(saved, d_y, d_h, memory)
    with stack.lock:
        d_x, d_dt = stack.backward(saved, d_y, d_h, want_x, want_dt, memory)
        stack.parameters.differentiate()
        theta = download(stack.parameters.gradient)
    return Adjoints(theta, *form.take_adjoints(saved, d_x, d_h, d_dt, memory))
