"""Long sequences: what is remembered over 2,000 steps, and which class a whole recording has.

Two generated tasks, each with equal steps and with irregular ones (elapsed times of mean 1, exponentially distributed):

  recall   three signs are shown at the beginning, for 20 steps; after 2,000 more of noise: which were they?
  adding   in 2,000 steps of noise two numbers are shown, for 20 steps with a mark: what is their sum?

and with DATA, a folder, two recordings of the UEA archive of time series (timeseriesclassification.com), as files
ethanol.npz and scp1.npz: arrays x (n, T, C) and y (n,), the classes, and the numbers of the cases for training,
validation and test in arrays train, valid, test.

  ethanol  EthanolConcentration: three spectra of a bottle of whisky, 1,751 wavelengths: how much alcohol?
  scp1     SelfRegulationSCP1: one channel of EEG, 896 samples: does the cursor go up or down?

    python examples/long_range.py --quick                       # half a minute: recall over 200 steps, two models
    python examples/long_range.py                               # what is generated; some 30 minutes on 2 cores
    python examples/long_range.py DATA --tasks ethanol scp1     # the recordings, three seeds; some 10 minutes
    python examples/long_range.py DATA --tasks ethanol scp1 --write-docs    # also writes docs/results.md and a picture

All models have one architecture around another cell, and as many parameters.  What was chosen was chosen by the
validation set; the test set is read at the end.
"""

import argparse
import pathlib
import shlex
import sys
import time
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from comparison import add_arguments, check_arguments, mean_sd, number, put_section, reporter, train_all, write, written

from ltc_np import (
    GELU,
    GLU,
    LRC,
    LSTM,
    LTC,
    S4D,
    AdamW,
    Batching,
    CfC,
    Conv1D,
    CosineDecay,
    Dense,
    Dropout,
    FullyConnected,
    LayerNorm,
    LinOSS,
    LiquidS4,
    Looped,
    LrcSSM,
    Model,
    Pooling,
    Residual,
    set_num_threads,
)
from ltc_np.sklearn import LTCClassifier, LTCRegressor

TITLES = "Memory over 2,000 steps", "Long recordings"  # of the tasks that are generated, and of the others
STEPS, CUE, NOISE = 2000, 20, 0.1  # of the generated sequences
LEVELS = np.array([35, 38, 40, 45])  # per cent of alcohol, by class
KERNEL = 7  # steps that a convolution reads
WAVES = 3  # of position in the sequence, beside a straight line


# ----------------------------------------------------------------------------------------------------------- data


@dataclass(frozen=True)
class Data:
    """Sequences (n, T, I), elapsed times (n, T) in steps, answers (n,), and the rows for training, validation, test."""

    x: np.ndarray
    dt: np.ndarray
    y: np.ndarray
    train: np.ndarray
    valid: np.ndarray
    test: np.ndarray


def split(x, dt, y, sizes):
    """`Data` of generated sequences: the first for training, then validation, then the test."""
    return Data(x.astype(np.float32), dt.astype(np.float32), y, *np.split(np.arange(len(y)), np.cumsum(sizes)[:2]))


def elapsed(rng, count, steps, irregular):
    """Times before the steps, of mean 1."""
    return rng.exponential(size=(count, steps)) if irregular else np.ones((count, steps))


