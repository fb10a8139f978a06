"""What strength of the liquid term a task of long memory can bear, and how the term changes the fastest mode.

    python docs/scripts/liquid_scales.py      # prints the two tables of docs/maths/liquid_s4.md; three minutes

The task: two channels of noise, in one of which a pulse came 90 to 120 steps ago.  Which one?  The loss is the cross
entropy on the training data after 30 epochs; guessing has log(2) = 0.69.
"""

import numpy as np

from ltc_np import Adam, LiquidS4, LiquidS4RNN, Model

SEEDS = 3
STEP, INPUTS = 0.1, 100_000


def loss(seed, **options):
    """After training a model of two blocks."""
    r = np.random.default_rng(seed)
    x, y = 0.1 * r.normal(size=(64, 120, 2)), r.integers(0, 2, 64)
    x[np.arange(64), r.choice(30, 64), y] += 3
    model = LiquidS4RNN(2, 2, channels=16, states=16, blocks=2, pooling="last", seed=seed, **options)
    model.fit(x, y, loss="cross_entropy", epochs=30, batch_size=8, optimizer=Adam(5e-3), seed=seed, verbose=False)
    return model.evaluate(x, y, loss="cross_entropy")["loss"]


def fastest_mode(rule, liquid, step=STEP):
    """Mean and standard deviation of the logarithm of the factor by which a step multiplies the fastest mode."""
    layer = LiquidS4(64, input_dim=1, liquid="discrete", discretization=rule, liquid_scale=1.0)
    p = Model(layer, dtype="float64", seed=0).effective
    k = p["frequency"].argmax()
    a = p["frequency"].flat[k] * 1j - p["decay"].flat[k]
    b = p["b_re"].flat[k] + p["b_im"].flat[k] * 1j
    u = np.random.default_rng(0).normal(size=INPUTS)
    z = step * a
    if liquid == "exact":
        factor = np.exp(step * (a + b * u))
    elif rule == "zoh":
        factor = np.exp(z) + np.expm1(z) / a * b * u
    else:
        factor = (1 + z / 2 + step * b * u) / (1 - z / 2)
    logarithm = np.log(np.abs(factor))
    return logarithm.mean(), logarithm.std()


def main():
    print("| form | mean | standard deviation |\n|---|---|---|")
    for name, rule, liquid in (
        ("exact", "zoh", "exact"),
        ("discrete, zero-order hold", "zoh", "discrete"),
        ("discrete, bilinear", "bilinear", "discrete"),
    ):
        print("| {} | {:.0e} | {:.0e} |".format(name, *fastest_mode(rule, liquid)))
    around = [fastest_mode("zoh", "discrete", step)[1] for step in np.linspace(0.95, 1.05, 101) * STEP]
    print(f"zero-order hold, steps from 0.095 to 0.105: root mean square {np.sqrt(np.mean(np.square(around))):.0e}")
    print("\n| liquid term | " + " | ".join(f"seed {seed}" for seed in range(SEEDS)) + " |")
    print("|---" * (SEEDS + 1) + "|")
    for name, options in (
        ("none", {"liquid": None}),
        *((f"scale {scale}", {"liquid_scale": scale}) for scale in (0.1, 0.3, 1.0)),
    ):
        print(f"| {name} | " + " | ".join(f"{loss(seed, **options):.3f}" for seed in range(SEEDS)) + " |", flush=True)


if __name__ == "__main__":
    main()
