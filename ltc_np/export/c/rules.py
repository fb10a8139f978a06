"""Rules for a readout in float and double: the text of `NAME_learn`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from ...base.types import Numbers
from ...online import NLMS, RLS, Rule
from ..learning import Readout
from .floats import Floats
from .learning import NO_ANSWER, Learning
from .templates import filled

ANSWER = """\
/* Output o: its row of weights times the features. */
static @real @name_answer(const @name_readout *readout, const @name_state *state, int o)
{
    const @real *w = readout->weights + o * @F;
    @real sum = 0;
    for (int i = 0; i < @F; i++) {
        sum += w[i] * state->features[i];
    }
    return sum;
}

"""
# x - x is 0 but where x is an infinity or not a number: so `check` stays 0 while all numbers are finite.
OF_NLMS = """\
int @name_learn(@name_readout *readout, const @name_state *state, const @real *target)
{
    const @real *f = state->features;
    @real *w = readout->weights;
    @real step[@O], norm = @epsilon, check;
    if (f[@last] == 0) {
        return 1;
    }
    for (int i = 0; i < @F; i++) {
        norm += f[i] * f[i];
    }
    const @real gain = @rate / norm;
    check = norm - norm;
    for (int o = 0; o < @O; o++) {
        const int known = target[o] == target[o]; /* it is a number */
        step[o] = known ? gain * (target[o] - @name_answer(readout, state, o)) : 0;
        for (int i = 0; i < @F; i++) {
            const @real v = w[o * @F + i] + step[o] * f[i];
            check += v - v;
        }
    }
    if (!(check == 0)) {
        return 2;
    }
    for (int o = 0; o < @O; o++) {
        for (int i = 0; i < @F; i++) {
            w[o * @F + i] += step[o] * f[i];
        }
    }
    return 0;
}
"""
OF_RLS = """\
/* What an observation of features f makes of a root: its gain, and (root - gain seen') *scale, the root after it.
   Returns 0, or, where not all of it is finite, not a number. */
static @real @name_observe(const @real *root, const @real *f, @real *gain, @real *seen, @real *scale)
{
    @real b = @forgetting, trace = 0;
    for (int j = 0; j < @F; j++) {
        seen[j] = 0;
    }
    for (int i = 0; i < @F; i++) {
        for (int j = 0; j < @F; j++) {
            seen[j] += f[i] * root[i * @F + j];
        }
    }
    for (int j = 0; j < @F; j++) {
        b += seen[j] * seen[j];
    }
    for (int i = 0; i < @F; i++) {
        @real sum = 0;
        for (int j = 0; j < @F; j++) {
            sum += root[i * @F + j] * seen[j];
        }
        gain[i] = sum / b;
    }
    const @real part = 1 / (1 + @root_of_share);
    for (int j = 0; j < @F; j++) {
        seen[j] *= part;
    }
    *scale = @growth;
    for (int i = 0; i < @F; i++) {
        for (int j = 0; j < @F; j++) {
            const @real v = (root[i * @F + j] - gain[i] * seen[j]) * *scale;
            trace += v * v;
        }
    }
    if (trace > @most) {
        *scale *= @root_of_excess;
    }
    return b - b + (trace - trace);
}

