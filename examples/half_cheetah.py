"""Half-cheetah: what does a running robot's state become next?  The comparison of the LTC paper, by its protocol.

DATA is a folder with the files trace_0000.npy ... trace_0030.npy, 31 runs of MuJoCo's HalfCheetah-v2: those of
experiments_with_ltcs/data/cheetah in the repository github.com/raminmh/liquid_time_constant_networks (Apache-2.0); or
an .npz file with an array ``x`` (31, 1000, 17) of them in order.

    python examples/half_cheetah.py DATA --quick              # a minute; too short to learn much
    python examples/half_cheetah.py DATA                      # eight models, three seeds each: some 10 minutes
    python examples/half_cheetah.py DATA --models ltc cfc --seeds 0
    python examples/half_cheetah.py DATA --write-docs         # the full run, which also writes docs/results.md

Source of task, protocol and published figures: Hasani et al., "Liquid time-constant networks", AAAI 2021, table 3.
"""

import argparse
import pathlib
import shlex
import sys
import time
import zipfile
from dataclasses import dataclass, field

import numpy as np
from comparison import add_arguments, check_arguments, mean_sd, put_section, reporter, train_all, write, written

from ltc_np import (
    CTGRU,
    CTRNN,
    LSTM,
    LTC,
    Adam,
    Batching,
    CfC,
    CosineDecay,
    Dense,
    FullyConnected,
    Model,
    NeuralODE,
    ensemble,
    set_num_threads,
)

TITLE = "Half-cheetah"
TRACES, STEPS, FEATURES = 31, 1000, 17
WINDOW, HOP, BATCH, EPOCHS = 32, 10, 16, 200
VALIDATION, TEST, TRAINING = slice(0, 5), slice(5, 15), slice(15, 25)  # traces; the last six are not used


def read(path):
    """The traces (31, 1000, 17), float32, from a folder of trace_*.npy or an .npz file with an array x."""
    path = pathlib.Path(path)
    if path.is_dir():
        files = [path / f"trace_{k:04}.npy" for k in range(TRACES)]
        missing = [file.name for file in files if not file.exists()]
        if missing:
            raise ValueError(f"must have trace_0000.npy to trace_{TRACES - 1:04}.npy, {missing[0]} is missing")
        arrays = [load(file, np.ndarray) for file in files]
        shapes = {np.shape(a) for a in arrays}
        if shapes != {(STEPS, FEATURES)}:
            raise ValueError(f"must have traces of shape {(STEPS, FEATURES)}, got {sorted(shapes)}")
        x = np.stack(arrays)
    else:
        x = load(path, np.lib.npyio.NpzFile).get("x", np.empty(0))
    if x.dtype.kind not in "fiu" or x.shape != (TRACES, STEPS, FEATURES):
        raise ValueError(f"must hold numbers of shape {(TRACES, STEPS, FEATURES)}, got {x.dtype} of shape {x.shape}")
    if not np.isfinite(x).all():
        raise ValueError("must hold finite numbers, got NaN or infinities")
    return x.astype(np.float32)


def load(file, kind):
    """The array in an .npy file, or the arrays in an .npz file by name."""
    try:
        with open(file, "rb") as opened:
            found = np.load(opened, allow_pickle=False)
            if isinstance(found, kind):
                return found if kind is np.ndarray else dict(found)
    except (ValueError, EOFError, zipfile.BadZipFile):
        pass  # said below, for all that is no such file
    raise ValueError("must be a folder of trace_*.npy, or an .npz file with an array x")


def windows(traces):
    """Inputs and targets, (windows, 32, 17) both: what is seen, and the same one step later."""
    starts = range(0, traces.shape[1] - WINDOW, HOP)
    cut = np.stack([trace[s : s + WINDOW + 1] for trace in traces for s in starts])
    return cut[:, :-1], cut[:, 1:]


@dataclass(frozen=True)
class Setting:
    """A model, how it is trained, and what was published of its kind: test error.

    ``tuned``: not by the protocol; inputs scaled to mean 0 and variance 1, the learning rate falling to 0 along half a
    cosine over so many epochs, gradients clipped to norm 1.  The answer is the mean of ``members`` networks.
    """

    title: str
    layers: tuple
    rate: float
    published: str
    dt: float | None = None
    frozen: tuple = ()
    tuned: int | None = None
    members: int = 1


