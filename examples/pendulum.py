"""A pole balanced on a cart by 19 neurons that see it at irregular times, and see no speeds.

An expert, a linear-quadratic regulator, knows places and speeds of a cart and its pole.  The network is shown only the
place and the angle, at times that are partly random, and learns to push as the expert would: to know how fast the pole
turns it has to remember what it saw and how long ago that was.  So that it also knows what to do where it errs itself,
it drives after every round of learning, and the expert says what would have been right (DAgger).  Then the loop is
closed with the network's C, on this machine and on an emulated microcontroller.

    python examples/pendulum.py                 # some minutes; writes pendulum.png, pendulum.gif and pendulum.npz
    python examples/pendulum.py --quick         # few rounds of one seed; half a minute, the first time longer
    python examples/pendulum.py --write-docs    # the full run, which also writes docs/results.md and its pictures

`cart_pole.py` holds the cart, the pole and the expert, `pendulum_c.py` the way through C.
"""

import argparse
import shlex
import sys
import tempfile
import textwrap
import time
from typing import NamedTuple

import cart_pole
import numpy as np
import pendulum_c
from cart_pole import MEAN, SAMPLES, Drive, drive, pushes, starts, test_of, times, upright
from comparison import DOCS, add_arguments, check_arguments, number, put_section, train_all, write, written
from pendulum_pictures import animate, draw

from ltc_np import LTCRNN, Adam, AutoNCP, set_num_threads

TITLE = "A pendulum, balanced"
MEANS = 0.01, 0.04  # s between samples, of the sequences for training
MEANS_TRIED = 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.06
ROUNDS, EPOCHS, DRIVES, LESSON, PUSH = 16, 40, 16, 250, 5.0  # PUSH: N
BATCH, RATE = 16, 0.01
QUICK_ROUNDS, QUICK_TRIED = 7, 5
TRIED, CHOOSING = 100, 100  # starts of a test, and of each of those that choose the round
TEST_SEED = 1


class Setting(NamedTuple):
    """What a network is told of the time."""

    title: str
    told: bool


MODELS = {
    "ltc": Setting("LTC, 19 neurons", True),
    "untold": Setting("the same, told that all samples are 20 ms apart", False),
}


def network(seed):
    """19 neurons, one of them the motor: place and angle in, a part of FORCE out."""
    return LTCRNN(AutoNCP(19, 1), input_dim=2, seed=seed)


class Trained(NamedTuple):
    """A network after its rounds, as numbers that another process can send."""

    theta: np.ndarray  # of the round that balanced most of the starts for choosing
    best: int  # that round
    curve: list  # of every round, the percentage of them


def train(name, seed, threads, rounds, epochs):
    """Rounds of learning and driving; the starts for choosing are others than those of the test."""
    set_num_threads(threads)
    told = MODELS[name].told
    rng = np.random.default_rng([seed, 1])
    model = network(seed)
    choosing = [np.concatenate(p) for p in zip(*(test_of(CHOOSING, [seed, 2], m) for m in (*MEANS, MEAN)), strict=True)]

    def lesson(teacher, n):
        means = np.exp(rng.uniform(*np.log(MEANS), (n, 1)))
        return drive(teacher, starts(n, rng), times(n, LESSON, means, rng), pushes(n, LESSON, PUSH, rng), told)

    lessons, best, curve, begun = [lesson(None, 2 * DRIVES)], None, [], time.perf_counter()
    for k in range(rounds):
        known = Drive(*(np.concatenate(parts) for parts in zip(*lessons, strict=True)))
        rate = RATE * (1 - k / rounds) ** 0.5
        history = model.fit(
            known.x,
            known.wanted[:, :, None],
            dt=known.dt,
            lengths=known.lengths,
            epochs=epochs,
            batch_size=BATCH,
            optimizer=Adam(rate),
            clip_norm=1.0,
            seed=k,
            verbose=False,
        )
        balanced = upright(drive(model, *choosing, told=told)).mean()
        curve.append(100 * balanced)
        if best is None or balanced >= curve[best.best] / 100:  # of equals the later: it has learnt from more
            best = Trained(model.theta.copy(), k, curve)
        seconds = time.perf_counter() - begun
        text = f"{name}, seed {seed}: round {k + 1}/{rounds}, loss {history['loss'][-1]:.4f}, {curve[-1]:.1f} % upright"
        print(f"{text}, {seconds:.0f} s", file=sys.stderr, flush=True)
        if k + 1 < rounds:
            lessons.append(lesson(model, DRIVES))
    return best