int @name_learn(@name_readout *readout, const @name_state *state, const @real *target)
{
    const @real *f = state->features;
    @real *w = readout->weights;
    @real error[@O], scale[@O], gain[@O * @F], seen[@O * @F], check = 0;
    int known = 0;
    if (f[@last] == 0) {
        return 1;
    }
    for (int o = 0; o < @O; o++) {
        known += target[o] == target[o]; /* it is a number */
        error[o] = target[o] - @name_answer(readout, state, o);
    }
    if (known == 0) {
        return 0;
    }
    const int had = @had, roots = known < @O ? @O : had; /* the others are copies of the first one until then */
    for (int k = 0; k < roots; k++) {
        if (roots == 1 || target[k] == target[k]) {
            const @real *root = readout->root + (k < had ? k : 0) * @FF;
            check += @name_observe(root, f, gain + k * @F, seen + k * @F, scale + k);
        }
    }
    for (int o = 0; o < @O; o++) {
        for (int i = 0; i < @F && target[o] == target[o]; i++) {
            const @real v = w[o * @F + i] + error[o] * gain[(roots == 1 ? 0 : o) * @F + i];
            check += v - v;
        }
    }
    if (!(check == 0)) {
        return 2;
    }
    for (int k = roots - 1; k >= 0; k--) {
        const @real *from = readout->root + (k < had ? k : 0) * @FF;
        for (int i = 0; i < @F; i++) {
            for (int j = 0; j < @F; j++) {
                const @real r = from[i * @F + j];
                readout->root[k * @FF + i * @F + j] = roots == 1 || target[k] == target[k]
                    ? (r - gain[k * @F + i] * seen[k * @F + j]) * scale[k] : r;
            }
        }
    }
    for (int o = 0; o < @O; o++) {
        for (int i = 0; i < @F && target[o] == target[o]; i++) {
            w[o * @F + i] += error[o] * gain[(roots == 1 ? 0 : o) * @F + i];
        }
    }@keep
    return 0;
}
"""
KEPT = """
    @real root[@O * (@NAME_FEATURES + 1) * (@NAME_FEATURES + 1)]; /* RLS keeps it of all that it has learnt from */"""
ROOTS = """
    @real roots; /* in use: 1 for all outputs, or, since some had a target and others none, 1 for each */"""
BEGIN = """
    for (int i = 0; i < @O * @FF; i++) {
        readout->root[i] = i % @FF % (@F + 1) == 0 ? @first : 0;
    }"""
NOT_FINITE = "2 if the target or what would come of it is not finite"
CODES = NO_ANSWER, NOT_FINITE


def learning(readout: Readout, arithmetic: Floats, name: str) -> Learning:
    """A readout and its rule, one of `RULES`."""
    O, F = readout.W.shape
    values = {
        "name": name, "NAME": name.upper(), "real": arithmetic.c_type, "O": O, "F": F, "FF": F * F, "last": F - 1,
    }  # fmt: skip
    return RULES[type(readout.rule)](readout.rule, readout.W, arithmetic, values)


def _nlms(rule: NLMS, W: Numbers, arithmetic: Floats, values: dict[str, object]) -> Learning:
    values |= {"epsilon": arithmetic.literal(rule.epsilon), "rate": arithmetic.literal(rule.rate)}
    return Learning(W, filled(ANSWER + OF_NLMS, values), "NaN", CODES, scratch=len(W))


def _rls(rule: RLS, W: Numbers, arithmetic: Floats, values: dict[str, object]) -> Learning:
    (O, F), name = W.shape, str(values["name"])
    forgetting, most = arithmetic.literal(rule.forgetting), arithmetic.literal(F / rule.regularization)
    several = O > 1
    values |= {
        "forgetting": forgetting,
        "growth": arithmetic.literal(1 / math.sqrt(rule.forgetting)),
        "most": most,
        "root_of_share": arithmetic.used.call("sqrt", name, f"{forgetting} / b"),
        "root_of_excess": arithmetic.used.call("sqrt", name, f"{most} / trace"),
        "first": arithmetic.literal(1 / math.sqrt(rule.regularization)),
        "had": "(int)readout->roots" if several else "1",
        "keep": f"\n    readout->roots = ({arithmetic.c_type})roots;" if several else "",
    }
    declared, begun = KEPT + ROOTS * several, BEGIN + "\n    readout->roots = 1;" * several
    kept = filled(declared, values), filled(begun, values), O * F * F + several
    return Learning(W, filled(ANSWER + OF_RLS, values), "NaN", CODES, kept=kept, scratch=2 * O * (F + 1))


# What writes a readout with a rule: what is not here cannot be exported.
RULES: dict[type[Rule], Callable[[Any, Numbers, Floats, dict[str, object]], Learning]] = {NLMS: _nlms, RLS: _rls}
