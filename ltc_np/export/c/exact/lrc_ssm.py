"""An LrcSSM with a trace for each parameter of each unit, in C: `ltc_np.kernels.numpy.lrc_ssm_traces` defines them."""

from __future__ import annotations

from ....base import checks
from ....base.types import Elastance
from ....cells import LrcSSM
from ..floats import Floats
from ..templates import filled
from .cell import SOLVERS, CellText

STEP = """\
/* A step of each unit, and of its @rows traces: what its parameters have done to its potential. */
static void @name_@stage_lrcssm(const @name_network *network, @name_state *state, const @real *x, @real dt)
{
    const @real *theta = network->theta, h = dt / @unfolds;
    @real *e = state->sensitivities;
    @real opened[@I];
    for (int i = 0; i < @I; i++) {
        opened[i] = @open;
    }
    for (int n = 0; n < @N; n++) {
        const @real *own = theta + @at_own + n; /* a row of @N for each kind of parameter */
        const @real vleak = own[@N], w = own[2 * @N], w_h = own[3 * @N], mu = own[4 * @N], sigma = own[5 * @N];
        @real f = own[0], z = own[0], v = state->values[n];
        @real D = 1, by_f = 0, by_z = 0, direct[@own] = {0}; /* what the step does to v, by v and by parameters */
        for (int i = 0; i < @I; i++) {
            f += theta[@at_w + i * @N + n] * opened[i];
            z += theta[@at_h + i * @N + n] * opened[i];
        }
        for (int u = 0; u < @unfolds; u++) {
            const @real s = @self, Q = @conductance, U = @drive;
            const @real P = vleak * U;@elastance
            const @real den = @den, gain = length / den, new = v + (P - Q * v) * gain, keep = @keep;
            const @real q_f = -gain * @end * Q * (1 - Q), q_z = gain * vleak * (1 - U * U);
            const @real q_y = (q_f * w + q_z * w_h) * s * (1 - s);@d_elastance
            const @real d = keep + q_y * sigma@by_elastance;
            D *= d;
            by_f = d * by_f + q_f;
            by_z = d * by_z + q_z;
            direct[1] = d * direct[1] + gain * U;
            direct[2] = d * direct[2] + q_f * s;
            direct[3] = d * direct[3] + q_z * s;
            direct[4] = d * direct[4] - q_y * sigma;
            direct[5] = d * direct[5] + q_y * (v - mu);@directs
            v = new;
        }
        direct[0] = by_f + by_z;
        for (int i = 0; i < @I; i++) {
            const @real s = opened[i];
            const @real q = (by_f * theta[@at_w + i * @N + n] + by_z * theta[@at_h + i * @N + n]) * s * (1 - s);
            e[i] = D * e[i] - q * theta[@at_sigma + i];
            e[@I + i] = D * e[@I + i] + q * (x[i] - theta[i]);
            e[2 * @I + i] = D * e[2 * @I + i] + by_f * s;
            e[3 * @I + i] = D * e[3 * @I + i] + by_z * s;
        }
        e += 4 * @I;
        for (int k = 0; k < @own; k++) {
            e[k] = D * e[k] + direct[k];
        }
        e += @own;
        state->values[n] = v;
    }
}

"""
GRADIENT = """\
    const @real *e = state->sensitivities;
    for (int k = 0; k < 2 * @I; k++) {
        g[k] = 0;
    }
    for (int n = 0; n < @N; n++) {
        for (int k = 0; k < 2 * @I; k++) {
            g[k] += d_f[n] * e[k];
        }
        e += 2 * @I;
        for (int k = 0; k < 2 * @I + @own; k++) {
            g[2 * @I + k * @N + n] = d_f[n] * e[k];
        }
        e += 2 * @I + @own;@shift
    }
"""
SHIFT = """
        g[@at_shift + n] *= network->slope[n];"""
OF_AN_ARGUMENT = """
            const @real q_e = (P - Q * v) * h@by_length, q_a = q_e * {d_a};"""
A = "own[6 * @N] * v + own[7 * @N]"
DIRECTS = """
            direct[6] = d * direct[6] + q_a * v;
            direct[7] = d * direct[7] + q_a;"""


def _elastic(kind: Elastance, call: str) -> dict[str, str]:
    """Texts of an elastance; ``call`` is that of a sigmoid."""
    if kind is None:
        return dict.fromkeys(("d_elastance", "by_elastance", "directs"), "") | {
            "elastance": "\n            const @real length = h;"
        }
    with_argument = {"by_elastance": " + q_a * own[6 * @N]", "directs": DIRECTS}
    if kind == "asymmetric":
        return with_argument | {
            "elastance": f"\n            const @real e_a = {call.format(A)}, length = h * e_a;",
            "d_elastance": OF_AN_ARGUMENT.format(d_a="e_a * (1 - e_a)"),
        }
    checks.must_know(__name__, "elastance", kind, ("symmetric",))
    # sigmoid(a + b) - sigmoid(a - b) as the product p r (1 - exp(-2 b)), with r = sigmoid(b - a).
    return {
        "elastance": f"""
            const @real shift = network->positive[n], a = {A};
            const @real p = {call.format("a + shift")}, r = {call.format("shift - a")};
            const @real e_a = p * r * @between, length = h * e_a;""",
        "d_elastance": OF_AN_ARGUMENT.format(d_a="e_a * (r - p)"),
        "by_elastance": with_argument["by_elastance"],
        "directs": DIRECTS
        + """
            direct[8] = d * direct[8] + q_e * (p * (1 - p) + r * (1 - r));""",
    }


def text(cell: LrcSSM, name: str, stage: int, arithmetic: Floats) -> CellText:
    """The `CellText` of an `LrcSSM`."""
    I, N = cell.input_size, cell.units
    at = {entry: where.start for entry, (where, _) in cell.layout.slices.items()}
    own = (cell.layout.size - at["gleak"]) // N
    solver, function = SOLVERS[cell.solver], arithmetic.used.call
    names = {"cm": "1", "h": "length", "Q": "Q", "v": "v", "new": "new", "den": "den", "gain": "gain"}
    elastic = _elastic(cell.elastance, function("sigmoid", name, "{}"))
    values: dict[str, object] = {
        "name": name, "real": arithmetic.c_type, "stage": stage, "I": I, "N": N, "own": own, "rows": 4 * I + own,
        "unfolds": cell.ode_unfolds, "at_sigma": at["sensory_sigma"], "at_w": at["sensory_w"],
        "at_h": at["sensory_h"], "at_own": at["gleak"],
        "open": function("sigmoid", name, f"theta[{at['sensory_sigma']} + i] * (x[i] - theta[i])"),
        "self": function("sigmoid", name, "sigma * (v - mu)"),
        "conductance": function("sigmoid", name, "f + w * s"),
        "drive": function("tanh", name, "z + w_h * s"),
        "den": solver.den.format(**names), "end": solver.end.format(**names), "keep": solver.keep.format(**names),
        "by_length": solver.by_length.format(**names),
        "shift": "", "at_shift": at.get("elastance_shift", 0),
    }  # fmt: skip
    if cell.elastance == "symmetric":
        values |= {"between": f"-{function('expm1', name, '-2 * shift')}", "shift": filled(SHIFT, values)}
    step = STEP
    for place, put in elastic.items():
        step = step.replace(f"@{place}", put)
    return CellText(
        filled(step, values),
        "state->values[i]",
        filled(GRADIENT, values),
        N * (4 * I + own),
        I + own,
        0,
        N * (4 * I + own),
    )
