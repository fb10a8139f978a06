"""Which derivatives of a synaptic cell's potentials by its parameters are followed, and where they lie.

A parameter of a neuron or of a synapse moves one neuron directly, the post-synaptic one, and others through it: those
that the wiring leads to.  So the parameters of one neuron are a *block*, row i of the sensitivities has the blocks of
the neurons that lead to neuron i, and after a step it is a sum of its sources' rows, over the blocks that these have.
A block is padded to whole vectors and lies together in every row; neighbouring blocks with the same sources are one
run, so that what computes a row goes along memory.  Parameters of the input mapping, which move every neuron that their
feature has a synapse to, are blocks of some features each.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..base.layout import Layout
from ..base.types import Bools, Ints, MappingKind
from ..cells.synaptic import SynapticCell
from ..kernels.codes import VECTOR_BYTES, Rule

FEATURES = 8  # numbers in a block of the input mapping, at most


class Plan(NamedTuple):
    """What is followed of one cell.

    Attributes
    ----------
    N, P : int
        Neurons, parameters of the layer.
    rule : Rule
    mappings : (input_mapping, output_mapping)
    carried : bool
        Whether what is followed goes on from step to step at all.
    diagonal : bool
        Whether it does so along every neuron's own potential only.
    size : int
        Numbers in J, with padding.
    neurons, own : (P_own,) int64
        Of a parameter of a neuron or synapse which neuron it moves, and where in J it lies in that one's row.
    features : (S_sensory, 2) int64
        Where w and b of the source's feature lie in the row of a sensory synapse's neuron, in the order of
        ``sensory.outgoing``; -1 where there is none.
    columns : (P,) int64
        Column of a parameter where rows are padded, -1 of those that are not followed.
    width : int
        Columns.
    runs : (R, 6) int64
        Row, where it begins in J, how many numbers it has, its first column, and its first and behind its last term.
    terms : (Q, 2) int64
        A synapse in the order of ``recurrent.outgoing``, and where in J the numbers of its source begin.
    outside : (-,) int64
        What lies in J along with its neighbours, and is 0 as the method has it.
    closed : bool
        Whether it remains 0 by itself, since everything is followed that can be reached.
    """

    N: int
    P: int
    rule: Rule
    mappings: tuple[MappingKind, MappingKind]
    carried: bool
    diagonal: bool
    size: int
    neurons: Ints
    own: Ints
    features: Ints
    columns: Ints
    width: int
    runs: Ints
    terms: Ints
    outside: Ints
    closed: bool

    @property
    def multiplications(self) -> int:
        """Of one step, for what goes on from the step before."""
        if not self.carried:
            return 0
        terms = 1 + self.runs[:, 5] - self.runs[:, 4]
        return self.rule.evaluations * int((self.runs[:, 2] * terms).sum())

    def entries(self) -> tuple[Ints, Ints, Ints]:
        """Of everything that is followed where in J it lies, its neuron and its parameter."""
        parameter = np.full(self.width, -1, np.int64)
        followed = np.flatnonzero(self.columns >= 0)
        parameter[self.columns[followed]] = followed
        row, begin, length, column = self.runs.T[:4]
        within = np.arange(length.sum()) - np.repeat(np.cumsum(length) - length, length)
        places, parameters = np.repeat(begin, length) + within, parameter[np.repeat(column, length) + within]
        kept = (parameters >= 0) & ~np.isin(places, self.outside)
        return places[kept], np.repeat(row, length)[kept], parameters[kept]


def count(cell: SynapticCell, hops: int | None, diagonal: bool, carried: bool) -> tuple[int, int]:
    """Numbers that a plan follows, without padding, and at most how many multiplications a step takes for them; known
    before anything of their size is made."""
    reached_by, reached_inputs = reached(cell, hops)
    own = np.bincount(_neurons(cell), minlength=cell.state_size)
    rows = reached_by @ own + reached_inputs.sum(1) * _mapping_parameters(cell.layout, cell).shape[1]
    terms = 2 + (0 if diagonal else np.bincount(cell.recurrent.post, minlength=cell.state_size))
    return int(rows.sum()), int((rows * terms).sum()) * cell.rule.evaluations * carried


def make(cell: SynapticCell, hops: int | None, diagonal: bool, carried: bool, dtype: Any) -> Plan:
    """The plan of what a parameter can reach within so many stages of the solver; None: however many it takes."""
    N, layout = cell.state_size, cell.layout
    reached_by, reached_inputs = reached(cell, hops)
    neuron_of = _neurons(cell)
    own_count = len(neuron_of)
    by_neuron = np.argsort(neuron_of, kind="stable")
    starts = np.searchsorted(neuron_of[by_neuron], np.arange(N + 1))
    # Of every block its parameters, and of every row which of them it has.
    blocks: list[Ints] = [by_neuron[starts[i] : starts[i + 1]] for i in range(N)]
    has = [np.repeat(reached_by[:, [i]], len(blocks[i]), axis=1) for i in range(N)]
    per_feature = _mapping_parameters(layout, cell)
    step = max(1, FEATURES // max(1, per_feature.shape[1]))
    for first in range(0, len(per_feature), step):
        some = per_feature[first : first + step]
        blocks.append(some.ravel())
        has.append(np.repeat(reached_inputs[:, first : first + step], some.shape[1], axis=1))
    there = [k for k, b in enumerate(blocks) if b.size]
    blocks, has = [blocks[k] for k in there], [has[k] for k in there]
    present = np.array([h.any(axis=1) for h in has])
    # Those that most rows have come first, so that many of them are neighbours in every row.
    order = np.argsort(-present.sum(axis=1), kind="stable")
    blocks, has, present = [blocks[k] for k in order], [has[k] for k in order], present[order].T
    W = VECTOR_BYTES // np.dtype(dtype).itemsize
    lengths = np.array([-(-b.size // W) * W for b in blocks])
    column = np.cumsum(lengths) - lengths
    sizes = np.where(present, lengths, 0)
    ends = np.cumsum(sizes.ravel()).reshape(sizes.shape)
    offsets = np.where(present, ends - sizes, -1)
    place = np.full((N, layout.size), -1, np.int64)
    columns, followed = np.full(layout.size, -1, np.int64), np.zeros((N, layout.size), bool)
    for b, (parameters, mask) in enumerate(zip(blocks, has, strict=True)):
        columns[parameters] = column[b] + np.arange(parameters.size)
        for i in np.flatnonzero(present[:, b]):
            place[i, parameters] = offsets[i, b] + np.arange(parameters.size)
            followed[i, parameters] = mask[i]
    features = np.full((cell.sensory.pre.size, 2), -1, np.int64)
    post, pre = cell.sensory.outgoing.post, cell.sensory.pre[cell.sensory.outgoing.order]
    for k in range(per_feature.shape[1]):
        features[:, k] = place[post, per_feature[pre, k]]
    runs, terms = _runs(cell, offsets, lengths, column, diagonal)
    outside = place[(place >= 0) & ~followed]
    mappings = cell.input_mapping, cell.output_mapping
    return Plan(
        N, layout.size, cell.rule, mappings, carried, diagonal, int(sizes.sum()),
        neuron_of, place[neuron_of, np.arange(own_count)],
        features, columns, int(lengths.sum()), runs, terms, outside, hops is None and not diagonal,
    )  # fmt: skip


def reached(cell: SynapticCell, hops: int | None) -> tuple[Bools, Bools]:
    """Whether parameters of a neuron (N, N), and of a feature's mapping (N, I), get to a neuron, which comes first."""
    sensed = np.zeros((cell.state_size, cell.input_size), bool)
    sensed[cell.sensory.post, cell.sensory.pre] = True
    return _spread(np.eye(cell.state_size, dtype=bool), cell, hops), _spread(sensed, cell, hops)