def recall(sizes, steps, irregular):
    """Three signs, shown for `CUE` steps, and then noise; the class is the number that they are in binary."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 8, sum(sizes))
    x = NOISE * rng.standard_normal((len(y), CUE + steps, 3))
    x[:, :CUE] += 2 * (y[:, None] >> np.arange(3) & 1)[:, None] - 1
    return split(x, elapsed(rng, len(y), CUE + steps, irregular), y, sizes)


def adding(sizes, steps, irregular):
    """Two numbers in [-1, 1] in noise, one in each half, for `CUE` steps with a mark; the answer is their sum."""
    rng = np.random.default_rng(1)
    count, half = sum(sizes), steps // 2
    numbers = rng.uniform(-1, 1, (count, 2))
    x = np.stack([NOISE * rng.standard_normal((count, steps)), np.zeros((count, steps))], axis=2)
    for k, last in enumerate((half - CUE, steps - CUE)):
        at = rng.integers(k * half, last + 1, count)[:, None] + np.arange(CUE)
        x[np.arange(count)[:, None], at] += np.stack([numbers[:, k], np.ones(count)], axis=1)[:, None]
    return split(x, elapsed(rng, count, steps, irregular), numbers.sum(1), sizes)


def binned(x, bins):
    """Means of ``bins`` samples each."""
    count, steps, channels = len(x), x.shape[1] // bins, x.shape[2]
    return x[:, : bins * steps].reshape(count, steps, bins, channels).mean(2)


ARRAYS = "x", "y", "train", "valid", "test"


def stored(path, samples, channels):
    """x (n, T, C) float64, y, and the rows for training, validation and test of a file."""
    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            missing = [name for name in ARRAYS if name not in file]
            found = [] if missing else [file[name] for name in ARRAYS]
    except (ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):  # .npy, or damaged
        raise ValueError(f"{path.name} is no whole .npz file of arrays {', '.join(ARRAYS)}") from None
    if missing:
        raise ValueError(f"{path.name} must have arrays {', '.join(ARRAYS)}, got no {', '.join(missing)}")
    x, y, *rows = found
    if x.ndim != 3 or x.shape[1] < samples or x.shape[2] < channels or y.shape != x.shape[:1]:
        raise ValueError(
            f"{path.name} must have x (n, T, C), T >= {samples} and C >= {channels}, and y (n,), "
            f"got x {x.shape} and y {y.shape}"
        )
    return x.astype(np.float64), y, rows


def ethanol(path):
    """Means of ten wavelengths, normalised in each spectrum, then, by the training set, at every wavelength.

    So every wavelength says how this bottle differs from the others, and none which it is: that say four more features.
    """
    x, y, rows = stored(path, 10, 3)
    x = binned((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), 10)
    x = (x - x[rows[0]].mean(0)) / x[rows[0]].std(0)
    place = np.linspace(-1, 1, x.shape[1])
    where = np.stack([place, *(np.sin(np.pi * k * place) for k in range(1, WAVES + 1))], axis=1)
    x = np.concatenate([x, np.broadcast_to(where, (len(x), *where.shape))], axis=2)
    return Data(x.astype(np.float32), np.ones(x.shape[:2], np.float32), y, *rows)


def scp1(path):
    """Means of eight samples of the first channel, of mean 0 and variance 1 in the training set.

    The other channels of this file are the same samples, some steps ahead.
    """
    x, y, rows = stored(path, 8, 1)
    x = binned(x[:, :, :1], 8)
    x = (x - x[rows[0]].mean()) / x[rows[0]].std()
    return Data(x.astype(np.float32), np.ones(x.shape[:2], np.float32), y, *rows)


def plain(x, target, batch, rng):
    """Batches of an epoch."""
    order = rng.permutation(len(x))
    for first in range(0, len(x), batch):
        rows = order[first : first + batch]
        yield x[rows], target[rows]


def mixed(x, target, batch, rng):
    """Batches of bottles that are mixed in pairs, with their concentrations ("mixup", arXiv 1710.09412).

    The three spectra of a bottle are in no order, and stand in another one every time.
    """

    def shuffled(own):
        order = np.argsort(rng.random((len(own), 3)), axis=1)
        return np.concatenate([np.take_along_axis(own[:, :, :3], order[:, None], axis=2), own[:, :, 3:]], axis=2)

    others = rng.permutation(len(x))
    for own, rows in plain(np.arange(len(x)), np.arange(len(x)), batch, rng):
        share = rng.uniform(0.5, 1, (len(rows), 1)).astype(np.float32)
        pair = others[rows]
        yield (
            share[:, :, None] * shuffled(x[own]) + (1 - share[:, :, None]) * shuffled(x[pair]),
            share * target[own] + (1 - share) * target[pair],
        )


# ---------------------------------------------------------------------------------------------------------- tasks


@dataclass(frozen=True)
class Task:
    """What is asked, and how it is learnt.

    Attributes
    ----------
    title : str
    make : callable
        ``make(args)`` gives the `Data`.
    epochs, batch : int
    classes : int
        0 where a number is asked for.
    levels : array or None
        Which numbers there are, by class; None for any.
    batches : callable
        Of an epoch: `plain` or `mixed`.
    pools : bool
        The answer is a mean over the steps, where a cell does not say otherwise; else that after the last step.
    dropout, decay : float
    solver : str
        Of LRC and LrcSSM: the published one, or that which is stable for every elapsed time.
    """

    title: str
    make: Callable
    epochs: int
    batch: int = 16
    classes: int = 0
    levels: np.ndarray | None = None
    batches: Callable = plain
    pools: bool = False
    dropout: float = 0.0
    decay: float = 0.0
    solver: str = "euler"

    def target(self, y):
        """What `fit` is given: classes, or numbers (n, 1) of about mean 0 and variance 1."""
        if self.classes:
            return y
        y = y if self.levels is None else (self.levels[y] - self.levels.mean()) / self.levels.std()
        return y[:, None].astype(np.float32)

    def score(self, out, y):
        """Accuracy in per cent; of a number without levels the share of its variance that is explained."""
        if self.classes:
            return 100 * (out.argmax(1) == y).mean()
        if self.levels is None:
            return 100 * (1 - ((out[:, 0] - y) ** 2).mean() / y.var())
        distance = np.abs(self.levels.mean() + self.levels.std() * out - self.levels)
        return 100 * (distance.argmin(1) == y).mean()


def generated(title, make, irregular, **options):
    return Task(title, lambda args: make(args.sizes, args.steps, irregular), solver="semi_implicit", **options)


SIZES = 256, 64, 512  # of generated sets
GENERATED = {
    "recall": generated("recall", recall, False, epochs=5, classes=8),
    "recall_irregular": generated("recall, irregular", recall, True, epochs=10, classes=8),
    "adding": generated("adding", adding, False, epochs=10),
    "adding_irregular": generated("adding, irregular", adding, True, epochs=10),
}
RECORDED = {
    "ethanol": Task(
        "EthanolConcentration", lambda args: ethanol(args.data / "ethanol.npz"), epochs=100, levels=LEVELS,
        batches=mixed, pools=True, dropout=0.1, decay=0.01,
    ),
    "scp1": Task(
        "SelfRegulationSCP1", lambda args: scp1(args.data / "scp1.npz"), epochs=20, classes=2, pools=True,
        dropout=0.1, decay=0.01,
    ),
}  # fmt: skip
TASKS = GENERATED | RECORDED


# --------------------------------------------------------------------------------------------------------- models


@dataclass(frozen=True)
class Setting:
    """A model.

    Attributes
    ----------
    title : str
    cell : callable
        ``cell(units, steps, task)`` gives the layer, for sequences of so many steps.
    rate : float
        Learning rate.
    state_space : bool
        It weighs every step by how long ago it was: the answer to a spectrum is that after the last step, and no norm
        stands in front of it.
    convolutions : int
        In front of the block, each with half as many steps as come in; 0 for a `Dense` there.
    times : int
        How often the block, with the norm behind it, is applied in a row.
    """

    title: str
    cell: Callable
    rate: float = 0.01
    state_space: bool = False
    convolutions: int = 0
    times: int = 1


STATES = 16  # of a channel: so there are more channels
OSCILLATORS = "exact"  # discretization of LinOSS: its steps can be short, and so its memories long
CONVOLUTIONS = 3


def memories(steps):
    """Steps of state spaces that remember from some steps to several sequences."""
    return {"step_min": 1 / steps, "step_max": 100 / steps}


MODELS = {
    "liquid_s4": Setting(
        "Liquid-S4",
        lambda units, steps, task: LiquidS4(STATES, liquid_bound=1.0, **memories(steps)),
        state_space=True,
    ),
    "s4d": Setting("S4D", lambda units, steps, task: S4D(STATES, **memories(steps)), state_space=True),
    "lrc_ssm": Setting("LrcSSM", lambda units, steps, task: LrcSSM(units, solver=task.solver)),
    "lrc": Setting("LRC", lambda units, steps, task: LRC(FullyConnected(units), solver=task.solver)),
    "ltc": Setting(
        "LTC",
        lambda units, steps, task: LTC(
            FullyConnected(units), solver="exponential", ode_unfolds=1, init={"time_constants": (1, steps)}
        ),
    ),
    "cfc": Setting("CfC", lambda units, steps, task: CfC(units, backbone_units=units)),
    "lstm": Setting("LSTM", lambda units, steps, task: LSTM(units)),
    "linoss": Setting(
        "LinOSS",
        lambda units, steps, task: LinOSS(
            units, units, discretization=OSCILLATORS, init={"log_step": (-np.log(steps), 0.0)}
        ),
        state_space=True,
    ),
}
MODELS |= {
    "looped": replace(MODELS["linoss"], title="LinOSS, looped", times=2),
    "conv_ltc": replace(MODELS["ltc"], title="LTC behind convolutions", convolutions=CONVOLUTIONS),
    "conv_cfc": replace(MODELS["cfc"], title="CfC behind convolutions", convolutions=CONVOLUTIONS),
}
PARAMETERS = 6000  # about, of each model


def make_model(name, task, features, steps, seed):
    """One block of so many units that the parameters are nearest to `PARAMETERS`."""
    setting = MODELS[name]
    # The norm in front of a cell makes weak noise strong, in which what is to be remembered drowns.
    front = [LayerNorm()] if task.pools and not setting.state_space else []
    pool = Pooling("mean" if task.pools and not (setting.state_space and task.levels is not None) else "last")

    def of(units):
        cell = setting.cell(units, steps, task)
        block = Residual(*front, cell, GELU(), Dropout(task.dropout), Dense(2 * units), GLU())
        first = [Conv1D(units, KERNEL, stride=2, activation="relu") for _ in range(setting.convolutions)]
        middle = [block, LayerNorm()]
        middle = [Looped(*middle, times=setting.times)] if setting.times > 1 else middle
        layers = *(first or [Dense(units, "gelu")]), *middle, pool, Dense(task.classes or 1)
        return Model(*layers, input_dim=features, seed=seed, return_sequences=False)

    smaller = of(8)
    for units in range(10, 65, 2):
        model = of(units)
        if model.layout.size >= PARAMETERS:
            break
        smaller = model
    return min(smaller, model, key=lambda model: abs(model.layout.size - PARAMETERS))


@dataclass(frozen=True)
class Result:
    """One training; scores in per cent, those of the validation set by epoch."""

    units: int
    parameters: int
    validation: list
    test: float
    seconds: float
    cpu_seconds: float


def train(which, seed, threads, args):
    """Train one model for one task; the validation set chooses the epoch, the test set is read at the end."""
    set_num_threads(threads)
    (task_name, name), start, cpu_start = which, time.perf_counter(), time.process_time()
    task, setting = TASKS[task_name], MODELS[name]
    data = task.make(args)
    epochs, target = args.epochs or task.epochs, task.target(data.y)
    model = make_model(name, task, data.x.shape[2], data.x.shape[1], seed)
    validation, steps = [], -(-data.train.size // task.batch)

    def given(x, dt):
        return {"x": x} | ({"dt": dt} if model.takes_dt else {})

    def batches(epoch):
        rng = np.random.default_rng((seed, epoch))
        if task.batches is plain:  # elapsed times go with the sequences
            for rows, _ in plain(data.train, data.train, task.batch, rng):
                yield given(data.x[rows], data.dt[rows]) | {"y": target[rows]}
        else:
            for x, y in task.batches(data.x[data.train], target[data.train], task.batch, rng):
                yield given(x, data.dt[0]) | {"y": y}

    def score(rows):
        return task.score(model.predict(**given(data.x[rows], data.dt[rows])), data.y[rows])

    def validate(epoch, logs):
        validation.append(score(data.valid))

    def figures(logs):
        return f"loss {logs['loss']:.4f}, validation {validation[-1]:.1f}"

    model.fit(
        batches,
        batch_size=Batching(steps_per_epoch=steps),
        epochs=epochs,
        optimizer=AdamW(CosineDecay(setting.rate, epochs * steps), weight_decay=task.decay),
        loss="cross_entropy" if task.classes else "mse",
        clip_norm=1.0,
        validation=given(data.x[data.valid], data.dt[data.valid]) | {"y": target[data.valid]},
        seed=seed,
        callbacks=[validate, reporter(f"{task_name}, {name}", seed, epochs, figures)],
        verbose=False,
    )
    test = score(data.test)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    return Result(model.layers[0].output_size, model.layout.size, validation, test, seconds, cpu_seconds)


PATCHES = {"ethanol": (10, 3, 5), "scp1": (8, 1, 8)}  # samples of a mean, channels, means of a patch
BESIDE = {"shortcut": "ridge", "ode_unfolds": 1, "readout": "mean"}  # the line, and the LTC


def patches(name, path):
    """Recordings as short sequences of patches, and their answers; of spectra the differences of neighbours."""
    bins, channels, size = PATCHES[name]
    x, y, rows = stored(path, bins, channels)
    if name == "ethanol":
        x = np.diff(binned((x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True), bins), axis=1)
        x = ((x - x[rows[0]].mean(0)) / x[rows[0]].std(0)).clip(-5, 5)
    else:
        x = binned(x[:, :, :channels], bins)
    count = x.shape[1] // size
    x = x[:, : count * size].reshape(len(x), count, size * channels)
    return x.astype(np.float32), TASKS[name].target(y), y, np.concatenate(rows[:2]), rows[2]


def beside_a_line(name, seed, threads, args):
    """The test score of an LTC that reads patches, with a line beside it; both learn from training and validation."""
    set_num_threads(threads)
    task = TASKS[name]
    x, target, y, known, asked = patches(name, args.data / f"{name}.npz")
    kind, epochs = (LTCClassifier, 20) if task.classes else (LTCRegressor, 60)
    estimator = kind(random_state=seed, epochs=args.epochs or epochs, **BESIDE).fit(x[known], target[known])
    out = estimator.predict_proba(x[asked]) if task.classes else estimator.predict(x[asked]).reshape(-1, 1)
    return task.score(out, y[asked])


def answers(task, out):
    """What `Task.score` is given, of a linear function's numbers (n,); two classes are the numbers 0 and 1 to it."""
    return np.stack([0.5 - out, out - 0.5], axis=1) if task.classes else out[:, None]


