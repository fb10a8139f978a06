"""Learners in River's wrapper on ten streams, simple answers and River's own models: the table of docs/online.md.

    pip install -e ".[river]"
    python docs/scripts/streams.py            # half a minute

Each answer is given before its target is learnt from; the errors are root mean squares over the whole stream, from the
first observation on, from untrained networks of 16 neurons.  River's models get the last target as one more input,
since the lines have it.
"""

import datetime
import itertools
import math

import numpy as np
from river import datasets, linear_model, neighbors, preprocessing, tree

from ltc_np import LTC, AutoNCP, Dense, Model
from ltc_np.online import NLMS, Learner
from ltc_np.online.beside import Beside
from ltc_np.online.river import RiverRegressor

STEPS = 3000
RIVERS = {
    "its line": lambda: preprocessing.StandardScaler() | linear_model.LinearRegression(),
    "its neighbours": lambda: preprocessing.StandardScaler() | neighbors.KNNRegressor(),
    "its tree": lambda: preprocessing.StandardScaler() | tree.HoeffdingAdaptiveTreeRegressor(seed=0),
}


def numbers(x):
    """Features as numbers: a date as its place in the day, the week and the year, a word by its letters."""
    found = {}
    for name, value in x.items():
        if isinstance(value, datetime.datetime):
            for what, turns in (("hour", value.hour / 24), ("day", value.weekday() / 7), ("month", value.month / 12)):
                found |= {f"{what} sin": math.sin(2 * math.pi * turns), f"{what} cos": math.cos(2 * math.pi * turns)}
        else:
            found[name] = float(sum(map(ord, value)) % 7) if isinstance(value, str) else float(value)
    return found


def sines():
    """Two periods, one of which shortens, with noise; wanted is the value of five steps later."""
    rng = np.random.default_rng(0)
    for t in range(STEPS):
        now, later = (math.sin(0.1 * s) + math.sin(0.037 * s * (1 + s / 6000)) / 2 for s in (t, t + 5))
        yield {"value": now + 0.1 * rng.normal()}, later + 0.1 * rng.normal()


def gated():
    """A slow state of random inputs, and a product of it and the input, smoothed."""
    rng, slow, product = np.random.default_rng(1), 0.0, 0.0
    for _ in range(STEPS):
        u = rng.normal()
        slow = 0.9 * slow + 0.1 * u
        product = 0.7 * product + 0.3 * math.tanh(3 * slow) * u
        yield {"u": u}, product + slow


STREAMS = {
    "water flow": datasets.WaterFlow,
    "airline passengers": datasets.AirlinePassengers,
    "approval of a president": datasets.TrumpApproval,
    "weights of chicks": datasets.ChickWeights,
    "solar flares": lambda: ((x, y["c-class-flares"]) for x, y in datasets.SolarFlare()),
    "Friedman": lambda: datasets.synth.Friedman(seed=1),
    "Friedman, drifting": lambda: datasets.synth.FriedmanDrift(seed=1, position=(1000, 2000, 2500)),
    "Planes": lambda: datasets.synth.Planes2D(seed=1),
    "two sines, noise": sines,
    "gated noise": gated,
}


def of_river(make, rows):
    """Errors of a model of River, which reads the last target, too."""
    model, last, errors = make(), 0.0, []
    for x, y in rows:
        x = x | {"last": last}
        errors.append(model.predict_one(x) - y)
        model.learn_one(x, y)
        last = y
    return errors


def scaled(rows):
    """The features of each row behind River's scaler, in the order of their names, and the targets."""
    scaler = preprocessing.StandardScaler()
    for x, y in rows:
        scaler.learn_one(x)
        yield dict(sorted(scaler.transform_one(x).items())), y


def of_network(rows, line):
    """Errors of a learner in River's wrapper, alone or with what stands beside it."""
    names = sorted(rows[0][0])
    model = Model(LTC(AutoNCP(16, 4)), Dense(1), input_dim=len(names), seed=0)
    regressor, errors = RiverRegressor(Learner(model, NLMS(0.5)), names, line=line), []
    for x, y in scaled(rows):
        errors.append(regressor.predict_one(x) - y)
        regressor.learn_one(x, y)
    return errors


def of_simple(rows, name):
    """Errors of one of the answers that stand beside a network."""
    beside, errors = Beside(len(rows[0][0])), []
    for x, y in scaled(rows):
        asked = beside.ask(np.array(list(x.values())), 0.0)
        errors.append(asked.answers[name] - y)
        beside.learn(asked, y, 1.0)
    return errors


def main():
    columns = ["stream", "the network alone", "last target", "line", "the answer", *RIVERS]
    print("|", " | ".join(columns), "|")
    print("|---" * len(columns) + "|")
    for name, make in STREAMS.items():
        rows = [(numbers(x), float(y)) for x, y in itertools.islice(make(), STEPS)]
        found = [of_network(rows, False), of_simple(rows, "last"), of_simple(rows, "line"), of_network(rows, True)]
        found += [of_river(make, rows) for make in RIVERS.values()]
        print("|", " | ".join([name, *(f"{np.sqrt(np.mean(np.square(e))):.3g}" for e in found)]), "|", flush=True)


if __name__ == "__main__":
    main()
