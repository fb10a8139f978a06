"""What defaults.py writes to docs/results.md around its tables."""

import datetime
import textwrap

import numpy as np
from defaults_baselines import KERNELS
from defaults_readings import BEFORE, NOW, SECOND
from defaults_table import CLEAR, FLOOR, NAMES, effects, search_table, test_table, tested
from defaults_variants import BETTER, LENGTHS, LONGER, SHORTEST

from ltc_np.bench import host
from ltc_np.recipe import CELLS, STEPS

TITLE = "Defaults that learn"
LENGTHS_CHOSEN = textwrap.fill(
    'This led to the default: where a sequence has one answer, `epochs="auto"` is 100 epochs, or as many as 1,000 '
    "steps take if those are more. That is the difference between learnt and not learnt on GunPoint for LTC, LSTM and "
    "GRU; on ItalyPowerDemand, which is soon known by heart, the LTC is worse. With an answer at every step it stays "
    "at 100 epochs: on the sunspots all three are worse with more. There are never fewer, as 20 were too few on xor. "
    "A CfC with a backbone is not helped by more steps, nor by a rate of 0.003 "
    "with as many.",
    120,
)

BACKBONES_CHOSEN = textwrap.fill(
    "This led to the default: a recipe's CfC has no backbone. No row is better on most tasks and worse on none, so "
    "this choice has a price. Without the backbone event-based XOR and ItalyPowerDemand are learnt, and GunPoint by "
    "some of the starts, in less than half the time, and with about a quarter of the parameters. JapaneseVowels and "
    "the forecast from a window are worse: their training sets are learnt by heart now. Another rate, smaller batches, "
    "dropout, 64 units and initial values that keep the state are no better in the mean. The largest value as readout "
    "is better on classes by a little, and useless for the forecast. Mixed memory has the smallest mean error, but it "
    "is an LSTM that remembers in the CfC's place: it takes more than four times as long, has twice as many "
    "parameters, and is worse on ItalyPowerDemand than the CfC alone. So it stays a choice.",
    120,
)


def won_by_baselines(results, tasks, seeds):
    """Sentences on where a baseline is better than networks: by the share of right classes, or by the error."""
    found, lines, behind = tested(results, tasks, seeds), [], []
    for task in tasks:
        part, sign, form = ("right", -100, "{:.1f} %") if task.classes else ("error", 1, "{:.3f}")
        values = {name: np.mean([line[part] for line in own[task]]) for name, own in found.items() if own[task]}
        order = sorted(values, key=lambda name: sign * values[name])
        networks = [name for name in order if name in CELLS]
        if networks and order[0] not in CELLS:
            shown = {name: form.format(abs(sign) * value) for name, value in values.items()}
            first, best = order[0], networks[0]
            lines.append(
                f"**On {task.name} no network is best**: {NAMES[first]} {shown[first]}; {NAMES[best]} {shown[best]}."
            )
        if {"ltc", "linear"} <= set(order) and order.index("linear") < order.index("ltc"):
            behind.append(task.name)
    return [*lines, f"The LTC is behind ridge regression on: {', '.join(behind) or 'no task'}."]


def finished(results, tasks, seeds):
    """The seeds of which all trainings of the test are there; if there is none, all."""
    done = [seed for seed in seeds if all(results.get(NOW.job(task, cell, seed)) for task in tasks for cell in CELLS)]
    return tuple(done) or seeds


def mean_error(lines):
    return np.mean([max(line["error"], FLOOR) for line in lines])


def changed(results, tasks, seeds, now, before):
    """A sentence on errors of a reading as shares of those of an earlier one, of the same seeds."""
    parts = []
    for cell in CELLS:
        found, earlier = (tested(results, tasks, seeds, own, ())[cell] for own in (now, before))
        ratios = {
            task.name: mean_error(found[task]) / mean_error(earlier[task])
            for task in tasks
            if found[task] and found[task] != earlier[task]
        }
        if ratios:
            own = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
            parts.append(f"{NAMES[cell]} {np.exp(np.mean(np.log(list(ratios.values())))):.2f} ({own})")
    return textwrap.fill(
        f"Errors of the {now.name} reading as shares of those of the {before.name} one with the same seeds, geometric "
        f"mean over the tasks whose trainings differ (errors below {FLOOR} count as {FLOOR}): {'; '.join(parts)}.",
        120,
    )


