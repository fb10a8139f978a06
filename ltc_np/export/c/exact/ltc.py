"""An LTC with the sensitivities of its potentials, in C: `ltc_np.kernels.numpy.synaptic_traces` defines them.

What a parameter moves directly reaches other neurons along the wiring.  Parameters that reach the same neurons are a
*block*: the neurons are its rows, the parameters its columns.  An unfold takes all columns of a block through one
small matrix, in place, four columns at a time; columns of zeros fill the last four.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ....base.types import Ints, MappingKind
from ....cells import LTC
from ....kernels.codes import SENSORY, SYNAPSE
from ....online.synaptic_plan import reached
from ..floats import Floats
from ..templates import filled
from ..writer import Writer
from .cell import SOLVERS, CellText

CARRY = """\
/* Takes the sensitivities through an unfold: keep is dv'/dv of each neuron, through that by the source of each synapse.
   They are blocks, of which each column is taken through the same matrix. */
static void @name_@stage_carry(@real *J, const @real *keep, const @real *through)
{
    @real factor[@most_terms], before[4 * @most_rows];
    for (int b = 0; b < @blocks; b++) {
        const int first = @row_start[b], rows = @row_start[b + 1] - first, columns = @columns[b];
        const int begin = @term_start[first], end = @term_start[first + rows];
        for (int k = begin; k < end; k++) {
            factor[k - begin] = through[@synapse[k]];
        }
        for (int c = 0; c < columns; c += 4) {
            @real *at = J + c, *own = before;
            for (int r = 0; r < rows; r++, at += columns, own += 4) {
                own[0] = at[0];
                own[1] = at[1];
                own[2] = at[2];
                own[3] = at[3];
            }
            at = J + c;
            own = before;
            for (int r = 0, k = begin; r < rows; r++, at += columns, own += 4) {
                const @real d = keep[@row[first + r]];
                const int behind = @term_start[first + r + 1];
                @real sum0 = d * own[0], sum1 = d * own[1], sum2 = d * own[2], sum3 = d * own[3];
                for (; k < behind; k++) {
                    const @real f = factor[k - begin], *other = before + 4 * @source[k];
                    sum0 += f * other[0];
                    sum1 += f * other[1];
                    sum2 += f * other[2];
                    sum3 += f * other[3];
                }
                at[0] = sum0;
                at[1] = sum1;
                at[2] = sum2;
                at[3] = sum3;
            }
        }
        J += rows * columns;
    }
}

