"""Minimax coefficients by Remez exchange, for ltc_np/base/polynomials.py and ltc_np/base/activations.py.

Needs mpmath; prints for each polynomial, or for those named on the command line, its name, degree, error and
coefficients from the constant term up, once for float32 and once for float64.  Not needed by the tests, which check the
error of the functions themselves.
"""

import sys

import mpmath as mp

mp.mp.dps = 60
STEPS = 4000
HALF_LN2 = mp.log(2) / 2


def remez(target, weight, low, high, degree):
    """(coefficients, largest error) of the polynomial p that minimises ``max |weight(x) (p(x) - target(x))|``."""
    n, width = degree + 2, mp.mpf(high) - low
    grid = [low + width * i / STEPS for i in range(STEPS + 1)]
    weights, targets = [weight(x) for x in grid], [target(x) for x in grid]
    # Chebyshev's points, a little to one side: the error may be weighted by 0 in the middle.
    points = [round(STEPS * (1 - mp.cos(mp.pi * (k + 0.3) / (n - 0.5))) / 2) for k in range(n)]
    while True:
        # weight(x) (sum_j c_j x**j - target(x)) = (-1)**k E at the points
        matrix, right = mp.matrix(n, n), mp.matrix(n, 1)
        for k, i in enumerate(points):
            for j in range(degree + 1):
                matrix[k, j] = weights[i] * grid[i] ** j
            matrix[k, degree + 1] = (-1) ** k
            right[k] = weights[i] * targets[i]
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[j] for j in range(degree + 1)]
        error = [w * (mp.polyval(coefficients[::-1], x) - t) for w, x, t in zip(weights, grid, targets, strict=True)]
        extrema = []  # one of the largest magnitude for each run of one sign
        for i, value in enumerate(error):
            if extrema and mp.sign(value) == mp.sign(error[extrema[-1]]):
                if abs(value) > abs(error[extrema[-1]]):
                    extrema[-1] = i
            elif value != 0:
                extrema.append(i)
        if len(extrema) != n:
            raise RuntimeError(f"{len(extrema)} extrema where {n} were expected")
        moved = max(abs(i - k) for i, k in zip(extrema, points, strict=True))
        points = extrema
        if not moved:
            return coefficients, abs(solution[degree + 1])


def log1p(w):
    """log(1 + u) / z as a function of w = z**2, where z = u / (1 + u/2): 2 artanh(z/2) / z."""
    return mp.hyp2f1(0.5, 1, 1.5, w / 4)


CENTRE = mp.mpf(4)


def normal_tail(t):
    """(a + k) exp(a**2 / 2) Phi(-a) as a function of t = (a - k) / (a + k), k = CENTRE; Phi is the normal cdf."""
    if t == 1:
        return 1 / mp.sqrt(2 * mp.pi)
    a = CENTRE * (1 + t) / (1 - t)
    if a > 1000:  # the asymptotic series
        return (
            (a + CENTRE)
            / a
            / mp.sqrt(2 * mp.pi)
            * sum((-1) ** k * mp.fac2(2 * k - 1) / a ** (2 * k) if k else 1 for k in range(8))
        )
    return (a + CENTRE) * mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2)) / 2


def sine(w):
    """(sin(r) / r - 1) / w as a function of w = r**2."""
    return sum((-1) ** (k + 1) * w**k / mp.factorial(2 * k + 3) for k in range(20))


def cosine(w):
    """(cos(r) - 1) / w as a function of w = r**2."""
    return sum((-1) ** (k + 1) * w**k / mp.factorial(2 * k + 2) for k in range(20))


def tanh(w):
    """(tanh(r) / r - 1) / w as a function of w = r**2."""
    r = mp.sqrt(w)
    return (mp.tanh(r) / r - 1) / w if w > mp.mpf(10) ** -20 else -mp.mpf(1) / 3


QUARTER2 = (mp.pi / 4) ** 2

POLYNOMIALS = {  # name: target, weight, interval, degrees for float32 and float64
    # 2**f, relative
    "EXP2": (lambda f: mp.power(2, f), lambda f: mp.power(2, -f), -0.5, 0.5, (5, 11)),
    # (exp(r) - 1 - r) / r**2, with an error relative to exp(r) - 1
    "EXPM1": (lambda r: mp.hyp1f1(1, 3, r) / 2, lambda r: abs(r) / mp.hyp1f1(1, 2, r), -HALF_LN2, HALF_LN2, (4, 9)),
    # 0 <= u <= 1, relative
    # -1 <= t <= 1, relative
    "NORMAL_TAIL": (normal_tail, lambda t: 1 / normal_tail(t), -1, 1, (11, 23)),
    "LOG1P": (log1p, lambda w: 1 / log1p(w), 0, mp.mpf(4) / 9, (4, 9)),
    # with errors relative to sin(r) and cos(r), |r| <= pi/4
    "SINE": (sine, lambda w: w / (1 + w * sine(w)), 0, QUARTER2, (2, 5)),
    "COSINE": (cosine, lambda w: w / (1 + w * cosine(w)), 0, QUARTER2, (3, 6)),
    # with an error relative to tanh(r), |r| <= 5/8; in float32 only
    "TANH": (tanh, lambda w: w / (1 + w * tanh(w)), 0, mp.mpf(25) / 64, (4,)),
}

if __name__ == "__main__":
    for name in sys.argv[1:] or POLYNOMIALS:
        target, weight, low, high, degrees = POLYNOMIALS[name]
        for degree in degrees:
            coefficients, error = remez(target, weight, low, high, degree)
            print(name, degree, mp.nstr(error, 3))
            for c in coefficients:
                print("   ", mp.nstr(c, 20))
