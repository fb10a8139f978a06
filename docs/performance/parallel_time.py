"""What `parallel_time` brings: one sequence in chunks against the sequence as it stands, in turn in one run.

    python docs/performance/parallel_time.py [--steps 102400] [--runs 3] [--dtype float32] [--only PATTERN]

For each network: the forward pass and a training step (forward, backward) as the sequence stands, in ms; how many times
faster they are in chunks, as `parallel_time="auto"` cuts them; chunks, and the steps that each begins early; those that
ran again forwards, and runs of all chunks again backwards; the share of outputs with the same bits; the largest
differences of outputs and of the gradient, relative to the largest number.  "none" where the sequence is left as it
stands: the factors then say what the probe costs.  The last networks have longer memories; two are trained to
hold a value for 200 steps on average.
"""

import argparse
import fnmatch
import sys
import time

import numpy as np

from ltc_np import CTGRU, CTRNN, GRU, LRC, LSTM, LTC, Adam, AutoNCP, CfC, FullyConnected, MixedMemory, Model

NETWORKS = {
    "AutoNCP(19, 2)": lambda: LTC(AutoNCP(19, 2), input_dim=8),
    "AutoNCP(64, 8, sparsity .9)": lambda: LTC(AutoNCP(64, 8, sparsity_level=0.9), input_dim=8),
    "FullyConnected(32)": lambda: LTC(FullyConnected(32), input_dim=4),
    "AutoNCP(19, 2), exponential": lambda: LTC(AutoNCP(19, 2), input_dim=8, solver="exponential", ode_unfolds=3),
    "LRC, AutoNCP(19, 2)": lambda: LRC(AutoNCP(19, 2), input_dim=8),
    "CT-RNN, 32 units": lambda: CTRNN(32, input_dim=8),
    "CT-GRU, 32 units": lambda: CTGRU(32, input_dim=8),
    "CfC, 32 units": lambda: CfC(32, input_dim=8),
    "GRU, 32 units": lambda: GRU(32, input_dim=8),
    "LSTM, 32 units": lambda: LSTM(32, input_dim=8),
    "LTC and LSTM (mixed memory)": lambda: MixedMemory(LTC(AutoNCP(19, 2)), input_dim=8),
}
TRAINED = ", trained to remember"
MEMORIES = (1, 3, 10, 30, 100, 300, 1000, 3000)  # the longest time constants, in steps


def remembering(tau):
    return lambda: LTC(AutoNCP(19, 2), input_dim=8, init={"time_constants": (1, tau)})


def recall(B, T):
    """Now and then, every 200 steps on average, one input is 1 or -1: the target is which it was at last."""
    rng = np.random.default_rng(1)
    x = 0.1 * rng.normal(size=(B, T, 8))
    x[..., 0] = rng.choice([-1, 0, 1], size=(B, T), p=[0.0025, 0.995, 0.0025])
    last = np.maximum.accumulate(np.where(x[..., 0] != 0, np.arange(T), 0), axis=1)
    return x, np.repeat(np.take_along_axis(x[..., 0], last, 1)[..., None], 2, -1)


class Case:
    """One network with one sequence."""

    def __init__(self, layer, T, dtype, trained=False):
        self.model = Model(layer, seed=0, dtype=dtype)
        rng = np.random.default_rng(0)
        self.x = rng.normal(size=(1, T, layer.input_size)).astype(dtype)
        self.target = rng.normal(size=(1, T, layer.output_size)).astype(dtype)
        if trained:
            history = self.model.fit(*recall(64, 600), epochs=60, optimizer=Adam(0.02), verbose=False, seed=0)
            self.x, self.target = recall(1, T)
            print(f"trained: loss {history['loss'][0]:.2f} -> {history['loss'][-1]:.2f}", file=sys.stderr)

    def forward(self, way):
        return self.model(self.x, parallel_time=way)

    def train(self, way):
        return self.model.loss_and_grad(self.x, self.target, parallel_time=way)


def times(call, runs):
    """The least of some times, in ms, of both ways, measured in turn; and what they give."""
    taken, found = {way: [] for way in (False, "auto")}, {}
    for _ in range(runs + 1):  # the first also compiles
        for way, own in taken.items():
            start = time.perf_counter()
            found[way] = call(way)
            own.append(1e3 * (time.perf_counter() - start))
    return [min(own[1:]) for own in taken.values()], found


def difference(a, b):
    return np.abs(a - b).max() / np.abs(a).max()


def row(name, case, runs):
    (plain, chunks), y = times(case.forward, runs)
    reports = case.model.last_parallel
    (plain_step, chunks_step), g = times(case.train, runs)
    report = case.model.last_parallel[0] if case.model.last_parallel else None
    cut = "none" if report is None else f"{report.chunks} / {report.early}"
    again = "" if report is None else f"{reports[0].repeated} / {report.repeated_backward}"
    same = 100 * np.mean(y[False] == y["auto"])
    errors = difference(y[False], y["auto"]), difference(g[False][1], g["auto"][1])
    return (
        f"| {name} | {plain:.0f} / {plain_step:.0f} | {plain / chunks:.1f} / {plain_step / chunks_step:.1f} | {cut} "
        f"| {again} | {same:.2f} % | {errors[0]:.1e} / {errors[1]:.1e} |"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=102_400)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--dtype", choices=("float32", "float64"), default="float32")
    parser.add_argument("--only", default="*", help="networks whose name matches this pattern")
    asked = parser.parse_args()
    networks = NETWORKS | {f"AutoNCP(19, 2), time constants 1 to {tau}": remembering(tau) for tau in MEMORIES}
    networks |= {
        f"{name}{TRAINED}": networks[name] for name in ("AutoNCP(19, 2)", "AutoNCP(19, 2), time constants 1 to 100")
    }
    print("| network | forward / training, ms | faster | chunks / early | again | same bits | errors |")
    print("|---|---|---|---|---|---|---|")
    for name, make in networks.items():
        if fnmatch.fnmatch(name, asked.only):
            case = Case(make(), asked.steps, asked.dtype, name.endswith(TRAINED))
            print(row(name, case, asked.runs), flush=True)


if __name__ == "__main__":
    main()