"""
STEP = """\
/* A step, with the sensitivities of the potentials. */
static void @name_@stage_ltc(const @name_network *network, @name_state *state, const @real *x, @real dt)
{
    const @real *theta = network->theta, h = dt / @unfolds;
    const @real *gleak = network->positive@pos_gleak, *cm = network->positive@pos_cm;
    const @real *w = network->positive@pos_w, *sensory_w = network->positive@pos_sensory_w;
    const @real *slope = network->slope; /* of positive, by theta */
    @real *v = state->values, *J = state->sensitivities;
    @real sensed[@S_sensory]@no_sensory, opened[@S]@no_synapses, through[@S]@no_synapses;
    @real P_in[@N], Q_in[@N], now[@N], gain[@N], share[@N], keep[@N];
    for (int i = 0, k = 0; i < @N; i++) {
        @real P = gleak[i] * theta[@at_vleak + i], Q = gleak[i] + @epsilon;
        for (; k < @sensory_end[i]; k++) {
            const int j = @sensory_pre[k];
            sensed[k] = @sense;
            P += sensory_w[k] * sensed[k] * theta[@at_sensory_erev + k];
            Q += sensory_w[k] * sensed[k];
        }
        P_in[i] = P;
        Q_in[i] = Q;
    }
    for (int u = 0; u < @unfolds; u++) {
        for (int i = 0, k = 0; i < @N; i++) {
            @real P = P_in[i], Q = Q_in[i];
            for (; k < @end[i]; k++) {
                opened[k] = @open;
                P += w[k] * opened[k] * theta[@at_erev + k];
                Q += w[k] * opened[k];
            }
            const @real den = @den;
            gain[i] = h / den;
            now[i] = v[i] + (P - Q * v[i]) * gain[i];
            keep[i] = @keep;
            share[i] = (v[i] - now[i]) / den;
        }
        for (int i = 0, k = 0; i < @N; i++) {
            for (; k < @end[i]; k++) {
                const @real q = gain[i] * (theta[@at_erev + k] - @end_v) * w[k] * opened[k] * (1 - opened[k]);
                through[k] = q * theta[@at_sigma + k];
            }
        }
        @name_@stage_carry(J, keep, through);
        for (int i = 0, k = 0, m = 0; i < @N; i++) { /* what the parameters of a neuron do to it directly */
            const @real d = gain[i];
            @real *e = J + @place[i];
            e[0] += d * gleak[i];
            e[1] += d * (theta[@at_vleak + i] - @end_v) * slope[@slope_gleak + i];
            e[2] += share[i] * slope[@slope_cm + i];
            for (e += 3; k < @end[i]; k++, e += 4) {
                const @real s = opened[k], pull = d * (theta[@at_erev + k] - @end_v) * s, q = pull * w[k] * (1 - s);
                e[0] += pull * slope[@slope_w + k];
                e[1] -= q * theta[@at_sigma + k];
                e[2] += q * (v[@pre[k]] - theta[@at_mu + k]);
                e[3] += d * w[k] * s;
            }
            for (; m < @sensory_end[i]; m++, e += 4) {
                const int j = @sensory_pre[m];
                const @real s = sensed[m], pull = d * (theta[@at_sensory_erev + m] - @end_v) * s;
                const @real q = pull * sensory_w[m] * (1 - s);
                e[0] += pull * slope[@slope_sensory_w + m];
                e[1] -= q * theta[@at_sensory_sigma + m];
                e[2] += q * (@input - theta[@at_sensory_mu + m]);
                e[3] += d * sensory_w[m] * s;@mapped
            }
        }
        for (int i = 0; i < @N; i++) {
            v[i] = now[i];
        }
    }
}

"""
MAPPED: dict[str | None, str] = {
    None: "",
    "linear": """
                J[@feature_place[m]] += q * theta[@at_sensory_sigma + m] * x[j];""",
}
MAPPED["affine"] = (
    MAPPED["linear"]
    + """
                J[@feature_place[m] + 1] += q * theta[@at_sensory_sigma + m];"""
)
GRADIENT = """\
    const @real *J = state->sensitivities;
    @real d_v[@O];
    for (int i = 0; i < @O; i++) {
        d_v[i] = d_f[i]@by_mapping;
    }@of_mapping
    for (int b = 0, at = 0; b < @blocks; b++) {
        const int first = @row_start[b], rows = @row_start[b + 1] - first, columns = @columns[b];
        for (int c = 0; c < @used[b]; c++, at++) {
            @real sum = 0;
            for (int r = 0; r < rows && @row[first + r] < @O; r++) { /* neurons that are read are the first */
                sum += d_v[@row[first + r]] * J[r * columns + c];
            }
            g[@parameter[at]] = sum;
        }
        J += rows * columns;
    }
