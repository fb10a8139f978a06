"""Time a step with sensitivities of an NCP beside `Model.step`, for docs/online.md.

    python docs/performance/online_exact.py

Processor time of one thread, the least of many short runs, since other programs only make a call slower.
"""

import numpy as np

from ltc_np import LTC, NCP, AutoNCP, Model, set_num_threads
from ltc_np.bench.rates import processor_seconds
from ltc_np.online.methods import EProp, Exact, Immediate, SnAp
from ltc_np.online.synaptic import SynapticTraces

STEPS, RUNS = 60, 300
NETWORKS = {
    "AutoNCP(19, 1), 2 inputs": (AutoNCP(19, 1), 2),
    "NCP 12-6-1, 32 inputs": (
        NCP(12, 6, 1, sensory_fanout=4, inter_fanout=4, recurrent_command_synapses=4, motor_fanin=6),
        32,
    ),
}


def microseconds(call):
    """Of one call."""

    def calls():
        for _ in range(STEPS):
            call()

    return 1e6 * processor_seconds(calls, RUNS) / STEPS


def report(name, dtype):
    wiring, I = NETWORKS[name]
    model = Model(LTC(wiring), input_dim=I, seed=0, dtype=dtype)
    x, d_y, state = np.ones(I, dtype), np.ones(1, dtype), model.initial_state()
    out = np.empty(1, dtype), state
    step = microseconds(lambda: model.step(x, dt=0.5, state=state, out=out))
    print(f"{name}, {dtype}: step {step:.1f} us")
    for method in (Exact(), SnAp(2), SnAp(1), EProp(), Immediate()):
        traces = SynapticTraces(model.layers[0], method, buffers={}, backend=model.backend, dtype=model.dtype)
        traces.prepare(model.theta)
        advance = microseconds(lambda traces=traces: traces.advance(x, 0.5))
        gradient = microseconds(lambda traces=traces: traces.gradient(d_y))
        prepare = microseconds(lambda traces=traces: traces.prepare(model.theta))
        print(f"    {method!r}: step {advance:.1f} us, gradient {gradient:.1f} us, new parameters {prepare:.1f} us")


def main():
    set_num_threads(1)
    for dtype in ("float32", "float64"):
        for name in NETWORKS:
            report(name, dtype)


if __name__ == "__main__":
    main()
