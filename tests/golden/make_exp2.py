"""Minimax coefficients of 2**f on [-1/2, 1/2] (relative error) by Remez exchange, for ltc_np/kernels/cpu/simd.py.

Needs mpmath; prints the degree, the error and the coefficients from the constant term up.  Not needed by the tests,
which check the error of the functions themselves.
"""

import mpmath as mp

mp.mp.dps = 60
GRID = [mp.mpf(i) / 4000 - mp.mpf(1) / 2 for i in range(4001)]


def remez(degree):
    """(coefficients, largest relative error)."""
    n = degree + 2
    points = [mp.cos(mp.pi * (n - 1 - k) / (n - 1)) / 2 for k in range(n)]
    while True:
        # sum_j c_j x**j 2**-x - 1 = (-1)**k E at the points
        matrix = mp.matrix(n, n)
        for k, x in enumerate(points):
            for j in range(degree + 1):
                matrix[k, j] = x**j * mp.power(2, -x)
            matrix[k, degree + 1] = (-1) ** k
        solution = mp.lu_solve(matrix, mp.matrix([1] * n))
        error = [mp.fsum(solution[j] * x**j for j in range(degree + 1)) * mp.power(2, -x) - 1 for x in GRID]
        extrema = []  # one of the largest magnitude for each run of one sign
        for i, value in enumerate(error):
            if extrema and mp.sign(value) == mp.sign(error[extrema[-1]]):
                if abs(value) > abs(error[extrema[-1]]):
                    extrema[-1] = i
            else:
                extrema.append(i)
        if len(extrema) != n:
            raise RuntimeError(f"{len(extrema)} extrema where {n} were expected")
        moved = max(abs(GRID[i] - x) for i, x in zip(extrema, points, strict=True))
        points = [GRID[i] for i in extrema]
        if moved < mp.mpf(1) / 4000:
            return [solution[j] for j in range(degree + 1)], abs(solution[degree + 1])


for degree in (5, 11):
    coefficients, error = remez(degree)
    print(degree, mp.nstr(error, 3))
    for c in coefficients:
        print("   ", mp.nstr(c, 20))
