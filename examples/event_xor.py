"""Event-based XOR: is the number of ones in a stream of bits odd?  The networks see only its runs.

A stream of 2 to 31 random bits is run-length compressed.  Each run is one event: its bit, and its length, which is the
elapsed time too.  After the last one the network says whether the ones are even or odd.  A single misread run makes
the answer wrong, so nothing but exact counting does better than a guess.

    python examples/event_xor.py --quick      # half a minute: streams of 2 to 6 bits, of which all models learn most
    python examples/event_xor.py              # 100,000 sequences, four models; some 10 minutes on 2 cores
    python examples/event_xor.py --models cfc --seeds 0 1 2 --epochs 20
    python examples/event_xor.py --write-docs # the full run, which also writes docs/results.md and its picture

Source of the task: Lechner & Hasani, "Learning Long-Term Dependencies in Irregularly-Sampled Time Series", arXiv
2006.04418; of the published figures: Hasani et al., "Closed-form continuous-time neural networks", Nature Machine
Intelligence 4 (2022).
"""

import argparse
import shlex
import sys
import time
from dataclasses import dataclass

import numpy as np
from comparison import add_arguments, check_arguments, mean_sd, number, put_section, reporter, train_all, write, written

from ltc_np import (
    LSTM,
    LTC,
    Adam,
    CfC,
    CosineDecay,
    Dense,
    FullyConnected,
    Layer,
    MixedMemory,
    Model,
    set_num_threads,
)

PAD = 32  # events a sequence has room for; streams are shorter
TIME_UNIT = 4  # bits
TRAIN, TEST, VALIDATION = 100_000, 10_000, 0.05  # sequences; share of the training set that chooses the weights
TRAIN_SEED, TEST_SEED = 20220, 20221
TITLE = "Event-based XOR"


@dataclass(frozen=True)
class Events:
    """Run-length compressed streams, padded.

    Attributes
    ----------
    x : (S, PAD, 2) float32
        Bit and length of each run, the length as a share of PAD; 0 in the padding.
    dt : (S, PAD) float32
        Length of each run in bits: the elapsed time.
    lengths : (S,) int
        Runs of each stream: the mask of the valid events, which are always the first ones.
    y : (S,) int
        1 where the number of ones is odd.
    streams : (S,) int
        Bits of each stream.
    """

    x: np.ndarray
    dt: np.ndarray
    lengths: np.ndarray
    y: np.ndarray
    streams: np.ndarray

    def __getitem__(self, rows):
        return Events(*(array[rows] for array in vars(self).values()))


def generate(count, seed, most_bits=PAD - 1):
    """``count`` random streams of 2 to ``most_bits`` bits."""
    rng = np.random.default_rng(seed)
    streams = rng.integers(2, most_bits + 1, count)
    bits = rng.integers(0, 2, (count, PAD - 1))
    valid = np.arange(PAD - 1) < streams[:, None]
    begins = np.ones_like(valid)  # a run
    begins[:, 1:] = bits[:, 1:] != bits[:, :-1]
    begins &= valid
    run = begins.cumsum(axis=1) - 1  # of each bit: the number of its run
    slot = run + PAD * np.arange(count)[:, None]
    dt = np.bincount(slot[valid], minlength=count * PAD).reshape(count, PAD).astype(np.float32)
    bit = np.bincount(slot[begins], bits[begins], count * PAD).reshape(count, PAD)
    x = np.stack([bit, dt / PAD], axis=2).astype(np.float32)
    return Events(x, dt, begins.sum(axis=1), (bits * valid).sum(axis=1) % 2, streams)


@dataclass(frozen=True)
class Setting:
    """A model, how it is trained, and what was published of its kind: test accuracy in per cent."""

    title: str
    layer: Layer
    rate: float
    epochs: int
    published: str


