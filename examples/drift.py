"""Two worlds that drift, and what learning in use does about it: a cart whose load and sensor change, electric devices.

A network foresees what the sensors of the cart of `cart_pole.py` will say next: it is told the cart's speed, the pole's
angle and how fast it turns, the force that the motor will hold, and for how long, and answers how much both speeds will
change.  It has learnt from the cart as it is built.  Then, in use, the cart gets a load, and later the sensor of the
angle shows too much.  The other stream is the power of five electric devices, one after the other, of which the network
knows the first one only.

    python examples/drift.py                 # ten seeds; writes drift.png
    python examples/drift.py --quick         # one seed and a short stream
    python examples/drift.py --write-docs    # the full run, which also writes docs/results.md and its picture

The devices come with the Python packages `sktime` and `aeon` (extra ``examples``); FILE may name their file instead.
With River (extra ``river``) its linear regression takes part.
"""

import argparse
import pathlib
import shlex
import sys
import textwrap
import time
from itertools import pairwise

import data_files
import numpy as np
from cart_pole import CART, FALLEN, FORCE, START, TRACK, expert, move, times
from comparison import add_arguments, check_arguments, mean_sd, put_section, train_all, write, written
from drift_pictures import draw

from ltc_np import LTC, Adam, CosineDecay, Dense, FullyConnected, Model, Standardize, set_num_threads
from ltc_np.online import NLMS, RLS, Guard, Learner

TITLE = "Drift"
MEAN, PUSH, FORCES = 0.03, 3.0, 0.2  # s between samples, N of random forces, and s for which these stay alike
NOISE = np.array([0.01, 0.002, 0.01])  # m/s, rad and rad/s
SCALE = np.array([0.5, 0.1, 0.5])  # what a network sees as 1
LOAD, GAIN = 1.5, 1.3  # the cart's mass and the sensor's gain after the changes, as parts of those before
PHASE, BEFORE, WINDOW, COLLECTED = 1500, 500, 250, 1000  # samples
LESSONS, LESSON, EPOCHS, BATCH, RATE = 64, 200, 250, 8, 0.02
BACK = 1.2  # times the error before a change: what counts as back
# What learns in use, and how.
LEARNERS = {
    "the readout, RLS": lambda: {"rule": RLS(0.99), "guard": Guard()},
    "the whole network, exact gradients": lambda: {"rule": Adam(3e-4), "clip_norm": 1.0, "guard": Guard()},
}
FROZEN, AGAIN = "frozen", f"trained again, after {COLLECTED:,} samples"

FIRST, LAGS, SEASON = 1000, 20, 10  # of the devices: steps for the training, steps that a line sees, a period
DEVICES = 1090, 4436, 5712, 7923  # where the next one begins, by those who made the series
DEVICE_SEEDS, DEVICE_EPOCHS = 3, 100
LINES = {f"a line on {LAGS} steps, RLS": RLS(0.999), f"a line on {LAGS} steps, NLMS": NLMS(0.1)}
RIVER = f"River's LinearRegression on {LAGS} steps"


def network(inputs, outputs, seed):
    """16 neurons, all connected, whose time constants are from half a step to five."""
    cell = LTC(FullyConnected(16), ode_unfolds=2, init={"time_constants": (0.5, 5.0)})
    layers = Standardize(), cell, Dense(outputs), Standardize(inverse=True)
    return Model(*layers, input_dim=inputs, seed=seed)


