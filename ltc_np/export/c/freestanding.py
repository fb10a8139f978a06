"""Functions of float that need no library: C text for targets without math.h.

Each is within 2 units in the last place of the true value for every float, but for ``normal_cdf``, whose definition in
`ltc_np.base.activations` has an error of 2e-7; tests/export/test_functions.py measures it.
"""

from __future__ import annotations

from ...base import activations, polynomials

# 2 / pi behind the binary point, 32 bits a number, behind one word of zeros: enough for the largest float.
TWO_OVER_PI = "0, 0xA2F9836E, 0x4E441529, 0xFC2757D1, 0xF534DDC0, 0xDB629599, 0x3C439041, 0xFE5163AB"

# (artanh(s) / s - 1) / s**2 in powers of s**2 <= 1 / 9: what is left out is below 2e-9 of artanh(s).
ARTANH = tuple(1 / k for k in range(3, 17, 2))


def horner(coefficients: tuple[float, ...], x: str) -> str:
    """A polynomial in C, from the constant term up."""
    text = ""
    for c in reversed(coefficients):
        number = f"{abs(c):.9g}f"
        if not text:
            text = number if c > 0 else f"-{number}"
        else:
            text = f"{number} + {x} * ({text})" if c > 0 else f"-{number} + {x} * ({text})"
    return text


# What each function calls.
NEEDS: dict[str, tuple[str, ...]] = {
    "power": ("word",),
    "exp": ("expm1_reduced", "power"),
    "expm1": ("expm1_reduced", "power"),
    "sigmoid": ("exp",),
    "tanh": ("exp",),
    "relaxed": ("expm1",),
    "normal_cdf": ("exp",),
    "softplus": ("exp",),
    "sqrt": ("word",),
    "turned": ("power",),
    "sin": ("sincos",),
    "cos": ("sincos",),
    "sincos": ("turned",),
}

