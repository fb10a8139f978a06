"""What a training says that its user should know: sentences with a number and a remedy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..train.history import APART, History

FEW = 10  # answers of a class


def advice(history: History, report: Mapping[str, Any], of_classes: Mapping[Any, int] | None = None) -> list[str]:
    """Sentences about a training, its answers, and the classes that it has learnt from.

    Parameters
    ----------
    history : History
    report : mapping
        Of `ltc_np.shortcut.beside.Beside`, or empty where no line stands beside the network.
    of_classes : mapping, optional
        How many answers of the training are of each class.
    """
    found = history.advice()
    before = len(found)
    if report:
        network, training, share = report["network"], report["training"], report["share"]
        other = "the mean" if report["reads"] == "nothing" else "the line"
        if share == 0:
            found.append(
                f"the network is not used: its error on what was held out, {network:.3g}, is not clearly below that of "
                f"{other}, {report['line']:.3g}"
            )
        if not found[:before] and network > APART * training:
            found.append(
                f"the network's error is {training:.3g} in its training and {network:.3g} on what was held out: "
                "more data, fewer units, dropout or early stopping bring these together"
            )
    if of_classes:
        name, count = min(of_classes.items(), key=lambda item: item[1])
        if count < FEW:
            found.append(f"class {name!r} has only {count} answers to learn from: more of them help most")
    return found