BATCH, CLIP = 128, 0.1
BACKBONE = {"backbone_units": 128, "backbone_activation": "silu"}
# From one bit to a whole stream, exactly enough solved that these are time constants.
MEMORY = {"solver": "exponential", "ode_unfolds": 3, "init": {"time_constants": (1 / TIME_UNIT, PAD / TIME_UNIT)}}
MODELS = {
    "cfc": Setting("CfC", CfC(64, input_dim=2, **BACKBONE), 0.0015, 40, "99.42 ± 0.42"),
    "mixed_memory": Setting(
        "CfC, mixed memory", MixedMemory(CfC(32, input_dim=2, **BACKBONE)), 0.002, 25, "99.72 ± 0.08"
    ),
    "no_gate": Setting("CfC, no gate", CfC(64, input_dim=2, mode="no_gate", **BACKBONE), 0.0015, 40, "96.29 ± 1.61"),
    "pure": Setting("CfC, pure", CfC(64, input_dim=2, mode="pure", **BACKBONE), 0.0015, 40, "85.42 ± 2.84"),
    "ltc": Setting("LTC", LTC(FullyConnected(64), input_dim=2, solver="exponential", ode_unfolds=3), 0.01, 20, "49.11"),
    "ltc_memory": Setting("LTC, time constants", LTC(FullyConnected(64), input_dim=2, **MEMORY), 0.01, 10, "49.11"),
    "lstm": Setting("LSTM", LSTM(64, input_dim=2), 0.005, 25, "89.71 ± 3.48"),
}
DEFAULT = ("cfc", "mixed_memory", "ltc", "lstm")


@dataclass(frozen=True)
class Result:
    """One training."""

    name: str
    seed: int
    parameters: int
    epochs: int
    validation: list  # accuracy on the validation set, by epoch
    correct: np.ndarray  # (test sequences,) bool
    cpu_seconds: float


def inputs(model, events):
    """Arguments of the model's calls, without the padding that all sequences share.

    The length of a run is scaled to mean 0 and variance 1, nearly: in an endless stream it has mean 2 and variance 2.
    As a share of PAD, one bit more or less is a step of 1/32, which a network of initial weights hardly reacts to.
    """
    T = events.lengths.max()
    x = events.x[:, :T].copy()
    x[:, :, 1] = (PAD * x[:, :, 1] - 2) / np.sqrt(2)
    known = {"x": x, "lengths": events.lengths}
    return known | ({"dt": events.dt[:, :T] / TIME_UNIT} if model.takes_dt else {})


