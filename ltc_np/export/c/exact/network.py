"""A network that goes on learning in C: its parameters in memory, and `NAME_learn`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ....base.types import Bools
from ....cells import LrcSSM
from ...program import Program
from ...whole import Whole
from ..floats import Floats
from ..learning import NO_ANSWER, Parts
from ..rules import NOT_FINITE
from ..templates import filled
from ..writer import Writer
from . import lrc_ssm, ltc, optimisers
from .cell import CellText

MACROS = """\
#define @NAME_PARAMETERS @P
#define @NAME_SENSITIVITIES @J
"""
KEPT = """
    @real answer[@NAME_OUTPUTS + 1]; /* the last one; behind it 1, or 0 before the first */
    @real sensitivities[@NAME_SENSITIVITIES]; /* of the values by the parameters */"""
STRUCTURE = """
/* The network, which learns: one of these for all sequences, or one for each. */
typedef struct {
    @real theta[@NAME_PARAMETERS]; /* as those of the model, raw */@kept
    @real gradient[@NAME_PARAMETERS]; /* to work in */
} @name_network;
"""
POSITIVE = """
    @real positive[@positives], slope[@positives]; /* softplus of some of theta, and its derivative */"""
STEPS = """
    @real steps; /* of learning */"""
DECLARED = """
/* Forget all that was learnt: the network becomes what was deployed. */
void @name_deploy(@name_network *network);

/* Learn from the target of the last answer of a sequence, or of an earlier one, of which state is a copy:
   @NAME_OUTPUTS numbers, NaN where none is known.  Each call learns, however many targets an answer gets.
   The gradient is by the weights of now: where something was learnt since the answer, not by those that gave it.
   Returns 0, or, with nothing learnt,
   @no_answer;
   @not_finite: if that goes on, begin the sequence anew. */
int @name_learn(@name_network *network, const @name_state *state, const @real *target);

/* Read the @NAME_PARAMETERS parameters, to keep them (a copy of network keeps the optimiser's moments, too); and write
   them, which returns 2, with nothing written, if they are not finite. */
void @name_get(const @name_network *network, @real *theta);
int @name_set(@name_network *network, const @real *theta);
"""
PREPARE = """\
/* What a step needs of theta. */
static void @name_prepare(@name_network *network)
{@statements
}

"""
RUN = """
    for (int p = 0; p < @size; p++) {
        network->positive[@at + p] = @softplus;
        network->slope[@at + p] = -@expm1;
    }"""
ANSWER = """\
for (int o = 0; o < @O; o++) {
    state->answer[o] = @name_answer(network->theta, state, o)@scaled;
    y[o] = state->answer[o];
}
state->answer[@O] = 1;"""
OUTPUT = """\
/* Output o, of the values that the state has now. */
static @real @name_answer(const @real *theta, const @name_state *state, int o)
{@output
}

"""
READ = """
    @real sum = theta[@at_bias + o];
    for (int i = 0; i < @F; i++) {
        sum += theta[@at_weight + i * @O + o] * @feature;
    }
    return sum;"""
NOTHING_READ = """
    const int i = o;
    (void)theta;
    return @feature;"""
LEARN = """\
int @name_learn(@name_network *network, const @name_state *state, const @real *target)
{
    const @real *theta = network->theta;
    @real *g = network->gradient;
    @real d_y[@O], check = 0;
    int known = 0;
    if (state->answer[@O] == 0) {
        return 1;
    }
    for (int o = 0; o < @O; o++) {
        known += target[o] == target[o]; /* it is a number */
    }
    if (known == 0) {
        return 0;
    }
    for (int o = 0; o < @O; o++) {
        d_y[o] = target[o] == target[o] ? 2 * (state->answer[o] - target[o]) / (@real)known@by_scale : 0;
    }
@head@gradient@then@before\
    for (int write = 0; write < 2; write++) { /* once all that comes of it is known to be finite */
        for (int p = 0; p < @P; p++) {
@change            if (write) {
                network->theta[p] -= change;@written
            } else {
                const @real v = theta[p] - change;
                check += v - v;@checked
            }
        }
        if (!(check == 0)) {
            return 2;
        }
    }
    @counted@name_prepare(network);
    return 0;
}