def model_of(trained, seed):
    """The network with its trained weights."""
    model = network(seed)
    model.theta = trained.theta
    return model


def shares(networks):
    """{title: (MEANS_TRIED, percentages upright)} of the expert, and of the networks, mean over their seeds."""
    found = {"the expert": [[upright(drive(None, *test_of(TRIED, TEST_SEED, mean))).mean() for mean in MEANS_TRIED]]}
    for name, own in networks.items():
        title, told = MODELS[name]
        found[title] = [
            [upright(drive(model, *test_of(TRIED, TEST_SEED, mean), told=told)).mean() for mean in MEANS_TRIED]
            for model in own
        ]
    return {title: (MEANS_TRIED, 100 * np.mean(own, axis=0)) for title, own in found.items()}


def ends(drives):
    """Cells of the table: upright of how many starts, and the root mean square angle and place in the second half."""
    late = [driven.states[upright(driven), SAMPLES // 2 :] for driven in drives]
    counts = ", ".join(str(int(upright(driven).sum())) for driven in drives)
    if not any(own.size for own in late):
        return f"{counts} | - | -"
    angle, place = (np.sqrt(np.mean([(own[:, :, k] ** 2).mean() for own in late if own.size])) for k in (2, 0))
    return f"{counts} | {np.degrees(angle):.2f}° | {100 * place:.1f} cm"


def closed_in_c(model, driven, tried):
    """{machine: upright of ``tried`` starts and how far last states are from Python's, or why it did not run}."""
    found = {}
    for title, target in pendulum_c.MACHINES.items():
        lacking = pendulum_c.missing(target)
        if lacking:
            found[title] = f"not run: there is no {lacking} here"
            continue
        with tempfile.TemporaryDirectory() as folder:
            ended = pendulum_c.drive(model, driven.states[:tried, 0], driven.seconds[:tried], target, folder)
        counts = int(pendulum_c.upright(ended, SAMPLES).sum())
        apart = np.abs(ended.states - driven.states[:tried, -1]).max()
        found[title] = f"{counts} of {tried}; last states within {apart:.0e} of Python's"
    return found


def table(tests, in_c):
    """Markdown: who stays upright."""
    lines = ["| driver | upright of the starts | angle | place |", "|---|---|---|---|"]
    lines += [f"| {title} | {ends(drives)} |" for title, drives in tests.items()]
    lines += ["", "| the loop closed in C | upright |", "|---|---|"]
    lines += [f"| {title} | {text} |" for title, text in in_c.items()]
    return "\n".join(lines)


def table_of_shares(found):
    """Markdown: percentages upright by the mean time between samples."""
    lines = [f"| mean time, ms | {' | '.join(f'{1000 * mean:.0f}' for mean in MEANS_TRIED)} |"]
    lines.append("|---" * (1 + len(MEANS_TRIED)) + "|")
    lines += [f"| {title} | {' | '.join(f'{value:.0f}' for value in share)} |" for title, (_, share) in found.items()]
    return "\n".join(lines)


def section(tables, args, seconds):
    """The text of docs/results.md on this task."""
    place, speed, angle, turn = cart_pole.START
    least, mean, most, slow, quick = (
        f"{1000 * value:.0f}" for value in (cart_pole.LEAST, MEAN, cart_pole.MOST, max(MEANS), min(MEANS))
    )
    text = f"""\
A pole of {2 * cart_pole.HALF:g} m and {cart_pole.POLE:g} kg turns without friction on a cart of {cart_pole.CART:g} kg,
which a motor pushes with at most {cart_pole.FORCE:.0f} N along a track of {cart_pole.TRACK} m to either side. The time
between two samples is {least} ms plus an exponentially distributed random time, {mean} ms on average and {most} ms at
most. The force is constant in between.

The expert is a linear-quadratic regulator, which knows the place, the angle and both speeds. The network,
`LTCRNN(AutoNCP(19, 1), input_dim=2)`, {network(0).theta.size} parameters, is given the place, the angle and the time
since the sample before, and imitates the expert's force in {args.rounds} rounds of {args.epochs} epochs (Adam, batches
of {BATCH}, gradients clipped to norm 1). The first round has {2 * DRIVES} drives of the expert. Each later round adds
{DRIVES} drives of the network itself, with the expert's force as target (DAgger). A drive has {LESSON} samples, a mean
time between {quick} and {slow} ms, and random pushes. Other starts choose the best round.

The test has {args.tried} random starts. Place, angle and speeds are uniform within {place:g} m,
{np.degrees(angle):.0f}°, {speed:g} m/s and {turn:g} rad/s of 0, and a drive has {SAMPLES} samples, {SAMPLES * MEAN:.0f}
s. A start counts if the pole never tilts by {np.degrees(cart_pole.FALLEN):.0f}°, the cart never leaves the track, and
in the whole second half the pole is within {np.degrees(cart_pole.UPRIGHT):.0f}° of upright. The trainings have the
seeds {", ".join(map(str, args.seeds))}. Angle and place are root mean squares in the second half."""
    paragraphs = "\n\n".join(textwrap.fill(part, 120) for part in text.split("\n\n"))
    tried, by_time = tables
    return f"""## {TITLE}

![A pole kept upright by a network that knows the elapsed time, and not by one that does not](images/pendulum.gif)

{paragraphs}

{tried}

The loop in C is one program of the plant (`examples/pendulum_c/`) and the exported network of seed
{args.seeds[0]}.

The starts that stay upright, in %, as the mean over the seeds, when samples come more or less often:

{by_time}

![Angles, who stays upright, and learning](images/pendulum.png)

{written(args, seconds)}
"""


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser, MODELS, tuple(MODELS), [0, 1])
    parser.add_argument("--rounds", type=number(1), metavar="N", help=f"default: {ROUNDS}")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_ROUNDS} rounds, one seed, {QUICK_TRIED} starts")
    args = parser.parse_args(argv)
    args.command = shlex.join(["python", "examples/pendulum.py", *(sys.argv[1:] if argv is None else argv)])
    if args.quick:
        args.seeds = args.seeds[:1]
    check_arguments(parser, args)
    if "ltc" not in args.models:
        parser.error("--models must name ltc, whose loop is closed in C")
    args.rounds = args.rounds or (QUICK_ROUNDS if args.quick else ROUNDS)
    args.epochs = args.epochs or EPOCHS
    args.tried = QUICK_TRIED if args.quick else TRIED
    start = time.perf_counter()
    trained = train_all(args, train, args.rounds, args.epochs)
    networks = {
        name: [model_of(one, seed) for one, seed in zip(own, args.seeds, strict=True)] for name, own in trained.items()
    }
    test = test_of(args.tried, TEST_SEED)
    tests = {"the expert": [drive(None, *test)]}
    tests |= {
        MODELS[name].title: [drive(model, *test, told=MODELS[name].told) for model in own]
        for name, own in networks.items()
    }
    driven = tests[MODELS["ltc"].title][0]
    tables = [table(tests, closed_in_c(networks["ltc"][0], driven, args.tried))]
    print(tables[0])
    if not args.quick:
        found = shares(networks)
        tables.append(table_of_shares(found))
        print("\n" + tables[1])
    seconds = time.perf_counter() - start
    if not args.no_plot:
        networks["ltc"][0].save((DOCS / "live" if args.write_docs else args.output) / "pendulum.npz")
    if args.no_plot or args.quick:
        return
    curves = {MODELS[name].title: [one.curve for one in own] for name, own in trained.items()}
    write(args.output / "pendulum.png", lambda part: draw(driven, found, curves, part))
    write(args.output / "pendulum.gif", lambda part: animate(side_by_side(networks), part))
    if args.write_docs:
        put_section(TITLE, section(tables, args, seconds))


def side_by_side(networks):
    """The first network of each kind at slow samples, from the first start that they end differently, or the first."""
    test = test_of(TRIED, TEST_SEED, max(MEANS_TRIED))
    drives = {
        f"{MODELS[name].title} ({1000 * max(MEANS_TRIED):.0f} ms)": drive(own[0], *test, told=MODELS[name].told)
        for name, own in networks.items()
    }
    kept = np.array([upright(driven) for driven in drives.values()])
    n = int(np.argmax(kept[0] & ~kept[-1]))
    return {title: Drive(*(part[n : n + 1] for part in driven)) for title, driven in drives.items()}


if __name__ == "__main__":
    main()