def train(name, seed, threads, epochs, train_size, most_bits):
    """Train one model; the last of the training sequences choose its weights, the test set is read at the end."""
    set_num_threads(threads)
    setting, start = MODELS[name], time.process_time()
    epochs = epochs or setting.epochs
    model = Model(setting.layer, Dense(2), seed=seed, return_sequences=False)
    events, cut = generate(train_size, TRAIN_SEED, most_bits), round((1 - VALIDATION) * train_size)
    known, held_out = events[:cut], events[cut:]

    def figures(logs):
        return f"loss {logs['loss']:.4f}, validation {logs['val_accuracy']:.2%}"

    history = model.fit(
        **inputs(model, known),
        y=known.y,
        epochs=epochs,
        batch_size=BATCH,
        optimizer=Adam(CosineDecay(setting.rate, epochs * -(-cut // BATCH))),
        loss="cross_entropy",
        metrics=["accuracy"],
        clip_norm=CLIP,
        validation=inputs(model, held_out) | {"y": held_out.y},
        seed=seed,
        callbacks=[reporter(name, seed, epochs, figures)],
        verbose=False,
    )
    test = generate(TEST, TEST_SEED, most_bits)
    correct = model(**inputs(model, test)).argmax(axis=1) == test.y
    return Result(name, seed, model.theta.size, epochs, history["val_accuracy"], correct, time.process_time() - start)


def table(results, most_bits):
    """Markdown: a row for each model; what was published is of streams of up to PAD - 1 bits."""
    lines = [
        "| model | units | parameters | learning rate | epochs | test accuracy, % | published, % | CPU s |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, own in results.items():
        setting, found = MODELS[name], mean_sd([100 * result.correct.mean() for result in own], 2)
        cpu = np.mean([result.cpu_seconds for result in own])
        size = setting.layer.output_size, f"{own[0].parameters:,}"
        published = setting.published if most_bits == PAD - 1 else "-"
        cells = setting.title, *size, setting.rate, own[0].epochs, found, published
        lines.append(f"| {' | '.join(map(str, cells))} | {cpu:.0f} |")
    return "\n".join(lines)


def draw(results, test, file):
    """Accuracy over the epochs, and by the number of bits of the stream."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    bits = np.unique(test.streams)
    for k, (name, own) in enumerate(results.items()):
        style = {"color": f"C{k}", "lw": 1.5}
        for result in own:
            label = MODELS[name].title if result is own[0] else None
            axes[0].plot(np.arange(result.epochs) + 1, 100 * np.array(result.validation), label=label, **style)
            by_bits = [100 * result.correct[test.streams == n].mean() for n in bits]
            axes[1].plot(bits, by_bits, label=label, **style)
    axes[0].set(xlabel="epoch", ylabel="accuracy on the validation set, %", title="learning")
    axes[1].set(xlabel="bits of the stream", ylabel="accuracy on the test set, %", title="after training")
    for ax in axes:
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.axhline(50, color="gray", ls=":", lw=1, label="guessing")
        ax.set_ylim(40, 102)
    axes[0].legend()
    write(file, lambda part: figure.savefig(part, dpi=110, format="png"))


def section(results, test, args, seconds):
    """The text of docs/results.md on this task."""
    seeds = ", ".join(map(str, args.seeds))
    constant = max(test.y.mean(), 1 - test.y.mean())
    return f"""## {TITLE}

Is the number of ones in a stream of random bits odd? A stream has 2 to {args.bits} bits, every length equally often,
and is run-length compressed: each run of equal bits is one event, (bit, length / {PAD}), with the length of the run as
elapsed time. Every model is given the length, scaled to mean 0 and variance 1, as
its second input. Those that have a notion of elapsed time also get it as `dt`, in units of {TIME_UNIT} bits; the LSTM
has none. The readout sees the output after the last event; the loss is the
cross-entropy.

The task is that of Lechner & Hasani, "Learning Long-Term Dependencies in Irregularly-Sampled Time Series" (arXiv
2006.04418). The published figures are those of Hasani et al., "Closed-form continuous-time neural networks" (Nature
Machine Intelligence 4, 2022), after up to 200 epochs. Their models are told less: the bit is the only
input beside the elapsed time. So this comparison does not repeat theirs.

There are {args.train_size:,} sequences for training, of which {VALIDATION:.0%} choose the epoch. The test has
{test.y.size:,} more. Whoever always gives the same answer is right in {constant:.2%} of them. Every model is trained by
Adam with a learning rate that falls to 0 along half a cosine, in batches of {BATCH}, with gradients clipped to norm
{CLIP:g}. The backbone of a CfC is one layer of {BACKBONE["backbone_units"]}
({BACKBONE["backbone_activation"]}), the LTC is fully connected and has the exponential solver
with {MODELS["ltc"].layer.ode_unfolds} unfolds, and mixed memory has the topology `"torch"`.

{table(results, args.bits)}

![Accuracy over the epochs, and by the bits of the stream](images/event_xor.png)

Seeds: {seeds}.

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, MODELS, DEFAULT, [0])
    parser.add_argument(
        "--train-size",
        type=number(100),
        default=TRAIN,
        metavar="N",
        help="sequences, at least 100; default: %(default)s",
    )
    parser.add_argument(
        "--bits",
        type=number(2, PAD - 1),
        metavar="N",
        help=f"of the longest streams, 2 to {PAD - 1}; default: {PAD - 1}",
    )
    parser.add_argument("--quick", action="store_true", help="8 epochs of 8,000 streams of 2 to 6 bits")
    args = parser.parse_args(argv)
    args.command = shlex.join(["python", "examples/event_xor.py", *(sys.argv[1:] if argv is None else argv)])
    check_arguments(parser, args)
    if args.quick:
        args.epochs, args.bits = args.epochs or 8, args.bits or 6
        args.train_size = min(args.train_size, 8000)
    args.bits = args.bits or PAD - 1
    start = time.perf_counter()
    results = train_all(args, train, args.epochs, args.train_size, args.bits)
    test = generate(TEST, TEST_SEED, args.bits)
    seconds = time.perf_counter() - start
    print(table(results, args.bits))
    if args.no_plot:
        return
    file = args.output / "event_xor.png"
    draw(results, test, file)
    if args.write_docs:
        put_section(TITLE, section(results, test, args, seconds))


if __name__ == "__main__":
    main()