def ridge(features, rows, y, penalty):
    """Ridge regression that knows ``y`` of these rows of features (n, F).

    Returns its numbers (n,) for all, and the mean squared error at these rows, each left out in its turn.
    """
    known = features[rows]
    middle, mean = known.mean(0), y.mean()
    gram = (known - middle) @ (known - middle).T
    inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
    leverage = np.diag(gram @ inverse) + 1 / len(gram)
    left_out = penalty * inverse @ (y - mean) / (1 - leverage)
    return (features - middle) @ ((known - middle).T @ (inverse @ (y - mean))) + mean, (left_out**2).mean()


PENALTIES = 10.0 ** np.arange(-3, 6)


def line_of_patches(name, args):
    """The test score of ridge regression on what `beside_a_line` reads, by training and validation set as there.

    The penalty is that of the least error at cases that are left out.
    """
    x, target, y, known, asked = patches(name, args.data / f"{name}.npz")
    features = x.reshape(len(x), -1).astype(np.float64)
    wanted = target[known].reshape(-1).astype(np.float64)
    out, _ = min((ridge(features, known, wanted, penalty) for penalty in PENALTIES), key=lambda found: found[1])
    return TASKS[name].score(answers(TASKS[name], out[asked]), y[asked])


def linear(task, args):
    """The test score of ridge regression on all steps side by side; the validation set chooses the penalty."""
    data = task.make(args)
    features = data.x[:, :, :3].reshape(len(data.x), -1).astype(np.float64)
    wanted = task.target(data.y)[data.train].reshape(-1).astype(np.float64)

    def scores(penalty):
        out = answers(task, ridge(features, data.train, wanted, penalty)[0])
        return [task.score(out[rows], data.y[rows]) for rows in (data.valid, data.test)]

    return max((scores(penalty) for penalty in PENALTIES), key=lambda both: both[0])[1]


