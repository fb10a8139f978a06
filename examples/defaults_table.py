"""Tables of defaults.py: what each change does to the validation error, and the test."""

import datetime
import json
import textwrap

import numpy as np
from comparison import mean_sd
from defaults_baselines import KERNELS, baselines
from defaults_variants import FIRST, defaults, job

from ltc_np.bench import host
from ltc_np.recipe import CELLS

TITLE = "Defaults that learn"
FLOOR, CLEAR = 0.02, 0.05  # errors below it count as it; a smaller change than this share counts as none
NAMES = {"ltc": "LTC", "cfc": "CfC", "lstm": "LSTM", "gru": "GRU", "linear": "ridge", "rocket": "random convolutions"}


class Results:
    """Finished trainings, found by what was trained."""

    def __init__(self, lines):
        self._found = {self._name(line): line for line in lines}

    @staticmethod
    def _name(key):
        """The same for a key and for the line of results that it is part of, whatever JSON made of tuples."""
        parts = ("task", "baseline") if "baseline" in key else ("task", "judge", "seed", "extra", "recipe")
        return json.dumps([key[part] for part in parts], sort_keys=True)

    def __len__(self):
        return len(self._found)

    def __iter__(self):
        return iter(self._found.values())

    def get(self, own):
        """The line of a job or a baseline, or None."""
        return self._found.get(self._name(own.key()))


def pairs(results, variant, base, task, seeds):
    """Errors of a variant and of its base, (seeds, 2), of seeds where both are there."""
    jobs = [[job(task, own, base, seed) for own in (variant, FIRST)] for seed in seeds]
    lines = [[own and results.get(own) for own in pair] for pair in jobs]
    return np.array([[max(line["error"], FLOOR) for line in pair] for pair in lines if None not in pair]).reshape(-1, 2)


def effect(errors):
    """What a change does: the ratio of the errors, and -1, 0 or 1 for better, no clear difference, worse.

    Clear is what goes the same way in all seeds and makes 5 % in the mean.
    """
    ratio = errors[:, 0].mean() / errors[:, 1].mean()
    sign = np.sign(errors[:, 0] - errors[:, 1])
    clear = abs(np.log(ratio)) > np.log1p(CLEAR) and (sign == sign[0]).all()
    return ratio, int(np.sign(ratio - 1)) if clear else 0


def effects(results, variant, own, tasks):
    """`effect` by task, of those tasks for which there is something to compare."""
    found = {task: pairs(results, variant, own.base, task, own.seeds) for task in tasks}
    return {task: effect(errors) for task, errors in found.items() if len(errors)}


def row(*cells):
    return f"| {' | '.join(cells)} |"


def head(*cells):
    return [row(*cells), "|---" * len(cells) + "|"]


MARKS = {-1: "**{:.2f}**", 0: "{:.2f}", 1: "*{:.2f}*"}


def search_table(results, own, tasks):
    """Markdown: a row for each variant of a round; errors as a share of those of the recipe it differs from."""
    lines = head(NAMES[own.base.cell], *(task.name for task in tasks), "mean", "better / worse")
    errors = [pairs(results, FIRST, own.base, task, own.seeds) for task in tasks]
    lines.append(row(FIRST.title, *(f"{known[:, 1].mean():.3f}" if len(known) else "" for known in errors), "", ""))
    for variant in own.variants:
        found = effects(results, variant, own, tasks)
        if found:
            cells = [MARKS[found[task][1]].format(found[task][0]) if task in found else "" for task in tasks]
            signs = [sign for _, sign in found.values()]
            mean = np.exp(np.mean([np.log(ratio) for ratio, _ in found.values()]))
            lines.append(row(variant.title, *cells, f"{mean:.2f}", f"{signs.count(-1)} / {signs.count(1)}"))
    return "\n".join(lines)


def tested(results, tasks, seeds):
    """Lines of the test: a list over the seeds, by what answers and by task."""
    found = {
        cell: {task: [results.get(job(task, FIRST, defaults(cell), seed, "test")) for seed in seeds] for task in tasks}
        for cell in CELLS
    }
    for name in ("linear", "rocket"):
        found[name] = {task: [results.get(own) for own in baselines(task) if own.name == name] for task in tasks}
    return {name: {task: [line for line in own if line] for task, own in rows.items()} for name, rows in found.items()}


def shown(lines, best):
    """The error, and of classes the share that is right."""
    if not lines:
        return ""
    text = mean_sd([line["error"] for line in lines], 3)
    if lines[0]["right"] is not None:
        text += f" ({100 * np.mean([line['right'] for line in lines]):.1f} %)"
    return f"**{text}**" if best else text


def test_table(results, tasks, seeds):
    """Markdown: a row for each task; then ranks, sizes and times."""
    found = tested(results, tasks, seeds)
    lines = head("task", *(NAMES[name] for name in found))
    errors = {
        name: np.array([np.mean([line["error"] for line in own[task]]) if own[task] else np.nan for task in tasks])
        for name, own in found.items()
    }
    least = np.nanmin(list(errors.values()), axis=0)
    for k, task in enumerate(tasks):
        lines.append(row(task.name, *(shown(own[task], errors[name][k] == least[k]) for name, own in found.items())))
    networks = np.array([errors[cell] for cell in CELLS])
    ranks = {cell: (1 + (networks < errors[cell]).sum(0)).mean() for cell in CELLS}
    lines.append(row("mean rank of the networks", *(f"{ranks[name]:.1f}" if name in ranks else "" for name in found)))
    cpu = [[line["cpu"] for task in tasks for line in own[task]] for own in found.values()]
    lines.append(row("CPU s, mean", *(f"{np.mean(own):.1f}" if own else "" for own in cpu)))
    return "\n".join(lines)


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


