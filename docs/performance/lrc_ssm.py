"""Time the two passes of an LrcSSM, and print the table of docs/maths/lrc_ssm.md.

    python docs/performance/lrc_ssm.py

Nanoseconds for each unit and step: processor time of one thread, the least of 400 calls, since other processes on the
machine only make a call slower.  Sixteen units of one sequence are one vector, which waits for each of its functions;
64 units of 8 sequences are many that do not wait for each other.  Takes some seconds.
"""

import time

import numpy as np

from ltc_np import LrcSSM, Model, set_num_threads
from ltc_np.bench.host import machine
from ltc_np.bench.rates import sigmoid_rate

T, I, CALLS = 512, 8, 400


def least_seconds(call):
    call()
    found = []
    for _ in range(CALLS):
        start = time.thread_time()
        call()
        found.append(time.thread_time() - start)
    return min(found)


def main():
    set_num_threads(1)
    found = machine()
    print(f"{found['cpu']}, {found['instruction_set'] or 'no AVX-512'}, Numba {found['numba']}, 1 thread, float32")
    print(f"T = {T}, I = {I}, Euler's rule, one unfold; four sigmoids {4e9 / sigmoid_rate('float32'):.1f} ns")
    print("| sequences | units | forward, ns | backward, ns |\n|---|---|---|---|")
    for B, N in ((1, 16), (8, 64)):
        model = Model(LrcSSM(N), input_dim=I, seed=0)
        x = np.random.default_rng(0).normal(size=(B, T, I)).astype(np.float32)
        forward = least_seconds(lambda model=model, x=x: model(x))
        y, tape = model.forward(x)
        backward = least_seconds(lambda model=model, tape=tape, y=y: model.backward(tape, y))
        print(f"| {B} | {N} | {1e9 * forward / y.size:.1f} | {1e9 * backward / y.size:.1f} |")


if __name__ == "__main__":
    main()