# --------------------------------------------------------------------------------------------------------- results


ABOUT_BESIDE = """"LTC of patches, beside a line" is `LTCRegressor` or `LTCClassifier` with shortcut "ridge", one
unfold and the mean as readout, for 60 or 20 epochs. It reads short sequences: of the EEG 14 patches of 8 means, of the
spectra 34 patches of 5 differences between neighbouring means. It and the line of patches learn from training and
validation set, on which cross-validation chooses; the other rows learn from the training set alone."""
TITLE_BESIDE = "LTC of patches, beside a line"
PATCHES_LINE, STEPS_LINE = "ridge regression on the same patches", "ridge regression on all steps"


def table(results, tasks, args, beside=None):
    """Markdown: a row for each model, a column for each task; results by (task, model), a list over the seeds.

    ``beside`` has the scores of `beside_a_line` by task.
    """
    titles = [TASKS[task].title for task in tasks]
    lines = [f"| model | units | parameters | {' | '.join(titles)} | CPU s |", "|---" * (4 + len(tasks)) + "|"]
    for name in args.models:
        own = [results[task, name] for task in tasks]
        sizes = (
            " / ".join(dict.fromkeys(f"{getattr(found[0], what):,}" for found in own))
            for what in ("units", "parameters")
        )
        scores = (mean_sd([result.test for result in found], 1) for found in own)
        cpu = " / ".join(f"{np.mean([result.cpu_seconds for result in found]):.0f}" for found in own)
        lines.append(f"| {MODELS[name].title} | {' | '.join([*sizes, *scores])} | {cpu} |")
    if beside:
        lines.append(f"| {TITLE_BESIDE} | | | {' | '.join(mean_sd(beside[task], 1) for task in tasks)} | |")
    if tasks[0] in RECORDED:
        found = [lines_of(task, args) for task in tasks]
        lines += [f"| {name} | | | {' | '.join(f'{own[name]:.1f}' for own in found)} | |" for name in found[0]]
    return "\n".join(lines)


