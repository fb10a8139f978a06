"""How far back the cells reach, and which learn to keep a value: prints the table of docs/memory.md.

    python docs/memory/cells.py [--jobs 2]     # about half an hour of two cores

Reach: the size of the derivative of the last outputs by the input of some steps before, in units of that by the last
input, at the initial values (32 units, standard normal inputs of one feature, medians of eight sequences).

Copying: the first of T inputs is a number, all later ones are 0, and after the last one the number is wanted.  Each
network is trained as a `Recipe` does it, by 500 sequences; R^2 of 300 others, three seeds.  Inputs are not clipped: a
number among many zeros is what clipping takes for an outlier.
"""

import argparse
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

import ltc_np as ltc
from ltc_np import CfC, FullyConnected, MixedMemory, Model
from ltc_np.recipe import Recipe

UNITS, LAGS, LENGTHS, SEEDS = 32, (0, 1, 10, 50), (50, 200, 1000), (0, 1, 2)
SLOW = Recipe(learning_rate=0.003, clip_inputs=None)
USUAL = Recipe(clip_inputs=None)


def _spread(T):
    return ltc.LTC(FullyConnected(UNITS), init={"time_constants": (1, T)}, ode_unfolds=3)


# Name: the cell for sequences of T steps, and the recipe of its training.
CELLS = {
    "`LTC`, values of ncps": (lambda T: ltc.LTC(FullyConnected(UNITS)), USUAL),
    "`LTC`, time constants (1, T)": (_spread, USUAL),
    "`LRC`": (lambda T: ltc.LRC(FullyConnected(UNITS)), USUAL),
    "`CTRNN`": (lambda T: ltc.CTRNN(UNITS), USUAL),
    "`CTGRU`": (lambda T: ltc.CTGRU(UNITS), USUAL),
    "`CfC`": (lambda T: CfC(UNITS), USUAL),
    "`CfC`, rate .003": (lambda T: CfC(UNITS), SLOW),
    "`MixedMemory(CfC)`, rate .003": (lambda T: MixedMemory(CfC(UNITS)), SLOW),
    "`LSTM`": (lambda T: ltc.LSTM(UNITS), USUAL),
    "`GRU`": (lambda T: ltc.GRU(UNITS), USUAL),
    "`GRU(decay=True)`": (
        lambda T: ltc.GRU(UNITS, decay=True, init={"rate": np.geomspace(1, 1 / T, UNITS)}),
        USUAL,
    ),
    "`S4D`": (lambda T: ltc.S4D(UNITS), USUAL),
    "`LiquidS4`": (lambda T: ltc.LiquidS4(UNITS), USUAL),
    "`LinOSS`": (lambda T: ltc.LinOSS(UNITS), USUAL),
    "`LrcSSM`": (lambda T: ltc.LrcSSM(UNITS), USUAL),
}


def reach(name):
    T = 1 + max(LAGS)
    x = np.random.default_rng(0).standard_normal((8, T, 1))
    model = Model(CELLS[name][0](T), input_dim=1, dtype="float64", seed=0)
    y, tape = model.forward(x)
    d_y = np.zeros_like(y)
    d_y[:, -1] = np.random.default_rng(1).choice([-1.0, 1.0], y.shape[-1])
    size = np.abs(model.backward(tape, d_y).x[:, ::-1, 0])
    return [float(np.median(size[:, lag] / size[:, 0])) for lag in LAGS]


def task(sequences, T, seed):
    value = np.random.default_rng(seed).uniform(-1, 1, (sequences, 1))
    x = np.zeros((sequences, T, 1))
    x[:, 0] = value
    return x, value


def copying(name, T, seed):
    ltc.set_num_threads(1)
    cell, recipe = CELLS[name]
    layers = ltc.Standardize(), cell(T), ltc.Dense(1), ltc.Standardize(inverse=True)
    model = Model(*layers, input_dim=1, seed=seed, return_sequences=False)
    x, y = task(500, T, seed)
    recipe.fit(model, x, y, sequences=len(x), seed=seed, verbose=False)
    x, y = task(300, T, 1000 + seed)
    return 1 - float(np.mean((model.predict(x) - y) ** 2) / y.var())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--only", nargs="+", choices=CELLS, default=CELLS)
    args = parser.parse_args(argv)
    with ProcessPoolExecutor(args.jobs, mp_context=get_context("spawn")) as pool:
        futures = {(n, T, s): pool.submit(copying, n, T, s) for n in args.only for T in LENGTHS for s in SEEDS}
        print("| cell | " + " | ".join(f"{lag} back" for lag in LAGS[1:]), end=" | ")
        print(" | ".join(f"copy over {T}" for T in LENGTHS) + " |\n" + "|---" * (len(LAGS) + len(LENGTHS)) + "|")
        for name in args.only:
            row = [name, *(f"{value:.0e}" for value in reach(name)[1:])]
            for T in LENGTHS:
                found = [futures[name, T, seed].result() for seed in SEEDS]
                row.append(f"{np.median(found):.2f}" + (f" ({min(found):.2f})" if min(found) < 0.9 else ""))
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
