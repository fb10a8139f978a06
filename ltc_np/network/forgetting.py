"""Whether a network's last answer depends on what came early, and who is told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..base import checks
from ..base.types import Array
from .resting import time_constants

if TYPE_CHECKING:
    from .network import Network

LONG = 50  # steps; of fewer all cells keep something
SHORT = 5.0  # times the longest time constant: what is longer ago is forgotten by a neuron at rest, but for e**-5
NOTHING = 1e-6  # of the largest derivative
SOME, MOST = 8, 200  # sequences that are looked at, and their steps
# A training has learned little if after so many epochs its loss is still more than this part of the first one.
FEWEST, FALLEN = 10, 0.8


def short_memory(network: Network, x: Array, dt: Array | None, lengths: Array) -> str:
    """In words, that neurons forget long before a sequence ends and nothing else keeps what came early; "" where it is
    kept.

    Both are measured: the time constants at rest, and how much the last outputs of some sequences, x (B, T, I), change
    with the first half of their inputs.
    """
    x, lengths = x[:SOME], lengths[:SOME]
    if lengths.max(initial=0) < LONG or not network.layer_stack.causal or not network.takes_dt:
        return ""
    within = np.arange(x.shape[1]) < lengths[:, None]  # and not what sequences are padded with
    dt = within * (np.ones(x.shape[:2], x.dtype) if dt is None else dt[:SOME])
    resting, lasts = time_constants(network), float(np.median(dt.sum(axis=1)))
    if not resting or SHORT * max(each.tau.max() for each in resting) >= lasts:
        return ""
    step = float(np.median(dt[within]))
    x, dt, lengths = x[:, :MOST], dt[:, :MOST], np.minimum(lengths, MOST)
    y, tape = network.forward(x, dt=dt, lengths=lengths)
    signs = np.random.default_rng(0).choice([-1.0, 1.0], y.shape[-1])
    d_y = np.zeros_like(y)
    if y.ndim == 2:
        d_y[:] = signs
    else:
        ends = np.maximum(lengths - 1, 0) if y.shape[1] == x.shape[1] else y.shape[1] - 1
        d_y[np.arange(len(y)), ends] = signs
    found = network.backward(tape, d_y).x
    if found is None:
        return ""
    size = np.sqrt(np.square(found, dtype=np.float64).sum(axis=2))
    early = max(float(row[: n // 2].max(initial=0.0)) for row, n in zip(size, lengths, strict=True))
    if early > NOTHING * float(size.max()):
        return ""
    longest = max(resting, key=lambda each: float(each.tau.max()))
    return (
        f"the longest time constant of {checks.brief(longest.layer)} at rest was {longest.tau.max():.3g}, sequences "
        f"last {lasts:.3g}, and the last answer did not depend on the first half of the inputs. If answers need them, "
        "begin with time constants from the length of a step to that of the sequences, "
        f'init={{"time_constants": ({step:.3g}, {lasts:.3g})}} of an LTC (docs/memory.md)'
    )


def warn_of_short_memory(words: str, losses: list[float]) -> None:
    """One warning, of what `short_memory` found, where a training has learned little."""
    if words and len(losses) >= FEWEST and min(losses) > FALLEN * losses[0] > 0:
        checks.warn(
            f"ltc_np: in {len(losses)} epochs the loss has only fallen from {losses[0]:.3g} to {min(losses):.3g}. "
            f"Before the training {words}"
        )
