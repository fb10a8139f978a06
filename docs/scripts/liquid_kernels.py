"""How far the kernels KB and PB are from the recurrence that they stand for, and the discrete form from the exact one.

    python docs/scripts/liquid_kernels.py      # prints the table of docs/maths/liquid_s4.md; half a minute

Inputs are normal numbers.  The distance is the root mean square of the difference of outputs, relative to that of what
the liquid term adds to the linear state space.
"""

import numpy as np

from ltc_np import S4D, LiquidS4, Model

H, T, SEEDS = 16, 400, 5
STATES = 16


def size(values):
    return np.sqrt(np.mean(values**2))


def distance(step, scale, liquid, degree=2):
    """Mean over seeds: of the liquid term to the linear output, and of a form to the discrete recurrence."""
    terms, distances = [], []
    for seed in range(SEEDS):
        options = {"input_dim": H, "step_min": step, "step_max": step}

        def outputs(layer, theta=None, seed=seed):
            model = Model(layer, seed=seed, dtype="float64")
            if theta is not None:
                model.theta = theta
            x = np.random.default_rng(seed).normal(size=(4, T, H))
            return model(x), model.theta

        reference, theta = outputs(LiquidS4(STATES, liquid="discrete", liquid_scale=scale, **options))
        linear, _ = outputs(S4D(STATES, **options), theta)
        form, _ = outputs(LiquidS4(STATES, liquid=liquid, liquid_degree=degree, **options), theta)
        terms.append(size(reference - linear) / size(linear))
        distances.append(size(form - reference) / size(reference - linear))
    return np.mean(terms), np.mean(distances)


def main():
    forms = [("exact", 2), ("kb", 2), ("kb", 4), ("pb", 2), ("pb", 4)]
    names = [form if form == "exact" else f"{form}, p <= {degree}" for form, degree in forms]
    print(f"| step | `liquid_scale` | liquid term / linear output | {' | '.join(names)} |")
    print("|---" * (3 + len(forms)) + "|")
    for step in (0.001, 0.01, 0.1):
        for scale in (0.1, 1.0):
            found = [distance(step, scale, *form) for form in forms]
            print(f"| {step} | {scale} | {found[0][0]:.3f} | " + " | ".join(f"{d:.2f}" for _, d in found) + " |")


if __name__ == "__main__":
    main()