def unfinished(results, tasks, seeds):
    """A sentence on the trainings of the test that are not there; nothing if all are."""
    jobs = {
        cell: [job(task, FIRST, defaults(cell), seed, "test") for task in tasks for seed in seeds] for cell in CELLS
    }
    gaps = {cell: [f"{own.task.name} {own.seed}" for own in jobs[cell] if results.get(own) is None] for cell in CELLS}
    return [f"Not finished, task and seed: {NAMES[cell]}: {', '.join(own)}." for cell, own in gaps.items() if own]


def described(recipe):
    """A recipe's hyperparameters that matter to its cell, in words."""
    names = ["units", "readout", "dropout", "learning_rate", "schedule", "weight_decay", "clip_norm", "batch_size"]
    names = ["wiring", "ode_unfolds", "time_constants", *names] if recipe.cell == "ltc" else names
    return ", ".join(f"{name.replace('_', ' ')} {getattr(recipe, name)}" for name in names)


def chosen(results, rounds, tasks):
    """What became the default, and what of the tables is better on most tasks and worse on none."""
    better = []
    for own in rounds:
        for variant in own.variants:
            signs = [sign for _, sign in effects(results, variant, own, tasks).values()]
            if (
                own.base.cell in ("ltc", "cfc")
                and own.base.batch_size == defaults(own.base.cell).batch_size
                and 2 * signs.count(-1) > len(signs)
                and not signs.count(1)
            ):
                better.append(f"{variant.title} ({NAMES[own.base.cell]})")
    return textwrap.fill(
        "The defaults are those of the tables with batches of 16, which are better than 32 on most tasks; the readout "
        'is that of `readout="auto"`: the last step of an LTC, of other cells the mean for classes and "last+mean" for '
        "numbers, which the forecast asks for. What else is better on most tasks and worse on none: "
        f"{', '.join(better) or 'nothing'}.",
        120,
    )


def seeds_of(own):
    return f"seed {own.seeds[0]}" if len(own.seeds) == 1 else f"seeds {', '.join(map(str, own.seeds))}"


def section(results, tasks, rounds, seeds):
    """Heading and text for docs/results.md."""
    searched = [task for task in tasks if task.searched]
    rounds_text = "\n\n".join(
        f"{NAMES[own.base.cell]}; {described(own.base)}; {seeds_of(own)}:\n\n{search_table(results, own, searched)}"
        for own in rounds
    )
    found = tested(results, tasks, seeds)
    sizes = {
        cell: [line["parameters"] for own in found[cell].values() for line in own if line["parameters"]]
        for cell in CELLS
    }
    sizes = "; ".join(
        f"{NAMES[cell]} {defaults(cell).units} units, {min(own):,} to {max(own):,}"
        for cell, own in sizes.items()
        if own
    )
    about = "\n".join(f"- {task.name}: {task.about}" for task in tasks)
    about_host = host.machine()
    hours = sum(line["cpu"] for line in results) / 3600
    remarks = "\n".join(
        textwrap.fill(f"- {text}", 120, subsequent_indent="  ")
        for text in won_by_baselines(results, tasks, seeds) + unfinished(results, tasks, seeds)
    )
    return (
        TITLE,
        f"""## {TITLE}

An estimator with its defaults should be a good network. So they were chosen by their errors on {len(searched)} tasks,
and are tested on these and on {", ".join(task.name for task in tasks if not task.searched)}, once, against other cells
and against what may win. [Training liquid networks](training.md) says what follows for a task of your own.

The tasks are reduced until a training takes about a second of the processor's time, so no figure is comparable with
those that others give for the data:

{about}

Training, validation and test are cut once, with the data's own test set where there is one; in the sets of the UEA
archive a third of the training set validates, another one for every seed. **Error** is the mean squared error as a
share of that of the best constant: 0 is perfect, 1 has learnt nothing. Of classes it is that of the probabilities
(Brier's score).

### The search

Each row changes one thing in a recipe (`ltc_np.recipe.Recipe`). First line: the recipe's error on the validation set,
after the last epoch. Other lines: the variant's error as a share of it (errors below {FLOOR} count as {FLOOR}),
**bold** where it is smaller in every seed and by {CLEAR:.0%} or more in the mean, *italic* where it is larger; the
geometric mean over the tasks; on how many tasks it is better and worse in this sense. With one seed that says how
large a difference is, and not how sure. Readout and direction exist where a whole sequence has one answer.

{rounds_text}

{chosen(results, rounds, searched)}

### The test

Trained on training and validation sets together; the test set is read once, after the last epoch; seeds
{", ".join(map(str, seeds))}. LTC and CfC have the defaults, LSTM and GRU the one change that was best for them above,
in the geometric mean, and the GRU so many units that it has about as many parameters as LTC and LSTM. A CfC has its
backbone of 128 on top. Units and parameters:
{sizes}.

"Ridge" is a linear function of all inputs of a sequence side by side or, where every step has an answer, of the last
1 to 16 inputs; "random convolutions" is a linear function of {2 * KERNELS:,} features of {KERNELS:,} random
convolutions (ROCKET's). The validation set chooses the penalty and the number of inputs. Error, mean ± standard
deviation, smallest in bold, and share of right classes, which is what a baseline without probabilities is made for:

{test_table(results, tasks, seeds)}

{remarks}

Written on {datetime.date.today():%d %B %Y} by

```sh
python examples/defaults.py DATA --write-docs
```

(gone on several times) from {len(results):,} trainings, which took {hours:.1f} hours of the processor's time, on a
{about_host["cpu"]}, with Python {about_host["python"]}, NumPy {about_host["numpy"]} and Numba {about_host["numba"]}.
""",
    )