CHANCE = 30  # per cent of four classes, and a little


def lines_of(task, args):
    """The scores of linear functions, by name."""
    return {PATCHES_LINE: line_of_patches(task, args), STEPS_LINE: linear(TASKS[task], args)}


def findings(results, tasks, args, beside):
    """What the table of the recordings says, in words: who wins, and who learns nothing."""
    lines = []
    for task in tasks:
        scores = {MODELS[name].title: [one.test for one in results[task, name]] for name in args.models}
        means = {name: np.mean(own) for name, own in scores.items()}
        best, linears = max(means, key=means.get), lines_of(task, args)
        rows = linears | {TITLE_BESIDE: np.mean(beside[task]), best: means[best]}
        ranked = sorted(rows, key=lambda name: -rows[name])
        winner = "a linear function" if ranked[0] in linears else ranked[0]
        lines.append(f"**On {TASKS[task].title} {winner} wins**:")
        lines.append(f"{'; '.join(f'{name} {rows[name]:.1f} %' for name in ranked)}.")
        ahead = [name for name, mean in means.items() if mean > linears[STEPS_LINE]]
        lines.append(f"Networks without a line that beat {STEPS_LINE}: {', '.join(ahead) or 'none'}.")
        if task == "ethanol":
            lines += [f"{name} learns nothing there." for name, mean in means.items() if mean < CHANCE]
    return "\n".join(lines)