void @name_get(const @name_network *network, @real *theta)
{
    for (int p = 0; p < @P; p++) {
        theta[p] = network->theta[p];
    }
}

int @name_set(@name_network *network, const @real *theta)
{
    @real check = 0;
    for (int p = 0; p < @P; p++) {
        check += theta[p] - theta[p];
    }
    if (!(check == 0)) {
        return 2;
    }
    for (int p = 0; p < @P; p++) {
        network->theta[p] = theta[p];
    }
    @name_prepare(network);
    return 0;
}
"""
HEAD = """\
    @real d_f[@F];
    for (int i = 0; i < @F; i++) {
        const @real f = @feature;
        d_f[i] = 0;
        for (int o = 0; o < @O; o++) {
            g[@at_weight + i * @O + o] = f * d_y[o];
            d_f[i] += theta[@at_weight + i * @O + o] * d_y[o];
        }
    }
    for (int o = 0; o < @O; o++) {
        g[@at_bias + o] = d_y[o];
    }
"""
NO_HEAD = """\
    const @real *d_f = d_y;
"""
FROZEN = """\
    for (int p = @start; p < @stop; p++) {
        g[p] = 0; /* frozen */
    }
"""
PULL = """\
    for (int p = 0; p < @P; p++) {
        g[p] += @pull * (theta[p] - @deployed);
    }
"""
CLIP = """\
    @real largest = 0, squares = 0;
    for (int p = 0; p < @P; p++) {
        const @real size = g[p] < 0 ? -g[p] : g[p];
        largest = size > largest ? size : largest;
    }
    if (largest > 0) {
        for (int p = 0; p < @P; p++) {
            squares += g[p] / largest * (g[p] / largest);
        }
        const @real ratio = @clip / largest / @root; /* without overflow */
        if (ratio < 1) {
            for (int p = 0; p < @P; p++) {
                g[p] *= ratio;
            }
        }
    }