def described(recipe):
    """A recipe's hyperparameters that matter to its cell, in words."""
    names = ["units", "readout", "dropout", "learning_rate", "schedule", "weight_decay", "clip_norm", "batch_size"]
    own = {"ltc": ["wiring", "ode_unfolds", "time_constants"], "cfc": ["backbone_units"]}
    names = [*own.get(recipe.cell, []), *names]
    return ", ".join(f"{name.replace('_', ' ')} {getattr(recipe, name)}" for name in names)


def chosen(results, rounds, tasks):
    """What became the default, and what of the tables is better on most tasks and worse on none."""
    better = []
    for own in rounds:
        for variant in own.variants:
            signs = [sign for _, sign in effects(results, variant, own, tasks).values()]
            if (
                own.base.cell in ("ltc", "cfc")
                and own.base.batch_size == BETTER.batch_size
                and 2 * signs.count(-1) > len(signs)
                and not signs.count(1)
            ):
                better.append(f"{variant.title} ({NAMES[own.base.cell]})")
    return textwrap.fill(
        "The defaults are those of the tables with batches of 16, which are better than 32 on most tasks; the readout "
        'is that of `readout="auto"`: the last step of an LTC, of other cells the mean for classes and "last+mean" for '
        "numbers, which the forecast asks for. Beyond that, the variants that are better on most tasks and worse on "
        f"none are: {', '.join(better) or 'none'}.",
        120,
    )


def counted(seeds):
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}"


