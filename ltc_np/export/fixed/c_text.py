"""C definitions of what `ltc_np.export.fixed.arithmetic` and `ltc_np.export.fixed.functions` define, bit for bit.

Nothing here overflows a signed type or shifts a negative number.  @name is what all names begin with.
"""

from __future__ import annotations

from collections.abc import Collection

from ..c.templates import filled
from . import functions
from .arithmetic import WIDE_BITS
from .curves import CURVES, ONE_BITS, PART_BITS, bits_of_width, table

DEFINITIONS = {
    "saturated": """\
/* The nearest number of 32 bits. */
static int32_t @name_saturated(int64_t v)
{
    return v > INT32_MAX ? INT32_MAX : v < INT32_MIN ? INT32_MIN : (int32_t)v;
}
""",
    "floor": """\
/* v / 2**n, rounded down; >> of negative numbers is left to each compiler by C. */
static int64_t @name_floor(int64_t v, int n)
{
    return v < 0 ? -1 - ((-1 - v) >> n) : v >> n;
}
""",
    "right": """\
/* v / 2**n to the nearest, halves upward; 1 <= n <= 62. */
static int64_t @name_right(int64_t v, int n)
{
    return @name_floor(v + ((int64_t)1 << (n - 1)), n);
}
""",
    "left": """\
/* v 2**n within +-2**@wide; 1 <= n <= @wide. */
static int64_t @name_left(int64_t v, int n)
{
    const int64_t limit = ((int64_t)1 << @wide) >> n;
    return (v > limit ? limit : v < -limit ? -limit : v) * ((int64_t)1 << n);
}
""",
    "rescaled": """\
/* v / 2**n. */
static int64_t @name_rescaled(int64_t v, int n)
{
    return n > 0 ? @name_right(v, n) : n < 0 ? @name_left(v, -n) : v;
}
""",
    "size": """\
/* |a|. */
static uint32_t @name_size(int32_t a)
{
    return a < 0 ? 0u - (uint32_t)a : (uint32_t)a;
}
""",
    "divide": """\
/* a 2**n / b to the nearest, halves away from 0; n >= -31. */
static int32_t @name_divide(int32_t a, int32_t b, int n)
{
    const int up = n > 31 ? 31 : n > 0 ? n : 0, down = n < 0 ? -n : 0;
    const uint64_t top = (uint64_t)@name_size(a) << up, bottom = (uint64_t)@name_size(b) << down;
    const int64_t limit = top > 0 ? (int64_t)1 << @wide : 0;
    const int64_t size = bottom == 0 ? limit : (int64_t)((top + (bottom >> 1)) / bottom);
    const int64_t v = (a < 0) != (b < 0) ? -size : size;
    return @name_saturated(n > 31 ? @name_left(v, n - 31) : v);
}
""",
    "sqrt": """\
/* sqrt(a 2**n) to the nearest, 0 for a < 0; n <= 31. */
static int32_t @name_sqrt(int32_t a, int n)
{
    uint64_t rest = a <= 0 ? 0 : n >= 0 ? (uint64_t)a << n : (uint64_t)@name_right(a, -n);
    uint64_t root = 0, bit = (uint64_t)1 << 62;
    for (; bit > 0; bit >>= 2) {
        const uint64_t trial = root + bit;
        root >>= 1;
        if (rest >= trial) {
            rest -= trial;
            root += bit;
        }
    }
    return @name_saturated((int64_t)(rest > root ? root + 1 : root));
}
""",
    "curve": """\
/* A cubic at t = 0 .. 1, which has @part binary places. */
static int32_t @name_curve(const int32_t *c, int32_t t)
{
    const int64_t half = (int64_t)1 << (@part - 1);
    int32_t value = c[3];
    for (int k = 2; k >= 0; k--) {
        value = c[k] + (int32_t)@name_floor((int64_t)value * t + half, @part);
    }
    return value;
}
""",
    "sigmoid": """\
/* 1 / (1 + exp(-z)); z has @sigmoid_bits binary places, the result @one. */
static int32_t @name_sigmoid(int32_t z)
{
    static const int32_t table[] = {
@sigmoid_table
    };
    const int32_t a = z >= 0 ? z : z == INT32_MIN ? INT32_MAX : -z;
    int32_t value;
@sigmoid_pieces
    return z < 0 ? @unit - value : value;
}
""",
    "tanh": """\
/* 2 sigmoid(2 z) - 1; z has @tanh_bits binary places, the result @one. */
static int32_t @name_tanh(int32_t z)
{
    return (@name_sigmoid(z) - @unit / 2) * 2;
}
""",
    "normal_cdf": """\
/* The normal distribution function; z has @normal_bits binary places, the result @one. */
static int32_t @name_normal_cdf(int32_t z)
{
    static const int32_t table[] = {
@normal_cdf_table
    };
    const int32_t a = z >= 0 ? z : z == INT32_MIN ? INT32_MAX : -z;
    int32_t value;
@normal_cdf_pieces
    return z < 0 ? @unit - value : value;
}
""",
    "exp": """\
/* exp(z) with n binary places; z has @exp_bits. */
static int32_t @name_exp(int32_t z, int n)
{
    static const int32_t table[] = { /* 2**(t - 1) */
@power_table
    };
    const int64_t power = (int64_t)z * @log2_e; /* log2 of the result */
    const int exponent = (int)@name_floor(power, @exp_bits + 30);
    const int32_t t = (int32_t)(@name_floor(power, @exp_bits + 30 - @part) & INT32_MAX);
    const int32_t value = @name_curve(table + 4 * (t >> @power_bits), (t & @power_mask) << @power_up);
    const int places = @one - 1 - n - exponent;
    return @name_saturated(@name_rescaled(value, places > 62 ? 62 : places < -31 ? -31 : places));
}
""",
    "relaxed": """\
/* (1 - exp(-r)) / r with m binary places, m <= @one; r has n, 0 <= n <= 30. */
static int32_t @name_relaxed(int32_t r, int n, int m)
{
    static const int32_t table[] = {
@relaxed_table
    };
    const int32_t size = r >= 0 ? r : r == INT32_MIN ? INT32_MAX : -r;
    int32_t value;
    if (size < (int32_t)1 << n) {
        const int32_t t = (int32_t)((int64_t)size << (@part - n));
        value = @name_curve(table + 4 * (t >> @relaxed_bits), (t & @relaxed_mask) << @relaxed_up);
    } else {
        value = @unit - @name_exp(@name_saturated(@name_rescaled(-size, n - @exp_bits)), @one);
        value = @name_divide(value, size, n);
    }
    if (r < 0) { /* exp(-r) times that of -r */
        const int32_t growth = @name_exp(@name_saturated(@name_rescaled(size, n - @exp_bits)), m - @growth_lift);
        return @name_saturated(@name_right((int64_t)value * growth, @one - @growth_lift));
    }
    return @name_saturated(@name_rescaled(value, @one - m));
}
""",
    "turns": """\
/* An angle in turns, with 32 binary places, without whole ones; in radians it has n. */
static uint32_t @name_turns(int32_t a, int n)
{
    return (uint32_t)@name_rescaled((int64_t)a * @turn, n + @turn_bits - 32);
}
""",
    "sine_of_turns": """\
static int32_t @name_sine_of_turns(uint32_t turns)
{
    static const int32_t table[] = {
@sine_table
    };
    const uint32_t quarter = (uint32_t)1 << 30, here = turns & (quarter - 1);
    const uint32_t t = (turns & quarter) != 0 ? quarter - here : here;
    int32_t value = @unit;
    if (t < quarter) {
        value = @name_curve(table + 4 * (t >> @sine_bits), (int32_t)((t & @sine_mask) << @sine_up));
    }
    return turns >> 31 != 0 ? -value : value;
}
""",
    "sin": """\
/* The sine of an angle in radians with n binary places; the result has @one. */
static int32_t @name_sin(int32_t a, int n)
{
    return @name_sine_of_turns(@name_turns(a, n));
}
""",
    "cos": """\
/* The cosine of an angle in radians with n binary places; the result has @one. */
static int32_t @name_cos(int32_t a, int n)
{
    return @name_sine_of_turns(@name_turns(a, n) + ((uint32_t)1 << 30));
}
""",
}


