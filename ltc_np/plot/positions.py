"""Where the neurons of a wiring stand in its picture, and how lines lead from one to another: plain geometry, in cm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..base.types import Array, Ints
from ..wirings import Wiring

ROWS = 22  # a column with more neurons becomes several, side by side
WIDE, TALL = 6.6, 6.6  # of the neurons, at most
RADIUS = 0.2  # of a neuron where there is room for its number
ROUND = 0.345  # radius of a neuron, as a share of the distance of two: there must be room for a line and its arrow
RING = 1.6, 2.6  # radius of the smallest and the largest ring
SENSORY = "inputs"


class Group(NamedTuple):
    """A layer in the picture: its name, whether it lies on a ring, and its members."""

    name: str
    members: Ints


class Positions(NamedTuple):
    """Centres of inputs (I, 2) and neurons (N, 2), the radius of all, the groups, where their titles stand, and the
    directions (N, 2) in which a synapse of a neuron with itself leads out."""

    inputs: Array
    neurons: Array
    radius: float
    groups: list[Group]
    titles: list[tuple[float, float, str]]
    outward: Array

    @property
    def numbered(self) -> bool:
        """Whether neurons have room for their numbers."""
        return self.radius >= 0.85 * RADIUS

    @property
    def limits(self) -> tuple[Array, Array]:
        """The corners of the picture: all neurons, and room for titles above and a legend below."""
        every = np.concatenate([self.inputs, self.neurons])
        low, high = every.min(0) - 0.8, every.max(0) + 0.8
        high[1] = self.titles[0][1] + 0.45
        low[1] -= 0.3
        narrow = max(WIDE + 1.6 - (high - low)[0], 0.0)
        low[0] -= narrow / 2
        high[0] += narrow / 2
        return low, high


def positions(wiring: Wiring) -> Positions:
    """Columns, inputs at the left, for a wiring of several layers; for one layer a ring beside the inputs."""
    members = [(name, np.array(ids)) for name, ids in wiring.layers]
    return _columns(wiring, members) if len(members) > 1 else _ring(wiring)


def _block(count: int) -> tuple[Ints, Ints, int, int]:
    """(column, row) of each member of a block of ``count``, and how many columns and rows it has."""
    columns = -(-count // ROWS)
    rows = -(-count // columns)
    column, row = np.divmod(np.arange(count), rows)
    return column, row, columns, rows


def _columns(wiring: Wiring, layers: list[tuple[str, Ints]]) -> Positions:
    groups = [Group(SENSORY, np.arange(wiring.input_dim or 0))] + [Group(name, ids) for name, ids in layers if ids.size]
    blocks = [_block(group.members.size) for group in groups]
    pitch = min(0.56, TALL / max(rows for *_, rows in blocks))
    radius = min(RADIUS, ROUND * pitch)
    inside = 1.15 * pitch  # between the columns of a block
    gap = (WIDE - inside * sum(columns - 1 for *_, columns, _ in blocks)) / max(len(blocks) - 1, 1)
    height = pitch * max(rows for *_, rows in blocks)
    inputs, neurons = np.zeros((wiring.input_dim or 0, 2)), np.zeros((wiring.units, 2))
    titles, x = [], 0.0
    for k, (group, (column, row, columns, rows)) in enumerate(zip(groups, blocks, strict=True)):
        stagger = np.where(column % 2, 0.25, -0.25) if columns > 1 else 0.0
        last = column == columns - 1  # it may have fewer
        short = rows - np.count_nonzero(last)
        y = (rows - 1) / 2 - row + stagger - np.where(last, short / 2, 0)
        target = neurons if k else inputs
        target[group.members] = np.stack([x + inside * column, y * pitch], axis=1)
        count, noun = group.members.size, group.name
        name = "input" if noun == SENSORY and count == 1 else noun
        titles.append((x + inside * (columns - 1) / 2, height / 2 + 0.25, f"{count} {name}"))
        x += inside * (columns - 1) + gap
    outward = np.tile([np.sqrt(0.5), np.sqrt(0.5)], (wiring.units, 1))
    return Positions(inputs, neurons, radius, groups, titles, outward)


def _ring(wiring: Wiring) -> Positions:
    N, I, O = wiring.units, wiring.input_dim or 0, wiring.output_dim
    ring = float(np.clip(0.62 * N / (2 * np.pi), *RING))
    pitch = min(2 * ring * np.sin(np.pi / max(N, 2)), TALL / max(I, 1))
    radius = min(RADIUS, ROUND * pitch)
    angle = -2 * np.pi * (np.arange(N) - (O - 1) / 2) / N  # the motor neurons come first, and lie at the right
    outward = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    neurons = ring * outward
    tall = min(2 * ring, 0.56 * (I - 1))
    inputs = np.stack([np.full(I, -ring - 2.0), np.linspace(tall / 2, -tall / 2, I)], axis=1)
    groups = [Group(SENSORY, np.arange(I))]
    if N > O:
        groups.append(Group("inter", np.arange(O, N)))
    groups.append(Group("motor", np.arange(O)))
    top = ring + 3.4 * radius
    words = f"{N} motor" if N == O else f"{N - O} inter, {O} motor"
    titles = [(-ring - 2.0, top, f"{I} {'input' if I == 1 else SENSORY}"), (0.0, top, words)]
    return Positions(inputs, neurons, radius, groups, titles, outward)


class Curves(NamedTuple):
    """A quadratic curve for each synapse, from the rim of one neuron to that of another: start, control, end (S, 2);
    and the direction in which each arrives."""

    start: Array
    control: Array
    end: Array
    arrives: Array


def curves(source: Array, target: Array, radius: float, mark: Array, bend: Array, outward: Array) -> Curves:
    """Curves (S) between centres ``source`` and ``target`` (S, 2), which end ``mark`` (S, 1) cm before the rim.

    ``bend`` (S,): how far each leaves the straight line, as a share of its length.  From a neuron to itself leads a
    loop in the direction ``outward`` (S, 2).
    """
    across = target - source
    itself = ~across.any(axis=1)
    normal = np.stack([across[:, 1], -across[:, 0]], axis=1)
    control = (source + target) / 2 + bend[:, None] * normal
    control[itself] += 4.5 * radius * outward[itself]
    leaves, comes = _unit(control - source), _unit(target - control)
    side = 0.6 * np.stack([-outward[itself, 1], outward[itself, 0]], axis=1)
    leaves[itself] = _unit(outward[itself] + side)
    comes[itself] = _unit(side - outward[itself])
    return Curves(source + radius * leaves, control, target - (radius + mark) * comes, comes)


def _unit(vectors: Array) -> Array:
    return vectors / np.hypot(*vectors.T)[:, None]