"""
OF_MAPPING = """
    for (int i = 0; i < @O; i++) {
        g[@at_output_w + i] = d_f[i] * state->values[i];@of_bias
    }"""
OF_BIAS = """
        g[@at_output_b + i] = d_f[i];"""


def padded(columns: Any) -> Any:
    """The next multiple of 4."""
    return -(-columns // 4) * 4


class Blocks(NamedTuple):
    """The sensitivities of an LTC, block by block, and in each row by row.

    Attributes
    ----------
    columns : list of (n,) arrays
        Of each block, where in theta its parameters are.
    row_start : (blocks + 1,) array
        Where the rows of each begin.
    row, term_start : (rows,) and (rows + 1,) arrays
        Of each row its neuron, and where its terms begin.
    synapse, source : (terms,) arrays
        Of each term the synapse, and which row of the block its source is.
    place : (N,) array
        Where the parameters of each neuron begin in its own row.
    feature_place : (S_sensory,) array
        Where those of the mapping of a sensory synapse's source begin in the row of its neuron, if it has one.
    """

    columns: list[Ints]
    row_start: Ints
    row: Ints
    term_start: Ints
    synapse: Ints
    source: Ints
    place: Ints
    feature_place: Ints

    @property
    def rows(self) -> Ints:
        """(blocks,): how many each has."""
        return np.diff(self.row_start)

    @property
    def terms(self) -> Ints:
        """(blocks,): likewise."""
        return np.diff(self.term_start[self.row_start])

    @property
    def used(self) -> Ints:
        """(blocks,): columns that are not only there to be four."""
        return np.array([own.size for own in self.columns])

    @property
    def sizes(self) -> Ints:
        """(blocks,): columns."""
        return padded(self.used)

    @classmethod
    def of(cls, cell: LTC) -> Blocks:
        by_neuron, by_feature = reached(cell, None)
        parameters, reaches = _of_neurons(cell), [*by_neuron.T]
        mapping = [cell.layout.slices[name][0] for name in ("input_w", "input_b") if name in cell.layout.slices]
        if mapping:
            parameters += list(np.stack([np.arange(each.start, each.stop) for each in mapping], axis=1))
            reaches += [*by_feature.T]
        known: dict[tuple[int, ...], list[int]] = {}
        for member, reach in enumerate(reaches):
            known.setdefault(tuple(np.flatnonzero(reach).tolist()), []).append(member)
        start, pre = cell.recurrent.start, cell.recurrent.pre
        row_start, row, term_start, synapse, source = [0], list[int](), [0], list[int](), list[int]()
        columns, begins, at = list[Ints](), dict[tuple[int, int], int](), 0
        for rows, members in known.items():
            width = sum(parameters[member].size for member in members)
            for i in rows:
                for member in members:
                    begins[member, i] = at  # of this member's columns in the row of neuron i
                    at += parameters[member].size
                at += padded(width) - width
                for k in range(start[i], start[i + 1]):
                    if pre[k] in rows:
                        synapse.append(k)
                        source.append(rows.index(pre[k]))
                row.append(i)
                term_start.append(len(synapse))
            row_start.append(len(row))
            columns.append(np.concatenate([parameters[member] for member in members]))
        N, sensory = cell.state_size, cell.sensory
        place = [begins[i, i] for i in range(N)]
        feature_place = [begins[N + j, i] for j, i in zip(sensory.pre, sensory.post, strict=True)] if mapping else []
        lists = row_start, row, term_start, synapse, source, place, feature_place
        return cls(columns, *(np.array(each, np.int64) for each in lists))


def _of_neurons(cell: LTC) -> list[Ints]:
    """Of each neuron, where in theta its parameters and those of its synapses are, in the order in which they lie."""
    at = {name: np.arange(where.start, where.stop) for name, (where, _) in cell.layout.slices.items()}
    found = []
    for i in range(cell.state_size):
        own = [at[name][[i]] for name in ("vleak", "gleak", "cm")]
        for names, synapses in ((SYNAPSE, cell.recurrent), (SENSORY, cell.sensory)):
            each = np.stack([at[name] for name in names], axis=1)
            own.append(each[synapses.start[i] : synapses.start[i + 1]].ravel())
        found.append(np.concatenate(own))
    return found


def text(cell: LTC, name: str, stage: int, arithmetic: Floats, writer: Writer) -> CellText:
    """The `CellText` of an `LTC`."""
    blocks, N = Blocks.of(cell), cell.state_size
    rows, terms, sizes = blocks.rows, blocks.terms, blocks.sizes
    S, S_sensory = cell.recurrent.pre.size, cell.sensory.pre.size
    at = {entry: where.start for entry, (where, _) in cell.layout.slices.items()}
    (positive,) = cell.layout.softplus  # gleak, cm and the strengths of synapses lie together

    def table(values: Ints, meaning: str) -> str:
        # C has no arrays of no elements; nothing reads this one.
        return writer.tables.indices(values if len(values) else np.zeros(1, np.int64), meaning)

    tables = {
        "pre": cell.recurrent.pre, "end": cell.recurrent.start[1:],
        "sensory_pre": cell.sensory.pre, "sensory_end": cell.sensory.start[1:],
        "row_start": blocks.row_start, "row": blocks.row, "term_start": blocks.term_start,
        "synapse": blocks.synapse, "source": blocks.source, "columns": sizes, "used": blocks.used,
        "place": blocks.place, "parameter": np.concatenate(blocks.columns),
    }  # fmt: skip
    if cell.input_mapping is not None:
        tables |= {"feature_place": blocks.feature_place}
    values: dict[str, object] = {f"at_{entry}": start for entry, start in at.items()}
    values |= {f"slope_{entry}": at[entry] - positive.start for entry in ("gleak", "cm", "w", "sensory_w")}
    values |= {f"pos_{entry}": f" + {values[f'slope_{entry}']}" for entry in ("gleak", "cm", "w", "sensory_w")}
    values |= {meaning: table(found, meaning) for meaning, found in tables.items()}
    given = "theta[@at_sensory_sigma + k] * (@input - theta[@at_sensory_mu + k])"
    own = "theta[@at_sigma + k] * (v[@pre[k]] - theta[@at_mu + k])"
    solver = SOLVERS[cell.solver]
    names = {"cm": "cm[i]", "h": "h", "Q": "Q", "v": "v[i]", "new": "now[i]", "den": "den", "gain": "gain[i]"}
    values |= {
        "name": name, "real": arithmetic.c_type, "stage": stage, "N": N, "O": cell.output_size,
        "S": max(S, 1), "S_sensory": max(S_sensory, 1), "unfolds": cell.ode_unfolds, "blocks": len(sizes),
        "most_rows": rows.max(), "most_terms": max(terms.max(), 1), "epsilon": arithmetic.literal(cell.epsilon),
        "den": solver.den.format(**names), "end_v": solver.end.format(**names), "keep": solver.keep.format(**names),
    }  # fmt: skip
    for place_of, texts in {
        "input": _mapped(cell.input_mapping, "x[j]", "input", "j"),
        "feature": _mapped(cell.output_mapping, "state->values[i]", "output", "i"),
        "of_bias": OF_BIAS if cell.output_mapping == "affine" else "",
        "of_mapping": OF_MAPPING if cell.output_mapping is not None else "",
        "by_mapping": " * theta[@at_output_w + i]" if cell.output_mapping is not None else "",
        "sense": arithmetic.used.call("sigmoid", name, given),
        "open": arithmetic.used.call("sigmoid", name, own),
        "mapped": MAPPED[cell.input_mapping],
        # What no loop sets, a compiler may take for read.
        "no_synapses": "" if S else " = {0}",
        "no_sensory": "" if S_sensory else " = {0}",
    }.items():
        values[place_of] = filled(texts, values)
    scratch = max(S_sensory, 1) + 2 * max(S, 1) + 6 * N + int(max(terms.max(), 1) + 4 * rows.max())
    carried = cell.ode_unfolds * int((sizes * (rows + terms)).sum())
    functions, gradient = filled(CARRY + STEP, values), filled(GRADIENT, values)
    feature, sensitivities = str(values["feature"]), int(sizes @ rows)
    return CellText(functions, feature, gradient, sensitivities, scratch, cell.output_size, carried)


def _mapped(mapping: MappingKind, of: str, side: str, i: str) -> str:
    """x, x * w or x * w + b, of element i of a side."""
    if mapping is None:
        return of
    product = f"{of} * theta[@at_{side}_w + {i}]"
    return f"({product} + theta[@at_{side}_b + {i}])" if mapping == "affine" else product