def definitions(called: Collection[str], name: str) -> str:
    """The text of all functions that are called, and of those that they call, each behind what it needs."""
    return "\n".join(_definitions(called, name).values())


def table_bytes(called: Collection[str], name: str) -> int:
    """Bytes of the tables in that text."""
    texts = _definitions(called, name)
    return sum(4 * table(curve).size for one in texts for curve in CURVES if f"@{curve}_table" in DEFINITIONS[one])


def _definitions(called: Collection[str], name: str) -> dict[str, str]:
    values = _values(name)
    texts = {function: filled(text, values) for function, text in DEFINITIONS.items()}
    wanted: set[str] = set()
    todo = list(called)
    while todo:
        one = todo.pop()
        if one not in wanted:
            wanted.add(one)
            todo += [other for other in texts if f"{name}_{other}(" in texts[one]]
    return {function: text for function, text in texts.items() if function in wanted}


def _values(name: str) -> dict[str, object]:
    values: dict[str, object] = {
        "name": name,
        "wide": WIDE_BITS,
        "part": PART_BITS,
        "one": ONE_BITS,
        "unit": 1 << ONE_BITS,
        "sigmoid_bits": functions.SIGMOID_BITS,
        "tanh_bits": functions.TANH_BITS,
        "normal_bits": functions.NORMAL_BITS,
        "exp_bits": functions.EXP_BITS,
        "log2_e": functions.LOG2_E,
        "growth_lift": functions.GROWTH_LIFT,
        "turn": functions.TURN,
        "turn_bits": functions.TURN_BITS,
        "sigmoid_pieces": _pieces(name, "sigmoid", functions.SIGMOID_BITS),
        "normal_cdf_pieces": _pieces(name, "normal_cdf", functions.NORMAL_BITS),
    }
    for curve in CURVES:
        rows = [f"        {', '.join(map(str, row))}," for row in table(curve).tolist()]
        values[f"{curve}_table"] = "\n".join(rows)
    for curve, places in (("power", PART_BITS), ("relaxed", PART_BITS), ("sine", 32)):
        bits = bits_of_width(curve, 0, places)
        values |= {f"{curve}_bits": bits, f"{curve}_mask": (1 << bits) - 1, f"{curve}_up": PART_BITS - bits}
    return values


def _pieces(name: str, curve: str, places: int) -> str:
    """Which piece of a curve a is on, as C; the last run ends where 32 bits do."""
    lines, first, runs = [], 0, CURVES[curve].runs
    for k, run in enumerate(runs):
        bits, start = bits_of_width(curve, k, places), int(run.start * 2**places)
        end = start + (run.number << bits)
        offset = f"(a - {start})" if start else "a"
        head = f"if (a < {end}) {{" if k == 0 else f"}} else if (a < {end}) {{" if k < len(runs) - 1 else "} else {"
        row = f"{offset} >> {bits}" if start else f"a >> {bits}"
        index = f"{first} + ({row})" if first else row
        part = f"({offset} & {(1 << bits) - 1}) << {PART_BITS - bits}"
        lines += [f"    {head}", f"        value = {name}_curve(table + 4 * ({index}), {part});"]
        first += run.number
    return "\n".join([*lines, "    }"])