def draw(results, tasks, models, file):
    """For each task the score on the validation set over the epochs, the mean over the seeds.

    A cell has one colour; the line is dashed where convolutions stand in front of it, or where the block is looped.
    """
    import matplotlib.pyplot as plt

    colours = {cell: f"C{k}" for k, cell in enumerate(dict.fromkeys(MODELS[name].cell for name in models))}
    figure, axes = plt.subplots(1, len(tasks), figsize=(2 + 4 * len(tasks), 4), layout="constrained", squeeze=False)
    for ax, task in zip(axes[0], tasks, strict=True):
        lowest = 100.0
        for name in models:
            setting, curves = MODELS[name], np.array([result.validation for result in results[task, name]])
            mean, dashed = curves.mean(0), setting.convolutions or setting.times > 1
            lowest = min(lowest, mean.min())
            ax.plot(
                np.arange(mean.size) + 1, mean, "--" if dashed else "-", color=colours[setting.cell], lw=1.5,
                label=setting.title,
            )  # fmt: skip
        low = 10 * (lowest // 10) if task in RECORDED else -10
        ax.set(xlabel="epoch", title=TASKS[task].title, ylim=(low, 100 + (100 - low) / 50))
        ax.xaxis.get_major_locator().set_params(integer=True)
    axes[0, 0].set_ylabel("validation set, %")
    figure.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside right upper")
    write(file, lambda part: figure.savefig(part, dpi=110, format="png"))


def about(group, tasks):
    """What the section says of its tasks."""
    if group is GENERATED:
        recalled = f"""
In "recall" three signs are shown for {CUE} steps, and after {STEPS:,} steps of noise (standard deviation {NOISE:g}) it
is asked which they were: one of eight classes, of which guessing finds 12.5 %.
"""
        added = f"""
In "adding" two numbers are shown for {CUE} steps each, together with a mark, one at any place of the first half and
one at any place of the second half of {STEPS:,} steps of noise. Their sum is asked for, and the score is the share of
its variance that is explained.
"""
        asked = [text for kind, text in (("recall", recalled), ("adding", added)) if any(kind in t for t in tasks)]
        return f"""What is left of what was seen {STEPS:,} steps ago?
{"".join(asked)}
"Irregular" means that the times between steps are exponentially distributed with mean 1, and that the cells that have
a notion of elapsed time are given them. There are {SIZES[0]} sequences for training, {SIZES[1]} for validation and
{SIZES[2]} for the test. The answer is the output after the last step. Trainings are short, with
{SIZES[0] // TASKS[tasks[0]].batch} steps of the optimiser in an epoch."""
    return """How much alcohol do three spectra of a bottle of whisky show (EthanolConcentration: 1,751
wavelengths; 35, 38, 40 or 45 %)? Do the slow potentials of the cortex show whether a patient moves a cursor up or down
(SelfRegulationSCP1: EEG at 256 Hz, 896 samples of the first channel)? Both data sets are from the UEA archive. This is
only a part of them (448 and 467 cases) with a split of our own, so that no published figure can be compared. One case
of the test sets is 1.1 %.

The spectra are normalised and averaged over 10 wavelengths (175 steps). The network gives the concentration, and the
answer is the nearest of the four. In training, bottles are mixed in pairs, and their three spectra change places. The
EEG is averaged over 8 samples (112 steps) and normalised."""


def networks(group, task, args, epochs):
    """What the section says of the networks and their training."""
    spread = "over the seeds" if len(args.seeds) > 1 else "of seed"
    scores = f"The table has the test scores in % {spread} {', '.join(map(str, args.seeds))}."
    if group is GENERATED:
        return f"""Every model is `Dense(units, "gelu")`, one block
`Residual(cell, GELU(), Dense(2 * units), GLU())`, `LayerNorm()` and `Dense`. Sizes, initial values, training and choice
are those of [the long recordings](#long-recordings), but with the solver `"{task.solver}"`, decay {task.decay:g} and
{epochs} epochs. {scores}"""
    return f"""Every model is `Dense(units, "gelu")`, one block `Residual(LayerNorm(), cell, GELU(),
Dropout({task.dropout:g}), Dense(2 * units), GLU())`, `LayerNorm()`, the mean over the steps by `Pooling` (with state
spaces there is no norm in front, and the answer to a spectrum is that after its last step)
and `Dense`, with so many units that it has about {PARAMETERS:,} parameters. S4D and Liquid-S4 have {STATES} states a
channel, LinOSS (discretization `"{OSCILLATORS}"`) has as many oscillators as units. State spaces and the LTC begin with
memories from some steps to a sequence and more; the others have their default initial values. LRC and LrcSSM have the
solver `"{task.solver}"`. "Looped" are the block and the norm behind it, used twice with the same parameters.
The convolutions are {CONVOLUTIONS} of `Conv1D(units, {KERNEL}, stride=2, activation="relu")`, in the place of the first
`Dense`.
All are trained by AdamW with decay {task.decay:g}, in batches of {task.batch}, with gradients clipped to norm 1, for
{epochs} epochs, in which the learning rate falls from {MODELS[args.models[0]].rate:g} to 0 along half a cosine.
The validation set chooses the epoch, and has chosen these settings: with seed 0 the discretization of LinOSS
(of four, and of two with longer memories), 1 to 3 convolutions, and LinOSS or S4D in the loop. {scores}"""


def section(results, group, tasks, args, seconds, picture, beside):
    """The text of docs/results.md on the tasks of a group."""
    first = TASKS[tasks[0]]
    found = f"{findings(results, tasks, args, beside)}\n\n{ABOUT_BESIDE}\n\n" if group is RECORDED else ""
    epochs = " and ".join(dict.fromkeys(str(args.epochs or TASKS[task].epochs) for task in tasks))
    return f"""## {TITLES[group is RECORDED]}

{about(group, tasks)}

{networks(group, first, args, epochs)}

{table(results, tasks, args, beside)}

{found}![Scores on the validation set over the epochs](images/{picture})

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", metavar="DATA", nargs="?", type=pathlib.Path, help="folder with the files; see above")
    parser.add_argument("--tasks", nargs="+", choices=TASKS, help="default: all, without DATA those that are generated")
    parser.add_argument("--steps", type=number(10), default=STEPS, metavar="N", help="of what is generated")
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="recall over 200 steps, two models, one seed")
    args = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    shown = ["DATA" if args.data and word == str(args.data) else word for word in given]
    args.command = shlex.join(["python", "examples/long_range.py", *shown])
    args.sizes = SIZES
    if args.quick:
        args.tasks, args.models, args.seeds = args.tasks or ["recall"], args.models[:2], args.seeds[:1]
        args.steps, args.epochs = min(args.steps, 200), args.epochs or 6
    args.tasks = args.tasks or list(TASKS if args.data else GENERATED)
    if len(set(args.tasks)) < len(args.tasks):
        parser.error("--tasks must not name one twice")
    check_arguments(parser, args)
    recorded = [task for task in args.tasks if task in RECORDED]
    if recorded and args.data is None:
        parser.error(f"DATA must be given for {', '.join(recorded)}")
    for task in recorded:
        try:
            TASKS[task].make(args)
        except (OSError, ValueError) as error:
            parser.error(f"DATA {args.data}: {error}")
    for group, title in zip((GENERATED, RECORDED), TITLES, strict=True):
        tasks = [task for task in args.tasks if task in group]
        if not tasks:
            continue
        start = time.perf_counter()
        own = argparse.Namespace(**vars(args) | {"models": [(task, name) for task in tasks for name in args.models]})
        results = train_all(own, train, args)
        beside = None
        if group is RECORDED:
            beside = train_all(argparse.Namespace(**vars(args) | {"models": tasks}), beside_a_line, args)
        seconds = time.perf_counter() - start
        shown = title.replace(f"{STEPS:,}", f"{args.steps:,}")
        print(f"{shown}\n\n{table(results, tasks, args, beside)}\n")
        if args.no_plot:
            continue
        picture = f"long_range_{'generated' if group is GENERATED else 'recorded'}.png"
        draw(results, tasks, args.models, args.output / picture)
        if args.write_docs:
            put_section(title, section(results, group, tasks, args, seconds, picture, beside))


if __name__ == "__main__":
    main()