UNITS = 32
READOUT = Dense(FEATURES, input_dim=UNITS)
MODELS = {
    # As in the paper's code: the capacity is what they call cm_t, which the step does not divide by dt / unfolds.
    "ltc": Setting(
        "LTC",
        (
            LTC(
                FullyConnected(UNITS),
                input_dim=FEATURES,
                positivity="clip",
                epsilon=0.0,
                output_mapping=None,
                init={"cm": 0.5, "gleak": 1.0, "w": (0.01, 1.0), "sensory_w": (0.01, 1.0)},
            ),
            READOUT,
        ),
        0.01,
        "2.308 ± 0.015",
        dt=6.0,
    ),
    "cfc": Setting("CfC", (CfC(UNITS, input_dim=FEATURES), READOUT), 0.001, ""),
    "lstm": Setting("LSTM", (LSTM(UNITS, input_dim=FEATURES), READOUT), 0.001, "2.500 ± 0.140"),
    "ctrnn": Setting(
        "CT-RNN",
        (CTRNN(UNITS, input_dim=FEATURES, solver="euler"), READOUT),
        0.001,
        "2.838 ± 0.112",
        dt=0.6,
        frozen=("0.tau",),
    ),
    "neural_ode": Setting(
        "Neural ODE", (NeuralODE(UNITS, input_dim=FEATURES), READOUT), 0.001, "3.805 ± 0.313", dt=0.6
    ),
    "ctgru": Setting(
        "CT-GRU", (CTGRU(UNITS, input_dim=FEATURES, decay="after"), READOUT), 0.001, "3.014 ± 0.134", dt=1.0
    ),
    "ctgru_first": Setting("CT-GRU, decay first", (CTGRU(UNITS, input_dim=FEATURES), READOUT), 0.001, "", dt=1.0),
    "tuned": Setting(
        "9 LTCs, tuned",
        (
            LTC(FullyConnected(64), input_dim=FEATURES, output_mapping=None),
            Dense(256, "silu", input_dim=64),
            Dense(FEATURES, input_dim=256),
        ),
        0.01,
        "",
        tuned=40,
        members=9,
    ),
}


@dataclass(frozen=True)
class Result:
    """One training; of several members validation and best epoch are those of the first."""

    parameters: int
    validation: list = field(repr=False)  # error, by epoch
    best_epoch: int
    test: float  # error, with the weights of that epoch
    cpu_seconds: float


