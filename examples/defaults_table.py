"""Tables of defaults.py: what each change does to the validation error, and the test."""

import json

import numpy as np
from comparison import mean_sd
from defaults_baselines import baselines
from defaults_readings import NOW
from defaults_variants import job

from ltc_np.recipe import CELLS

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


def pairs(results, variant, own, task):
    """Errors of a variant and of what it is a variant of, (seeds, 2), of seeds where both are there."""
    jobs = [[job(task, each, own.base, seed) for each in (variant, own.first)] for seed in own.seeds]
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
    found = {task: pairs(results, variant, own, task) for task in tasks}
    return {task: effect(errors) for task, errors in found.items() if len(errors)}


def row(*cells):
    return f"| {' | '.join(cells)} |"


def head(*cells):
    return [row(*cells), "|---" * len(cells) + "|"]


MARKS = {-1: "**{:.2f}**", 0: "{:.2f}", 1: "*{:.2f}*"}


def search_table(results, own, tasks):
    """Markdown: a row for each variant of a round; errors as a share of those of the recipe it differs from."""
    lines = head(NAMES[own.base.cell], *(task.name for task in tasks), "mean", "better / worse")
    errors = [pairs(results, own.first, own, task) for task in tasks]
    lines.append(row(own.first.title, *(f"{known[:, 1].mean():.3f}" if len(known) else "" for known in errors), "", ""))
    for variant in own.variants:
        found = effects(results, variant, own, tasks)
        if found:
            cells = [MARKS[found[task][1]].format(found[task][0]) if task in found else "" for task in tasks]
            signs = [sign for _, sign in found.values()]
            mean = np.exp(np.mean([np.log(ratio) for ratio, _ in found.values()]))
            lines.append(row(variant.title, *cells, f"{mean:.2f}", f"{signs.count(-1)} / {signs.count(1)}"))
    return "\n".join(lines)


def tested(results, tasks, seeds, reading=NOW, baselined=("linear", "rocket")):
    """Lines of the test: a list over the seeds, by what answers and by task."""
    found = {
        cell: {task: [results.get(reading.job(task, cell, seed)) for seed in seeds] for task in tasks} for cell in CELLS
    }
    for name in baselined:
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


def test_table(found, tasks):
    """Markdown: a row for each task; then ranks and times; of what `tested` has found."""
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
