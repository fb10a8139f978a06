"""How far back the cells reach, and which learn to keep a value: prints the table of docs/memory.md.

    python docs/memory/cells.py [--jobs 2]     # about ten minutes of two cores

Reach: the size of the derivative of the last outputs by the input of some steps before, in units of that by the last
input, at the initial values (32 units, standard normal inputs of one feature, medians of eight sequences).

Copying: the first of T inputs is a number, all later ones are 0, and after the last one the number is wanted.  R^2 of
300 sequences, after a training by 200 others as a `Recipe` does it; the worse of two seeds (of 1,000 steps: one seed).
"Alone" the last output is read; by the recipe what it reads, which may be the mean over all steps too.  Inputs are not
clipped: a number among many zeros is what clipping takes for an outlier.
"""

import argparse
import warnings
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

import ltc_np as ltc
from ltc_np import CfC, FullyConnected, MixedMemory, Model
from ltc_np.recipe import Recipe

UNITS, LAGS, LENGTHS = 32, (0, 1, 10, 50), {50: (0, 1), 200: (0, 1), 1000: (0,)}


def recipe(**settings):
    return Recipe(clip_inputs=None, **settings)


def spread(T):
    return ltc.LTC(FullyConnected(UNITS), init={"time_constants": (1, T)}, ode_unfolds=3)


def fading(T):
    return ltc.GRU(UNITS, decay=True, init={"rate": np.geomspace(1, 1 / T, UNITS)})


# Name: the cell for sequences of T steps, and the recipe that has it.
CELLS = {
    "`LTC`, values of ncps": (lambda T: ltc.LTC(FullyConnected(UNITS)), None),
    "`LTC`, time constants (1, T)": (spread, recipe()),
    "`LRC`": (lambda T: ltc.LRC(FullyConnected(UNITS)), None),
    "`CTRNN`": (lambda T: ltc.CTRNN(UNITS), None),
    "`CTGRU`": (lambda T: ltc.CTGRU(UNITS), None),
    "`CfC`": (lambda T: CfC(UNITS, backbone_layers=0), recipe(cell="cfc")),
    "`MixedMemory(CfC)`, rate .003": (
        lambda T: MixedMemory(CfC(UNITS, backbone_layers=0)),
        recipe(cell="cfc", mixed_memory=True, learning_rate=0.003),
    ),
    "`LSTM`": (lambda T: ltc.LSTM(UNITS), recipe(cell="lstm")),
    "`GRU`": (lambda T: ltc.GRU(UNITS), recipe(cell="gru")),
    "`GRU(decay=True)`": (fading, recipe(cell="gru_decay")),
    "`S4D`": (lambda T: ltc.S4D(UNITS), None),
    "`LiquidS4`": (lambda T: ltc.LiquidS4(UNITS), None),
    "`LinOSS`": (lambda T: ltc.LinOSS(UNITS), None),
    "`LrcSSM`": (lambda T: ltc.LrcSSM(UNITS), None),
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


def copying(name, T, seed, alone):
    ltc.set_num_threads(1)
    cell, how = CELLS[name]
    if alone:
        layers = ltc.Standardize(), cell(T), ltc.Dense(1), ltc.Standardize(inverse=True)
        model = Model(*layers, input_dim=1, seed=seed, return_sequences=False)
    else:
        model = how.model(1, 1, steps=T, every_step=False, numbers=True, seed=seed)
    x, y = task(200, T, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the table shows
        (how or recipe()).fit(model, x, y, sequences=len(x), seed=seed, verbose=False)
    x, y = task(300, T, 1000 + seed)
    return 1 - float(np.mean((model.predict(x) - y) ** 2) / y.var())


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2)
    jobs = parser.parse_args(argv).jobs
    keys = [(name, T, alone) for name in CELLS for alone in (True, False) for T in LENGTHS if alone or CELLS[name][1]]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = {key: [pool.submit(copying, *key[:2], seed, key[2]) for seed in LENGTHS[key[1]]] for key in keys}
        head = [f"{lag} back" for lag in LAGS[1:]]
        head += [f"{T} steps, {who}" for who in ("alone", "by the recipe") for T in LENGTHS]
        print("| " + " | ".join(["cell", *head]) + " |\n" + "|---" * (1 + len(head)) + "|")
        for name in CELLS:
            row = [name, *(f"{value:.0e}" for value in reach(name)[1:])]
            for alone in (True, False):
                for T in LENGTHS:
                    found = futures.get((name, T, alone))
                    row.append("" if found is None else f"{min(one.result() for one in found):.2f}")
            print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