"""
DEPLOY = """
void @name_deploy(@name_network *network)
{
    for (int p = 0; p < @P; p++) {
        network->theta[p] = @deployed;
        network->gradient[p] = 0;@zero
    }
    @no_steps@name_prepare(network);
}
"""
RESET = """
    for (int o = 0; o <= @O; o++) {
        state->answer[o] = 0;
    }
    for (int k = 0; k < @J; k++) {
        state->sensitivities[k] = 0;
    }"""


class Network(NamedTuple):
    """A `Learns` of a whole network, in float or double.

    Attributes
    ----------
    whole : Whole
    arithmetic : Floats
    dt : float or None
        The elapsed time of every step, where it is always the same.
    front : Program or None
        Of the layers before the cell.
    """

    whole: Whole
    arithmetic: Floats
    dt: float | None
    front: Program | None

    @property
    def word(self) -> str:
        return "network"

    @property
    def y(self) -> str:
        return "z"

    @property
    def outputs(self) -> int:
        return self.whole.model.output_size

    def written(self, program: Program) -> Program:
        return program._replace(stages=() if self.front is None else self.front.stages)

    def _cell(self, name: str, writer: Writer) -> CellText:
        cell, stage = self.whole.cell, len(writer.program.stages)
        if isinstance(cell, LrcSSM):
            return lrc_ssm.text(cell, name, stage, self.arithmetic)
        return ltc.text(cell, name, stage, self.arithmetic, writer)

    def parts(self, name: str, writer: Writer) -> Parts:
        whole, arithmetic = self.whole, self.arithmetic
        literal, call = arithmetic.literal, arithmetic.used.call
        cell, optimiser = self._cell(name, writer), optimisers.text(whole.optimizer, name, arithmetic)
        F, O, P = whole.cell.output_size, self.outputs, whole.theta.size
        runs = whole.cell.layout.softplus
        positives = sum(run.stop - run.start for run in runs)
        scaled = bool((whole.scale != 1).any() or (whole.mean != 0).any())
        values: dict[str, object] = {
            "name": name, "NAME": name.upper(), "real": arithmetic.c_type, "F": F, "O": O, "P": P,
            "J": cell.sensitivities, "positives": positives, "feature": cell.feature, "gradient": cell.gradient,
            "at_weight": whole.cell.layout.size, "at_bias": whole.cell.layout.size + F * O,
            "no_answer": NO_ANSWER, "not_finite": NOT_FINITE,
            "deployed": writer.table("theta", whole.theta, "deployed", "p"),
            "scaled": "", "by_scale": "", "before": optimiser.before, "change": optimiser.change,
            "counted": "network->steps += 1;\n    " if optimiser.counts else "",
            "no_steps": "network->steps = 0;\n    " if optimiser.counts else "",
        }  # fmt: skip
        if scaled:
            scale, mean = (writer.table(what, getattr(whole, what), what, "o") for what in ("scale", "mean"))
            values |= {"scaled": f" * {scale} + {mean}", "by_scale": f" * {scale}"}

        def text(template: str, **more: object) -> str:
            return filled(template, values | more)

        def each(template: str) -> str:
            """Lines of every moment."""
            return "".join("\n" + text(template, moment=moment) for moment in optimiser.moments)

        kept = text(POSITIVE) if positives else ""
        kept += each("    @real @moment[@NAME_PARAMETERS];") + (text(STEPS) if optimiser.counts else "")
        prepared, at = "", 0
        for run in runs:
            softplus = call("softplus", name, f"network->theta[{run.start} + p]")
            slope = call("expm1", name, f"-network->positive[{at} + p]")
            prepared += text(RUN, size=run.stop - run.start, at=at, softplus=softplus, expm1=slope)
            at += run.stop - run.start
        then = text(PULL, pull=literal(whole.pull)) if whole.pull else ""
        # Behind the pull, since NAME_set may move them from where they were deployed; a norm does not count them.
        then += "".join(text(FROZEN, start=start, stop=stop) for start, stop in _runs(whole.frozen))
        if whole.clip_norm is not None:
            then += text(CLIP, clip=literal(whole.clip_norm), root=call("sqrt", name, "squares"))
        values |= {
            "then": then,
            "head": text(HEAD if whole.reads else NO_HEAD),
            "output": text(READ if whole.reads else NOTHING_READ),
            "kept": kept,
            "written": each("                network->@moment[p] = new_@moment;"),
            "checked": each("                check += new_@moment - new_@moment;"),
            "zero": each("        network->@moment[p] = 0;"),
            "statements": prepared or "\n    (void)network;",
        }
        z = "x" if self.front is None else "z"
        elapsed = "dt" if self.dt is None else literal(self.dt)
        kind = type(whole.cell).__name__.lower()
        step = f"{name}_{len(writer.program.stages)}_{kind}(network, state, {z}, {elapsed});"
        before = () if self.front is None else (f"{arithmetic.c_type} z[{whole.cell.input_size}];",)
        places = {
            "features": text(MACROS),
            "kept_features": text(KEPT),
            "readout": text(STRUCTURE),
            "by": text(", const @name_network *network"),
            "learn": text(DECLARED),
            "learning": cell.functions + text(PREPARE) + text(OUTPUT) + text(LEARN),
            "deploy": text(DEPLOY),
        }
        return Parts(
            text=places,
            reset=text(RESET),
            before=before,
            behind=(step, *text(ANSWER).splitlines()),
            state=O + 1 + cell.sensitivities,
            learnt=(2 + len(optimiser.moments)) * P + 2 * positives + optimiser.counts,
            step_scratch=cell.scratch + (0 if self.front is None else whole.cell.input_size),
            scratch=O + (F if whole.reads else 0) + cell.gradient_scratch,
            terms=cell.terms,
        )


def _runs(mask: Bools) -> list[tuple[int, int]]:
    """(start, stop) of where a mask is true."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8)))
    return [(int(start), int(stop)) for start, stop in edges.reshape(-1, 2)]