# In an order in which each stands behind what it calls.
DEFINITIONS = {
    "absolute": "static float @name_absolute(float x)\n{\n    return x < 0 ? -x : x;\n}\n",
    "word": """\
/* A float and its bits. */
typedef union {
    float number;
    uint32_t bits;
} @name_word;
""",
    "power": """\
/* 2**k, -126 <= k <= 127. */
static float @name_power(int k)
{
    @name_word word;
    word.bits = (uint32_t)(k + 127) << 23;
    return word.number;
}
""",
    "expm1_reduced": f"""\
/* exp(r) - 1, where x = k ln(2) + r and |r| <= ln(2) / 2. */
static float @name_expm1_reduced(float x, int *k)
{{
    const float n = (float)(int)(x * 1.44269504f + (x < 0 ? -0.5f : 0.5f));
    const float high = x - n * 0.693359375f; /* exact */
    const float low = n * 2.12194440e-4f;
    const float r = high + low;
    *k = (int)n;
    return r + (r * r * ({horner(polynomials.EXPM1_FLOAT32, "r")}) + (low - (r - high)));
}}
""",
    "exp": """\
static float @name_exp(float x)
{
    int k;
    float p;
    if (x != x) {
        return x;
    }
    p = @name_expm1_reduced(x < -105 ? -105 : x > 89 ? 89 : x, &k); /* 0 and infinity, beyond */
    return (1 + p) * @name_power(k / 2) * @name_power(k - k / 2);
}
""",
    "expm1": """\
static float @name_expm1(float x)
{
    int k;
    float p, half;
    if (x != x) {
        return x;
    }
    p = @name_expm1_reduced(x < -18 ? -18 : x > 89 ? 89 : x, &k); /* -1 and infinity, beyond */
    if (k == 0) {
        return p;
    }
    half = @name_power(k - 1);
    return 2 * (half * p + (half - 0.5f));
}
""",
    "relaxed": """\
/* (1 - exp(-r)) / r, which is 1 at r = 0. */
static float @name_relaxed(float r)
{
    return r != 0 ? -@name_expm1(-r) / r : 1;
}
""",
    "sigmoid": """\
static float @name_sigmoid(float z)
{
    const float e = @name_exp(z < 0 ? z : -z);
    const float s = e / (1 + e);
    return z < 0 ? e - e * s : 1 - s; /* e - e s is s without the rounding of 1 + e */
}
""",
    "tanh": f"""\
static float @name_tanh(float x)
{{
    const float a = x < 0 ? -x : x;
    if (a < 0.625f) {{
        const float w = x * x;
        return x + x * w * ({horner(polynomials.TANH_FLOAT32, "w")});
    }} else {{
        const float y = 1 - 2 / (@name_exp(2 * a) + 1);
        return x < 0 ? -y : y;
    }}
}}
""",
    "normal_cdf": f"""\
/* The normal distribution function. */
static float @name_normal_cdf(float z)
{{
    const float a = z < 0 ? (z > -16 ? -z : 16) : (z < 16 ? z : 16); /* exp gives 0, beyond */
    const float r = 1 / (a + 4), t = (a - 4) * r;
    const float p = {horner(activations.NORMAL_TAIL_FLOAT32, "t")};
    const float tail = @name_exp(-0.5f * a * a) * p * r;
    return z != z ? z : z > 0 ? 1 - tail : tail;
}}
""",
    "softplus": f"""\
/* log(1 + exp(x)), as `ltc_np.base.layout` has it: with e = exp(-|x|) and s = e / (2 + e),
   log(1 + e) = 2 artanh(s) = 2 s + ... = e - s e + ... */
static float @name_softplus(float x)
{{
    const float e = @name_exp(x < 0 ? x : -x), s = e / (2 + e), w = s * s;
    const float p = e - s * (e - 2 * w * ({horner(ARTANH, "w")})) + (x > 0 ? x : 0);
    return p < @least ? @least : p;
}}
""",
    "sqrt": """\
/* Bit by bit, so rounded correctly. */
static float @name_sqrt(float x)
{
    @name_word word;
    uint32_t root = 0, rest = 0;
    uint64_t square;
    int exponent;
    word.number = x;
    if (!(x > 0) || word.bits >= 0x7F800000) {
        return x < 0 ? (x - x) / (x - x) : x;
    }
    exponent = (int)(word.bits >> 23);
    square = word.bits & 0x7FFFFF;
    if (exponent > 0) {
        square |= 0x800000;
    } else {
        for (exponent = 1; square < 0x800000; exponent--) {
            square <<= 1;
        }
    }
    square <<= exponent % 2 != 0 ? 25 : 26;
    for (int shift = 48; shift >= 0; shift -= 2) {
        const uint32_t trial = 4 * root + 1;
        rest = 4 * rest + ((uint32_t)(square >> shift) & 3);
        root *= 2;
        if (rest >= trial) {
            rest -= trial;
            root += 1;
        }
    }
    exponent += exponent % 2 != 0;
    word.bits = ((uint32_t)(exponent / 2 + 62) << 23) + (root + 1) / 2;
    return word.number;
}
""",
    "turned": f"""\
/* r and k, where |x| = k pi / 2 + r and |r| <= pi / 4, from as many bits of 2 / pi as that takes. */
static float @name_turned(float x, uint32_t *k)
{{
    static const uint32_t bits[8] = {{
        {TWO_OVER_PI}
    }};
    @name_word word;
    uint64_t turns, rest;
    uint32_t mantissa, part[3];
    int start, shift, is_below, scale = -63;
    float y;
    word.number = x;
    word.bits &= 0x7FFFFFFF;
    *k = 0;
    if (word.bits >= 0x7F800000) {{
        return x - x;
    }}
    if (word.bits < 0x3F490FDB) {{
        return word.number;
    }}
    mantissa = (word.bits & 0x7FFFFF) | 0x800000;
    start = (int)(word.bits >> 23) - 120; /* of the first bit whose product is not a multiple of 4 */
    shift = start % 32;
    for (int i = 0; i < 3; i++) {{
        const uint64_t two = (uint64_t)bits[start / 32 + i] << 32 | bits[start / 32 + i + 1];
        part[i] = (uint32_t)(two >> (32 - shift));
    }}
    turns = ((uint64_t)(mantissa * part[0]) << 32) + (uint64_t)mantissa * part[1];
    turns += (uint64_t)mantissa * part[2] >> 32; /* in units of 2**-62 of a quarter turn */
    *k = (uint32_t)(turns >> 62);
    rest = turns & 0x3FFFFFFFFFFFFFFF;
    is_below = rest >> 61 != 0;
    if (is_below) {{
        *k += 1;
        rest = 0x4000000000000000 - rest;
    }}
    for (; rest >> 60 == 0; scale--) {{ /* never 0: no float is a multiple of pi / 2 */
        rest *= 2;
    }}
    y = (float)((rest >> 30) * 0xC90FDAA2) * @name_power(scale); /* pi 2**30 */
    return is_below ? -y : y;
}}
""",
    "sincos": f"""\
/* sin(x + k pi / 2) of x >= 0. */
static float @name_sincos(float x, uint32_t k)
{{
    uint32_t turns;
    const float r = @name_turned(x, &turns), w = r * r;
    float y;
    k += turns;
    if (k % 2 != 0) {{
        y = 1 + w * ({horner(polynomials.COSINE_FLOAT32, "w")});
    }} else {{
        y = r + r * w * ({horner(polynomials.SINE_FLOAT32, "w")});
    }}
    return k % 4 >= 2 ? -y : y;
}}
""",
    "sin": """\
static float @name_sin(float x)
{
    return x < 0 ? -@name_sincos(-x, 0) : @name_sincos(x, 0);
}
""",
    "cos": "static float @name_cos(float x)\n{\n    return @name_sincos(x, 1);\n}\n",
}
ORDER = ("word", "power", "expm1_reduced", "exp", "expm1", "turned", "sincos")
