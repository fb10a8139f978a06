"""Finished trainings in a file of lines, and the tables that are made of them."""

import json

import numpy as np
from comparison import mean_sd

NAMES = {"ltc": "LTC", "cfc": "CfC", "lstm": "LSTM", "gru": "GRU", "linear": "ridge", "rocket": "random convolutions"}


class Results:
    """Finished trainings, found by what was trained."""

    def __init__(self, lines):
        self._found = {_name(line): line for line in lines}

    def __len__(self):
        return len(self._found)

    def __iter__(self):
        return iter(self._found.values())

    def get(self, own):
        """The line of a training or a baseline, or None."""
        return self._found.get(_name(own.key()))


def _name(key):
    """The same for a key and for the line of results that it is part of, whatever JSON made of tuples."""
    parts = [key.get(part) for part in ("task", "seed", "baseline", "fit", "recipe", "defaults")]
    return json.dumps(parts, sort_keys=True)


def read(file):
    """The results in a file of lines, and how many of its bytes they are: an unfinished last line is left out."""
    lines, whole = [], 0
    for line in file.read_bytes().splitlines(keepends=True) if file.exists() else []:
        if line.endswith(b"\n"):
            lines.append(json.loads(line))
            whole += len(line)
    return lines, whole


def table(heads, rows):
    """A table of texts in Markdown; what it says is under ``heads``."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rank(task, lines):
    """What a model of a task is ranked by, smaller is better: the share of wrong classes, or the error."""
    return [1 - line["right"] if task.classes else line["error"] for line in lines]


def shown(task, lines):
    """Mean and standard deviation over seeds: the share of right classes, or the error."""
    if not lines:
        return ""
    if task.classes:
        return f"{mean_sd([100 * line['right'] for line in lines], 1)} %"
    return mean_sd([line["error"] for line in lines], 3)


def standing(task, own, others):
    """Where a network stands against the best of others: "ahead", "level" (within a standard deviation) or "behind"."""
    found, best = rank(task, own), min(float(np.mean(rank(task, lines))) for lines in others if lines)
    gap, spread = float(np.mean(found)) - best, float(np.std(found, ddof=1)) if len(found) > 1 else 0.0
    return "ahead" if gap < 0 else "level" if gap <= spread else "behind"