def train(name, seed, threads, data, epochs):
    """Train one model, or its members; the test is read at the end, by the weights of the least validation errors."""
    set_num_threads(threads)
    setting, start = MODELS[name], time.process_time()
    epochs = epochs or setting.tuned or EPOCHS
    x, y = windows(data[TRAINING])
    mean, deviation = (x.mean((0, 1)), x.std((0, 1))) if setting.tuned else (0, 1)

    def known(x, y):
        return {"x": (x - mean) / deviation, "y": y} | ({} if setting.dt is None else {"dt": setting.dt})

    def figures(logs):
        return f"training {logs['loss']:.3f}, validation {logs['val_loss']:.3f}"

    def trained(own):
        model = Model(*setting.layers, seed=own)
        if setting.frozen:
            model.freeze(*setting.frozen)
        history = model.fit(
            **known(x, y),
            epochs=epochs,
            batch_size=Batching(BATCH, drop_last=True),
            optimizer=Adam(CosineDecay(setting.rate, epochs * (len(x) // BATCH)) if setting.tuned else setting.rate),
            clip_norm=1.0 if setting.tuned else None,
            validation=known(*windows(data[VALIDATION])),
            seed=own,
            callbacks=[reporter(name, own, epochs, figures)],
            verbose=False,
        )
        return model, history

    models, histories = zip(*(trained(own) for own in ensemble.seeds(seed, setting.members)), strict=True)
    model = models[0] if len(models) == 1 else ensemble.join(models)
    test = model.evaluate(**known(*windows(data[TEST])))["loss"]
    first = histories[0]
    return Result(model.theta.size, first["val_loss"], first.best_epoch, test, time.process_time() - start)


def baselines(data):
    """Test errors of predicting no change, zero, and the best linear function of the last observation."""
    (x, y), (x_test, y_test) = windows(data[TRAINING]), windows(data[TEST])

    def with_one(x):
        flat = x.reshape(-1, FEATURES).astype(np.float64)
        return np.concatenate([flat, np.ones((len(flat), 1))], axis=1)

    weights = np.linalg.lstsq(with_one(x), y.reshape(-1, FEATURES), rcond=None)[0]
    linear = with_one(x_test) @ weights
    return {
        "linear in the last observation": np.mean((linear - y_test.reshape(-1, FEATURES)) ** 2),
        "the last observation": np.mean((x_test - y_test) ** 2),
        "zero": np.mean(y_test**2),
    }


def table(results, data):
    """Markdown: a row for each model, and what needs none."""
    lines = [
        "| model | parameters | learning rate | test error | published | best epoch | CPU s |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, own in results.items():
        setting, error = MODELS[name], mean_sd([result.test for result in own], 3)
        cpu = np.mean([result.cpu_seconds for result in own])
        epochs = ", ".join(str(result.best_epoch + 1) for result in own)
        cells = setting.title, f"{own[0].parameters:,}", f"{setting.rate:g}", error, setting.published, epochs
        lines.append(f"| {' | '.join(cells)} | {cpu:.0f} |")
    lines += [f"| {title} | | | {error:.3f} | | | |" for title, error in baselines(data).items()]
    return "\n".join(lines)


def draw(results, file):
    """Validation errors over the epochs, and test errors beside the published ones."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=(3, 2))
    for k, (name, own) in enumerate(results.items()):
        for result in own:
            epochs = np.arange(len(result.validation)) + 1
            axes[0].plot(epochs, result.validation, color=f"C{k}", lw=1)
            axes[1].plot(result.test, -k, "o", color=f"C{k}", label="here" if (k, result) == (0, own[0]) else None)
        if MODELS[name].published:
            mean, sd = map(float, MODELS[name].published.split(" ± "))
            label = None if any(t.get_label() == "published" for t in axes[1].containers) else "published"
            axes[1].errorbar(mean, -k - 0.25, xerr=sd, fmt="k.", capsize=3, label=label)
    axes[0].set(xlabel="epoch", ylabel="mean squared error, validation", yscale="log")
    axes[0].set_title("learning, in the colours of the names to the right")
    axes[0].set_yticks([2, 3, 4, 6, 8, 10, 15, 20], [2, 3, 4, 6, 8, 10, 15, 20])
    axes[0].minorticks_off()
    axes[1].set(xlabel="mean squared error, test", title="with the weights of the best validation error")
    axes[1].set_yticks([-k for k in range(len(results))], [MODELS[name].title for name in results])
    axes[1].set_ylim(-len(results) + 0.4, 0.6)
    for k, label in enumerate(axes[1].get_yticklabels()):
        label.set_color(f"C{k}")
    axes[1].legend()
    write(file, lambda part: figure.savefig(part, dpi=110, format="png"))


def section(results, data, args, seconds):
    """The text of docs/results.md on this task."""
    count = {name: len(windows(data[part])[0]) for name, part in (("t", TRAINING), ("v", VALIDATION), ("e", TEST))}
    tuned = MODELS["tuned"]
    return f"""## {TITLE}

What will the {FEATURES} observations of a running robot (MuJoCo's HalfCheetah-v2) be one step later? The comparison of
Hasani et al., "Liquid time-constant networks" (AAAI 2021, table 3), by its protocol: windows of {WINDOW} steps, one
every {HOP}, in raw units; {count["t"]} windows of ten runs for training, {count["v"]} of five for validation,
{count["e"]} of ten for the test. {UNITS} units, a dense readout at every step, batches of {BATCH}, Adam,
{EPOCHS} epochs, no clipping. The validation error chooses the epoch.

{table(results, data)}

![Learning curves and test errors](images/half_cheetah.png)

"Test error" is the mean squared error over all steps and observations: mean ± standard deviation over the seeds
{", ".join(map(str, args.seeds))}. "Published" is over five seeds.

Settings are those of the paper's code, where the code gives them:

- the LTC has {MODELS["ltc"].layers[0].ode_unfolds} semi-implicit unfolds and clipped positive parameters;
- the CT-RNN takes 6 Euler steps of 0.1 and has a fixed time constant of 1;
- the neural ODE takes 6 Runge-Kutta steps of 0.1;
- the CT-GRU has 8 time scales. Its memory decays by exp(-1/tau) after each step, as in the paper, but not in
  its code. In "decay first", this library's default, it decays before the step;
- the CfC is younger than the table, and has its default values.

"9 LTCs, tuned" leaves this protocol: it is the mean of {tuned.members} networks. Each has
{tuned.layers[0].output_size} units and a readout with a hidden layer of {tuned.layers[1].output_size} units (silu),
and inputs scaled to mean 0 and variance 1. It trains for {tuned.tuned} epochs, in which the
learning rate falls to 0 along half a cosine, with gradients clipped to norm 1. The network was chosen by its validation
error with one seed, among some twenty; parameters and seconds are those of all
{tuned.members}, the best epoch is that of the first. The test was read for three smaller ones too (1.854 at
best).

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", help="folder of trace_*.npy, or .npz file; see above")
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="2 epochs, one seed")
    args = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    shown = ["DATA" if word == args.data else word for word in given]
    args.command = shlex.join(["python", "examples/half_cheetah.py", *shown])
    check_arguments(parser, args)
    try:
        data = read(args.data)
    except (OSError, ValueError) as error:
        parser.error(f"DATA {args.data}: {error}")
    if args.quick:
        args.epochs, args.seeds = args.epochs or 2, args.seeds[:1]
    start = time.perf_counter()
    results = train_all(args, train, data, args.epochs)
    seconds = time.perf_counter() - start
    print(table(results, data))
    if args.no_plot:
        return
    draw(results, args.output / "half_cheetah.png")
    if args.write_docs:
        put_section(TITLE, section(results, data, args, seconds))


if __name__ == "__main__":
    main()