def _spread(mask: Bools, cell: SynapticCell, hops: int | None) -> Bools:
    """Where what is in mask (N, -) gets to: by its first stage as it is, by each further one along the synapses."""
    links = np.eye(cell.state_size, dtype=np.float32)
    links[cell.recurrent.post, cell.recurrent.pre] = 1
    stage = 1
    while hops is None or stage < hops:
        further = links @ mask.astype(np.float32) > 0
        if (further == mask).all():
            break
        mask, stage = further, stage + 1
    return mask


def _neurons(cell: SynapticCell) -> Ints:
    """Of each parameter of neurons and synapses, in the order of the layout, which neuron it moves."""
    names = {entry.name for entry in cell.layout.entries}
    found: list[Ints] = []
    for entry in cell.layout.entries:
        if entry.name.startswith(("input_", "output_")):
            continue
        if entry.name.startswith("sensory_"):
            found.append(cell.sensory.post)
        else:  # of what both kinds of synapses have, or of neurons
            of_synapses = f"sensory_{entry.name}" in names
            found.append(cell.recurrent.post if of_synapses else np.arange(cell.state_size))
    return np.concatenate(found)


def _mapping_parameters(layout: Layout, cell: SynapticCell) -> Ints:
    """(I, -): of every feature its parameters of the input mapping."""
    found = [
        np.arange(where.start, where.stop) for name, (where, _) in layout.slices.items() if name.startswith("input_")
    ]
    return np.stack(found, axis=1) if found else np.zeros((cell.input_size, 0), int)


def _runs(cell: SynapticCell, offsets: Ints, lengths: Ints, column: Ints, diagonal: bool) -> tuple[Ints, Ints]:
    """``runs`` and ``terms`` of a plan."""
    start, post, _ = cell.recurrent.outgoing
    pre = np.repeat(np.arange(cell.state_size), np.diff(start))
    runs: list[tuple[int, ...]] = []
    terms: list[tuple[int, int]] = []
    for i in range(cell.state_size):
        own = np.flatnonzero(offsets[i] >= 0)
        synapses = np.flatnonzero((post == i) & ((pre == i) | (not diagonal)))
        sources = np.concatenate([offsets[pre[synapses]][:, own], offsets[[i]][:, own], column[None, own]])
        # A block goes on with the run where all of them go on in memory.
        goes_on = np.diff(sources, axis=1) == lengths[own][:-1]
        goes_on |= (sources[:, 1:] < 0) & (sources[:, :-1] < 0)
        begins = np.flatnonzero(np.concatenate([[True], ~goes_on.all(axis=0)]))
        for first, behind in zip(begins, [*begins[1:], len(own)], strict=True):
            there = np.flatnonzero(sources[:-2, first] >= 0)
            begin = len(terms)
            terms += [(int(synapses[k]), int(sources[k, first])) for k in there]
            length = int(lengths[own[first:behind]].sum())
            runs.append((i, int(sources[-2, first]), length, int(sources[-1, first]), begin, len(terms)))
    return np.array(runs, np.int64).reshape(-1, 6), np.array(terms, np.int64).reshape(-1, 2)