def section(results, tasks, rounds, seeds):
    """Heading and text for docs/results.md."""
    searched = [task for task in tasks if task.searched]

    def tables(rounds):
        heads = [f"{NAMES[own.base.cell]}; {described(own.base)}; {counted(own.seeds)}:" for own in rounds]
        bodies = [search_table(results, own, searched) for own in rounds]
        return "\n\n".join(f"{head}\n\n{body}" for head, body in zip(heads, bodies, strict=True))

    lengths = [own for own in rounds if own.variants == LENGTHS]
    backbones = [own for own in rounds if own.first == LONGER]
    others = [own for own in rounds if own not in (*lengths, *backbones)]
    read = finished(results, tasks, seeds)
    found = tested(results, tasks, read)
    sizes = {
        cell: [line["parameters"] for own in found[cell].values() for line in own if line["parameters"]]
        for cell in CELLS
    }
    sizes = "; ".join(
        f"{NAMES[cell]} {NOW.recipe(cell).units} units, {min(own):,} to {max(own):,}"
        for cell, own in sizes.items()
        if own
    )
    about = "\n".join(f"- {task.name}: {task.about}" for task in tasks)
    about_host = host.machine()
    hours = sum(line["cpu"] for line in results) / 3600
    remarks = "\n".join(
        textwrap.fill(f"- {text}", 120, subsequent_indent="  ") for text in won_by_baselines(results, tasks, read)
    )
    return (
        TITLE,
        f"""## {TITLE}

An estimator with its defaults should be a good network. So they were chosen by their errors on {len(searched)} tasks
(`examples/defaults.py`), and are tested on these and on
{", ".join(task.name for task in tasks if not task.searched)}. There they are compared with other cells and with
simple methods that may be better. [Training liquid networks](training.md) says what follows for a task of your own.

The tasks are reduced until a training takes about a second of the processor's time, so no figure is comparable with
those that others give for the data:

{about}

Training, validation and test are cut once, with the data's own test set where there is one; in the sets of the UEA
archive a third of the training set validates, another one for every seed. **Error** is the mean squared error as a
share of that of the best constant: 0 is perfect, 1 has learnt nothing. For classes it is the error of the probabilities
(Brier's score).

### The search

Each row changes one thing in a recipe (`ltc_np.recipe.Recipe`). The first row has the recipe's error on the
validation set, after the last epoch. The other rows have the variant's error as a share of the recipe's (errors below
{FLOOR} count as {FLOOR}). It is **bold** where it is smaller in every seed and by {CLEAR:.0%} or more in the mean,
and *italic* where it is larger in the same sense. The last columns are the geometric mean over the tasks, and on how
many tasks the variant is better and worse in this sense. With one seed the table shows how large a difference is, but
not how sure. Readout and direction exist only where a whole sequence has one answer.

{tables(others)}

{chosen(results, others, searched)}

### How long, and how fast

The trainings above have as many epochs as the list says or, where it says none, 40 to 100. With little data that is
only a few steps of the optimiser, which makes one for each batch: 240 on the 33 sequences of GunPoint. So here the
length of a training is given in steps (but it has at least {SHORTEST} epochs), together with the learning rate, for
all cells in the same way. On "adding" the steps end at 400, which take a CfC ten seconds. The readout is that of
`readout="auto"`. The seed is 0, and on the four small sets (motions, gunpoint, power, sunspots) also 1 and 2. Empty
fields were left out to save time:

{tables(lengths)}

{LENGTHS_CHOSEN}

### The backbone of a CfC

A CfC of ncps has a backbone: a dense layer of 128 between its inputs and its heads. Trained as above, it learns
neither GunPoint nor event-based XOR. Its traces on GunPoint say why. Every head sums 128 numbers, and in a step Adam
changes each of their weights by as much as the learning rate. After 50 steps most values of g1 and g2 are within 0.03
of -1 or 1, and the effect of an input on the state is gone after a few steps ([a small case to
run](training.md#when-a-cfc-learns-nothing)). In an LSTM of the same size a gate sums only 33 numbers. So here the
backbone is made smaller, or left out, so that the heads read input and state themselves. "State kept" means initial
values with which neurons hold their state, for times from one step to the whole sequence, as those of an LTC do. All
are trained as long as `epochs="auto"` says, but with the task's epochs in the place of 100:

{tables(backbones)}

{BACKBONES_CHOSEN}

### The test

The networks are trained on the training and validation sets together, and judged after the last epoch. LTC and CfC
have the defaults. LSTM and GRU have the one change that was best for them above, in the geometric mean, and the GRU
has so many units that it has about as many parameters as LTC and LSTM.

**The test sets were read three times.** The first reading was of the defaults before `epochs="auto"`, and showed a
CfC that had not learnt GunPoint, ItalyPowerDemand, event-based XOR and adding. What changed then was chosen by the
validation sets alone, as above; but that the number of steps was looked at again is due to the test. The second
reading was that of the new default: the task's epochs, or as many as {STEPS:,} steps take if those are more (adding:
400 steps). It showed that the CfC was no better on GunPoint, and that its backbone was looked at is due to that. The
third reading is of a CfC without one. A training that is the same as in the reading before was not made again, so the
other networks are those of the second reading. The first two readings have {counted(seeds)}. The third, which the
table shows, has {counted(read)}. The sizes are: {sizes}.

"Ridge" is a linear function of all inputs of a sequence side by side or, where every step has an answer, of the last
1 to 16 inputs; "random convolutions" is a linear function of {2 * KERNELS:,} features of {KERNELS:,} random
convolutions (ROCKET's). The validation set chooses the penalty and the number of inputs. The table has the error as
mean ± standard deviation, the smallest one in bold. After it stands the share of right classes, which is fairer to
the baselines, as they give no probabilities:

{test_table(found, tasks)}

{remarks}

{changed(results, tasks, read, NOW, SECOND)}

{changed(results, tasks, read, SECOND, BEFORE)}

This is the second reading; the baselines are the same in all three:

{test_table(tested(results, tasks, seeds, SECOND, ()), tasks)}

This is the first reading, with the task's epochs:

{test_table(tested(results, tasks, seeds, BEFORE, ()), tasks)}

Written on {datetime.date.today():%d %B %Y} by

```sh
python examples/defaults.py DATA --write-docs
```

(interrupted and continued several times) from {len(results):,} trainings, which took {hours:.1f} hours of the
processor's time, on a {about_host["cpu"]}, with Python {about_host["python"]}, NumPy {about_host["numpy"]} and
Numba {about_host["numba"]}.
""",
    )