def taught(model, x, y, dt, epochs, seed):
    """The network, trained on sequences."""
    model.adapt(x, y)
    steps = epochs * -(-len(x) // BATCH)
    optimizer = Adam(CosineDecay(RATE, steps))
    model.fit(x, y, dt=dt, epochs=epochs, batch_size=BATCH, optimizer=optimizer, clip_norm=1.0, seed=seed, verbose=0)
    return model


def follow(model, x, y, dt, **settings):
    """Squared errors (T, O) of a learner's answers, each given before its target is learnt from."""
    learner = Learner(model, **settings)
    errors = np.empty(y.shape)
    for t, wanted in enumerate(y):
        learner.predict(x[t], dt=dt[t])
        errors[t] = learner.learn(wanted)
    return errors**2


# ------------------------------------------------------------------------------------------------------------ the cart


def ride(n, T, rng, mass=lambda t: CART, gain=lambda t: 1.0):
    """n rides by the expert with random forces: inputs (n, T, 4), targets (n, T, 2), dt (n, T).

    ``mass`` and ``gain`` are of the cart and of the angle's sensor at each sample.  A ride that leaves the track, or
    whose pole falls, is an error.
    """
    gains = expert(MEAN, force=0.002)
    state, seconds = rng.uniform(-START, START, (n, 4)) / 2, times(n, T + 1, MEAN, rng)
    seen, forces, push = np.empty((n, T + 1, 3)), np.empty((n, T)), np.zeros(n)
    for t in range(T + 1):
        seen[:, t] = (state[:, 1:] + rng.normal(size=(n, 3)) * NOISE) * [1.0, gain(t), 1.0]
        if (np.abs(state[:, 0]) > TRACK).any() or (np.abs(state[:, 2]) > FALLEN).any():
            raise ValueError(f"a ride must stay on the track, got one that does not at sample {t}")
        if t < T:
            keep = np.exp(-seconds[:, t + 1] / FORCES)
            push = keep * push + PUSH * np.sqrt(1 - keep**2) * rng.normal(size=n)
            forces[:, t] = np.clip(push - state @ gains, -FORCE, FORCE)
            state = move(state, forces[:, t], seconds[:, t + 1], mass(t))
    x = np.concatenate([seen[:, :-1] / SCALE, forces[:, :, None] / FORCE], axis=2)
    return x, np.diff(seen[:, :, [0, 2]], axis=1), seconds[:, 1:] / MEAN


def changed(phase):
    """The two changes of a stream, as functions of the sample."""
    return {"mass": lambda t: CART * (LOAD if t >= phase else 1), "gain": lambda t: GAIN if t >= 2 * phase else 1.0}


def cart(seed, phase, epochs):
    """{who: squared errors (3 phase,)} on one stream, as parts of the variance of the lessons' targets."""
    x, y, dt = ride(LESSONS, LESSON, np.random.default_rng([seed, 0]))
    deployed = taught(network(4, 2, seed), x, y, dt, epochs, seed)
    scale = 2 * y.var(axis=(0, 1))
    x, y, dt = (part[0] for part in ride(1, 3 * phase, np.random.default_rng([seed, 1]), **changed(phase)))
    found = {FROZEN: (deployed(x, dt=dt) - y) ** 2}
    for title, settings in LEARNERS.items():
        found[title] = follow(deployed, x, y, dt, **settings())
    found[AGAIN] = found[FROZEN].copy()
    collected = COLLECTED * phase // PHASE
    for k in (1, 2):
        known, rest = slice(k * phase, k * phase + collected), slice(k * phase + collected, (k + 1) * phase)
        lessons = [part[known].reshape(-1, LESSON, *part.shape[1:]) for part in (x, y, dt)]
        again = taught(network(4, 2, seed), *lessons, 4 * epochs, seed)
        found[AGAIN][rest] = (again(x[rest], dt=dt[rest]) - y[rest]) ** 2
    return {title: (errors / scale).sum(axis=1) for title, errors in found.items()}


def rms(errors):
    """Root of the mean of squared errors, in %."""
    return 100 * float(np.sqrt(np.mean(errors)))


def steps_back(errors, change, phase):
    """After how many samples the last `WINDOW` have an error of at most `BACK` times that of the `BEFORE` before the
    first change; None if they never have.  Errors are (..., T)."""
    limit = BACK**2 * errors[..., phase - BEFORE : phase].mean()
    after = errors[..., change : change + phase].reshape(-1, phase).mean(axis=0)
    sums = np.concatenate([[0.0], np.cumsum(after)])
    back = np.flatnonzero(sums[WINDOW:] - sums[:-WINDOW] <= WINDOW * limit)
    return int(back[0]) + WINDOW if back.size else None


# --------------------------------------------------------------------------------------------------------- the devices


def read(path):
    """The power of the devices, (T,)."""
    try:
        power = np.loadtxt(path, delimiter=",", ndmin=2)[:, 1]
    except (ValueError, IndexError) as error:
        raise ValueError(f'must have lines "step,power": {error}') from None
    if len(power) <= DEVICES[-1]:
        raise ValueError(f"must have more than {DEVICES[-1]:,} steps, got {len(power):,}")
    return power


def devices(seed, power, epochs):
    """{who: squared errors (T,)} of forecasts of the next step, by the networks; 0 within the training."""
    starts = range(0, FIRST - 100, 20)
    x, y = (np.stack([power[k + ahead : k + ahead + 100] for k in starts])[:, :, None] for ahead in (0, 1))
    deployed = taught(network(1, 1, seed), x, y, None, epochs, seed)
    x, y, dt = power[FIRST - 1 : -1, None], power[FIRST:, None], np.ones(len(power) - FIRST)
    found = {FROZEN: (deployed(x) - y) ** 2}
    for title, settings in LEARNERS.items():
        found[title] = follow(deployed, x, y, dt, **settings())
    return {title: np.concatenate([np.zeros(FIRST), errors[:, 0]]) for title, errors in found.items()}


def without_networks(power):
    """The same of the season, of lines on the last steps, and of River's if River is there."""
    found = {f"the value {SEASON} steps before": (power - np.roll(power, SEASON)) ** 2}
    for title, rule in LINES.items():
        W, kept = np.zeros((1, LAGS + 1)), rule.begin(LAGS + 1, 1, np.dtype(float))
        found[title] = np.zeros(len(power))
        for t in range(LAGS, len(power)):
            seen = np.append(power[t - LAGS : t], 1.0)
            error = power[t] - W @ seen
            found[title][t] = error[0] ** 2
            W, kept = rule.update(W, kept, seen, error, None, 1.0)
    try:
        from river import linear_model, optim, preprocessing
    except ImportError:
        return found
    # By the default rate, 0.01, it diverges at the second device.
    line = preprocessing.StandardScaler() | linear_model.LinearRegression(optimizer=optim.SGD(1e-3))
    found[RIVER] = np.zeros(len(power))
    for t in range(LAGS, len(power)):
        seen = dict(enumerate(power[t - LAGS : t]))
        found[RIVER][t] = (power[t] - line.predict_one(seen)) ** 2
        line.learn_one(seen, power[t])
    return found


def by_device(errors):
    """Root mean squares of each device after the training, and of all."""
    cuts = [FIRST, *(cut for cut in DEVICES if cut < len(errors)), len(errors)]
    parts = [errors[first:end] for first, end in pairwise(cuts)]
    return [float(np.sqrt(part.mean())) for part in (*parts, errors[FIRST:])]


# ------------------------------------------------------------------------------------------------------------- results


def train(name, seed, threads, power, phase, epochs):
    """One seed of one stream."""
    set_num_threads(threads)
    begun = time.perf_counter()
    found = cart(seed, phase, epochs) if name == "cart" else devices(seed, power, min(epochs, DEVICE_EPOCHS))
    print(f"{name}, seed {seed}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    return found


def together(found):
    """{who: (seeds, T)}"""
    return {title: np.stack([own[title] for own in found]) for title in found[0]}


def cart_table(errors, phase):
    """Markdown: errors before and after each change, steps until they are back, and the whole run beside the frozen."""
    lines = ["| | before | load: at once | at the end | back after | gain: at once | at the end | back after | worst |"]
    lines.append("|---" * 9 + "|")
    whole = {title: np.sqrt(own.mean(axis=1)) for title, own in errors.items()}
    for title, own in errors.items():
        cells = [f"{rms(own[:, phase - BEFORE : phase]):.1f} %"]
        for change in (phase, 2 * phase):
            cells += [f"{rms(own[:, part]):.1f} %" for part in (slice(change, change + WINDOW),
                      slice(change + phase - BEFORE, change + phase))]  # fmt: skip
            back = steps_back(own, change, phase)
            cells.append("never" if back is None else f"{back:,}")
        cells.append(f"{(whole[title] / whole[FROZEN]).max():.2f}")
        lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join(lines)


def still(errors, phase):
    """The worst seed's error before the first change, as a part of the frozen network's: of each learner."""
    before = {title: np.sqrt(own[:, :phase].mean(axis=1)) for title, own in errors.items()}
    return {title: float((before[title] / before[FROZEN]).max()) for title in LEARNERS}


def device_table(errors):
    """Markdown: root mean square errors of each device."""
    lines = ["| | first device | second | third | fourth | fifth | all |", "|---" * 7 + "|"]
    for title, own in errors.items():
        columns = zip(*map(by_device, own), strict=True)
        lines.append(f"| {title} | {' | '.join(mean_sd(column, 3) for column in columns)} |")
    return "\n".join(lines)


def section(found, args, seconds):
    """The text of docs/results.md on this task."""
    worst = " and ".join(f"{value:.3f} times ({title})" for title, value in still(found["cart"], PHASE).items())
    text = f"""\
A cart with a pole, as [above](#a-pendulum-balanced), is driven by its expert and by random forces, with random times
between samples, {1000 * MEAN:.0f} ms on average. A network, `LTC(FullyConnected(16), ode_unfolds=2)` between
`Standardize` layers, is told the cart's speed, the pole's angle and how fast it turns, the motor's force, and how long
it will be held. It foresees how much the two speeds change until the next sample, whose sensors (with noise) then tell
it the target. It was trained on {LESSONS} rides of {LESSON} samples. In use the cart becomes {LOAD:g} times as heavy
after {PHASE:,} samples, and after {2 * PHASE:,} the angle's sensor shows {GAIN:g} times the angle.

Errors are root mean squares, in % of the spread of what is foreseen, over {len(args.seeds)} seeds (networks and
streams): of the {BEFORE} samples before the changes, of the first {WINDOW} after each, and of the last {BEFORE} of the
{PHASE:,}. An error is back when that of the last {WINDOW} samples is at most {BACK:g} times that of the {BEFORE} before
the first change. "Worst" is the error of the whole run as a part of the frozen network's, in the seed where it is
largest."""
    more = f"""\
The readout learns by `RLS(0.99)`, the whole network by `Adam(3e-4)` with `Exact()` and `clip_norm=1`, each with
`Guard()`; "trained again" is a new network that has learnt from the {COLLECTED:,} samples since the
change. While nothing changes, in the first {PHASE:,} samples, the worst seed's error is {worst}
that of the frozen network.

The second stream is real: the power of electric devices, five kinds one after the other (ElectricDevices of the archive
of time series, as joined for segmentation; sktime and aeon bring it). The next step is to be forecast. The same kind of
network is trained on the first {FIRST:,} steps; root mean square errors are of the steps after these, over
{DEVICE_SEEDS} seeds."""
    paragraphs, others = ("\n\n".join(textwrap.fill(p, 120) for p in one.split("\n\n")) for one in (text, more))
    return f"""## {TITLE}

{paragraphs}

{cart_table(found["cart"], PHASE)}

{others}

{device_table(found["devices"])}

![Errors of the cart's network over the samples, and of the devices' forecasts](images/drift.png)

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", metavar="FILE", nargs="?", type=pathlib.Path, help="lines of step,power of the devices")
    add_arguments(parser, ("cart", "devices"), ("cart", "devices"), list(range(10)))
    parser.add_argument("--quick", action="store_true", help="one seed, a short stream, little training")
    args = parser.parse_args(argv)
    args.command = shlex.join(["python", "examples/drift.py", *(sys.argv[1:] if argv is None else argv)])
    if args.quick:
        args.seeds = args.seeds[:1]
    check_arguments(parser, args)
    phase = 600 if args.quick else PHASE
    epochs = args.epochs or (10 if args.quick else EPOCHS)
    try:
        power = read(data_files.chosen([args.file], *data_files.DEVICES)[0])
    except (OSError, ValueError) as error:
        parser.error(str(error))
    power = power[: DEVICES[0] + 300] if args.quick else power
    start = time.perf_counter()
    found = {}
    for name, seeds in (("cart", args.seeds), ("devices", args.seeds[:DEVICE_SEEDS])):
        if name in args.models:
            own = argparse.Namespace(models=[name], seeds=seeds, jobs=min(args.jobs, len(seeds)))
            found[name] = together(train_all(own, train, power, phase, epochs)[name])
    tables = []
    if "cart" in found:
        tables.append(cart_table(found["cart"], phase))
        for title, worst in still(found["cart"], phase).items():
            tables[-1] += (
                f"\n\nbefore anything changes, {title}: {worst:.3f} times the frozen network's error, at worst"
            )
    if "devices" in found:
        found["devices"] |= {title: own[None] for title, own in without_networks(power).items()}
        tables.append(device_table(found["devices"]))
    print("\n\n".join(tables))
    seconds = time.perf_counter() - start
    if args.no_plot or len(found) < 2:
        return
    write(args.output / "drift.png", lambda part: draw(found, phase, part))
    if args.write_docs:
        put_section(TITLE, section(found, args, seconds))


if __name__ == "__main__":
    main()
