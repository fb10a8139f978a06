"""Where the four solvers damp the test equation v' = lambda v, and the eigenvalues of LTCs of several sizes."""

import numpy as np
from book import BLACK, DASHES, GREY, LINES, main, panels

from ltc_np import LTCRNN, FullyConnected

SIZES, UNFOLDS, SHORT = (8, 32, 128), 6, 1e-7
# What one step multiplies v with, over z = h lambda.
FACTORS = {
    "exponential": np.exp,
    "semi-implicit": lambda z: 1 / (1 - z),
    "Euler": lambda z: 1 + z,
    "rk4": lambda z: 1 + z + z**2 / 2 + z**3 / 6 + z**4 / 24,
}


def eigenvalues(N):
    """Of the equation's Jacobian, of a dense LTC with its first parameters after 20 steps with normal inputs.

    The Jacobian of one very short step of Euler's rule is 1 plus its length times that of the equation.
    """
    options = {"ode_unfolds": 1, "seed": 0, "dtype": "float64", "epsilon": 0.0, "check_stability": "off"}
    model = LTCRNN(FullyConnected(N), 2, solver="euler", input_mapping=None, output_mapping=None, **options)
    x = np.random.default_rng(0).normal(size=(20, 2))
    v = LTCRNN(FullyConnected(N), 2, solver="exponential", input_mapping=None, output_mapping=None, **options)(x)[-1]
    y, tape = model.forward(np.tile(x[-1], (N, 1, 1)), dt=SHORT, h0=np.tile(v, (N, 1)))
    step = model.backward(tape, 0 * y, d_state=np.eye(N)).h0
    return np.linalg.eigvals((step - np.eye(N)) / SHORT)


def draw():
    figure, axes = panels(11, 8)
    real, imaginary = np.meshgrid(np.linspace(-10, 3, 521), np.linspace(-4, 4, 320))  # no point is the pole, z = 1
    z = real + 1j * imaginary
    axes.axhline(0, color=GREY, linewidth=0.5)
    for k, (name, factor) in enumerate(FACTORS.items()):
        axes.contour(real, imaginary, np.abs(factor(z)), [1], colors=LINES[k], linestyles=[DASHES[k]], linewidths=1.2)
        axes.plot([], [], color=LINES[k], linestyle=DASHES[k], label=name)
    for N, marker in zip(SIZES, "o^x", strict=True):
        own = eigenvalues(N) / UNFOLDS
        axes.plot(own.real, own.imag, marker, color=BLACK, markersize=3, fillstyle="none", label=f"LTC, N = {N}")
    axes.set(aspect="equal", xlim=(-10, 3), ylim=(-4, 4), xlabel="real part of hλ", ylabel="imaginary part of hλ")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.02), ncols=4)
    return figure


if __name__ == "__main__":
    main({"stability_regions": draw}, __doc__)
