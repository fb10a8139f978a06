"""NLMS of integers in C: what `ltc_np.export.fixed.readout` defines, bit for bit."""

from __future__ import annotations

from ..c.learning import NO_ANSWER, Learning
from ..c.templates import filled
from .arithmetic import LONGEST_LEFT, LONGEST_RIGHT
from .c import Fixed
from .readout import GAIN_BITS, PRODUCT_SHIFT, FixedReadout

TEXT = """\
/* Output o: its row of weights times the features, and its bias. */
static int32_t @name_answer(const @name_readout *readout, const @name_state *state, int o)
{
    const int32_t *w = readout->weights + o * (@F + 1);
    int64_t sum = 0;
    for (int i = 0; i < @F; i++) {
        sum += (int64_t)w[i] * state->features[i];
    }
    return @answer;
}

/* w + v / 2**n, rounded and limited. */
static int32_t @name_moved(int32_t w, int64_t v, int n)
{
    return n > @right ? w : @sum;
}

int @name_learn(@name_readout *readout, const @name_state *state, const int32_t *target)
{
    const int32_t *f = state->features;
    int64_t squares = 0;
    int power = 0;
    if (f[@F] == 0) {
        return 1;
    }
    for (int i = 0; i < @F; i++) {
        squares += (int64_t)f[i] * f[i];
    }
    int64_t norm = @squares + @one; /* (1 + epsilon) * 2**@places */
    norm = norm > 0 ? norm : 1;
    while (norm >> power > INT32_MAX) {
        power++;
    }
    while (power <= 0 && norm * ((int64_t)1 << -power) <= INT32_MAX / 2) {
        power--;
    }
    const int32_t gain = @gain; /* rate / norm */
    for (int o = 0; o < @O; o++) {
        int32_t *w = readout->weights + o * (@F + 1);
        if (target[o] == INT32_MIN) {
            continue;
        }
        const int32_t error = @error;
        const int32_t step = @step;
        for (int i = 0; i < @F; i++) {
            w[i] = @name_moved(w[i], (int64_t)step * f[i], @of_weight + power);
        }
        w[@F] = @name_moved(w[@F], step, @of_bias + power);
    }
    return 0;
}
"""
FEATURES = """\
for (int i = 0; i < @F; i++) { /* narrower, so that no sum of products overflows */
    state->features[i] = @narrower;
}
"""


def learning(readout: FixedReadout, arithmetic: Fixed, name: str) -> Learning:
    """A readout and its rule."""
    O, F = readout.W.shape[0], readout.W.shape[1] - 1
    call, rescaled = arithmetic.call, arithmetic.rescaled
    bias = rescaled(f"w[{F}]", readout.places.bias - readout.places.y)
    mantissa = call("saturated", call("rescaled", "norm", "power"))
    of_weight, of_bias = readout.step_shifts
    product = call("right", "(int64_t)gain * error", str(PRODUCT_SHIFT))
    change = call("rescaled", "v", f"n < {-LONGEST_LEFT} ? {-LONGEST_LEFT} : n")
    values: dict[str, object] = {
        "name": name,
        "O": O,
        "F": F,
        "answer": call("saturated", f"{rescaled('sum', readout.sum_shift)} + {bias}"),
        "right": LONGEST_RIGHT,
        "sum": call("saturated", f"w + {change}"),
        "one": f"INT64_C({readout.one})",
        "squares": rescaled("squares", 2 * readout.places.features - readout.norm_places),
        "places": readout.norm_places,
        "gain": call("divide", str(readout.rate), mantissa, str(GAIN_BITS)),
        "error": call("saturated", f"(int64_t)target[o] - {name}_answer(readout, state, o)"),
        "step": call("saturated", product),
        "of_weight": of_weight,
        "of_bias": of_bias,
        "narrower": f"(int32_t){call('right', 'state->features[i]', str(readout.narrower))}",
    }
    return Learning(readout.W, filled(TEXT, values), "INT32_MIN", (NO_ANSWER,), filled(FEATURES, values))
