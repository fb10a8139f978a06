"""Rules for a readout in float and double: the text of `NAME_learn`."""

from __future__ import annotations

import math

from ...online import NLMS
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
int @name_learn(@name_readout *readout, const @name_state *state, const @real *target)
{
    const @real *f = state->features;
    @real *w = readout->weights, *root = readout->root; /* the inverse of the second moments is root times root' */
    @real error[@O], seen[@F], gain[@F], b = @forgetting, trace = 0, scale = @growth, check;
    int known = 0;
    if (f[@last] == 0) {
        return 1;
    }
    for (int o = 0; o < @O; o++) {
        known += target[o] == target[o]; /* it is a number */
        error[o] = target[o] - @name_answer(readout, state, o);
    }
    if (known < @O) {
        return known ? 3 : 0;
    }
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
    check = b - b;
    for (int i = 0; i < @F; i++) {
        @real sum = 0;
        for (int j = 0; j < @F; j++) {
            sum += root[i * @F + j] * seen[j];
        }
        gain[i] = sum / b;
        for (int o = 0; o < @O; o++) {
            const @real v = w[o * @F + i] + error[o] * gain[i];
            check += v - v;
        }
    }
    const @real part = 1 / (1 + @root_of_share);
    for (int j = 0; j < @F; j++) {
        seen[j] *= part;
    }
    for (int i = 0; i < @F; i++) {
        for (int j = 0; j < @F; j++) {
            const @real v = (root[i * @F + j] - gain[i] * seen[j]) * scale;
            trace += v * v;
        }
    }
    if (!(check == 0 && trace - trace == 0)) {
        return 2;
    }
    if (trace > @most) {
        scale *= @root_of_excess;
    }
    for (int i = 0; i < @F; i++) {
        for (int j = 0; j < @F; j++) {
            root[i * @F + j] = (root[i * @F + j] - gain[i] * seen[j]) * scale;
        }
        for (int o = 0; o < @O; o++) {
            w[o * @F + i] += error[o] * gain[i];
        }
    }
    return 0;
}
"""
KEPT = """
    @real root[(@NAME_FEATURES + 1) * (@NAME_FEATURES + 1)]; /* RLS keeps it of all that it has learnt from */"""
BEGIN = """
    for (int i = 0; i < @FF; i++) {
        readout->root[i] = i % (@F + 1) == 0 ? @first : 0;
    }"""
NOT_FINITE = "2 if the target or what would come of it is not finite"
PARTLY = "3 if some targets are known and others are not"


def learning(readout: Readout, arithmetic: Floats, name: str) -> Learning:
    """A readout and its rule."""
    rule, W = readout.rule, readout.W
    O, F = W.shape
    values: dict[str, object] = {
        "name": name, "NAME": name.upper(), "real": arithmetic.c_type, "O": O, "F": F, "FF": F * F, "last": F - 1,
    }  # fmt: skip

    def text(template: str) -> str:
        return filled(template, values)

    def literal(value: float) -> str:
        return arithmetic.literal(value)

    codes = NO_ANSWER, NOT_FINITE
    if isinstance(rule, NLMS):
        values |= {"epsilon": literal(rule.epsilon), "rate": literal(rule.rate)}
        return Learning(W, text(ANSWER + OF_NLMS), "NaN", codes, scratch=O)
    forgetting, most = literal(rule.forgetting), literal(F / rule.regularization)
    values |= {
        "forgetting": forgetting,
        "growth": literal(1 / math.sqrt(rule.forgetting)),
        "most": most,
        "root_of_share": arithmetic.used.call("sqrt", name, f"{forgetting} / b"),
        "root_of_excess": arithmetic.used.call("sqrt", name, f"{most} / trace"),
        "first": literal(1 / math.sqrt(rule.regularization)),
    }
    kept = text(KEPT), text(BEGIN), F * F
    return Learning(
        W, text(ANSWER + OF_RLS), "NaN", codes if O == 1 else (*codes, PARTLY), kept=kept, scratch=O + 2 * F
    )
