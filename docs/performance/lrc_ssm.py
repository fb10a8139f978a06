"""Time the two passes of an LrcSSM, and print the table of docs/maths/lrc_ssm.md.

    python docs/performance/lrc_ssm.py

Nanoseconds for each unit and step: processor time of one thread, the least of 400 calls, since other processes on the
machine only make a call slower.  Sixteen units of one sequence are one vector, which waits for each of its functions;
64 units of 8 sequences are many that do not wait for each other.  Takes some seconds.
"""

import numpy as np

from ltc_np import LrcSSM, Model, set_num_threads
from ltc_np.bench.host import machine
from ltc_np.bench.rates import processor_seconds, sigmoids

T, I, CALLS = 512, 8, 400


def main():
    set_num_threads(1)
    found = machine()
    print(f"{found['cpu']}, {found['instruction_set'] or 'no AVX-512'}, Numba {found['numba']}, 1 thread, float32")
    run, count = sigmoids("float32", 1)
    print(f"T = {T}, I = {I}, Euler's rule, one unfold; four sigmoids {4e9 * processor_seconds(run) / count:.1f} ns")
    print("| sequences | units | forward, ns | backward, ns |\n|---|---|---|---|")
    for B, N in ((1, 16), (8, 64)):
        model = Model(LrcSSM(N), input_dim=I, seed=0)
        x = np.random.default_rng(0).normal(size=(B, T, I)).astype(np.float32)
        forward = processor_seconds(lambda model=model, x=x: model(x), CALLS)
        y, tape = model.forward(x)
        backward = processor_seconds(lambda model=model, tape=tape, y=y: model.backward(tape, y), CALLS)
        print(f"| {B} | {N} | {1e9 * forward / y.size:.1f} | {1e9 * backward / y.size:.1f} |")


if __name__ == "__main__":
    main()
