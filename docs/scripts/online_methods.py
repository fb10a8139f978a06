"""How far the approximate methods of `ltc_np.online` are from the exact gradient, for docs/online.md.

    python docs/scripts/online_methods.py

An NCP of 19 neurons foretells a wave of two frequencies by one step, seen at uneven times.  Of each method the gradient
of its squared error, summed over 300 steps with weights that stay, is compared with the exact one: the cosine of the
angle between them, and the ratio of their norms, as the mean over ten networks; first with initial weights, then with
those that 40 epochs of training have left.  The parameters of the output mapping, whose gradient no method changes, are
left out.
"""

import numpy as np

from ltc_np import LTC, Adam, AutoNCP, Model
from ltc_np.online.methods import EProp, Exact, Immediate, SnAp
from ltc_np.online.synaptic import SynapticTraces

STEPS, SEEDS = 300, 10
METHODS = SnAp(3), SnAp(2), SnAp(1), EProp("symmetric"), Immediate(), EProp("random")


def data(seed):
    """Inputs: the wave and the time that has passed; targets; elapsed times."""
    rng = np.random.default_rng(seed)
    dt = rng.uniform(0.2, 1.0, STEPS + 1)
    t = np.cumsum(dt)
    wave = 0.6 * np.sin(0.5 * t) + 0.3 * np.sin(1.3 * t)
    return np.stack([wave[:-1], dt[1:]], axis=1), wave[1:, None], dt[:-1]


def gradient(model, method, x, targets, dt):
    """Summed along the stream, without the output mapping."""
    layer = model.layers[0]
    traces = SynapticTraces(layer, method, buffers={}, backend=model.backend, dtype=model.dtype)
    traces.prepare(model.theta)
    total = np.zeros(model.theta.size)
    for x_t, target, dt_t in zip(x, targets, dt, strict=True):
        total += traces.gradient(traces.advance(x_t, float(dt_t)) - target)
    return total[: layer.layout.slices["output_w"][0].start]


def distances(trained):
    """Of each method the cosine and the ratio of the norms, as means over networks."""
    found = np.zeros((len(METHODS), 2))
    for seed in range(SEEDS):
        model = Model(LTC(AutoNCP(19, 1, seed=seed)), input_dim=2, seed=seed, dtype="float64")
        x, targets, dt = data(seed)
        if trained:
            model.fit(x[None], targets[None], dt=dt[None], epochs=40, optimizer=Adam(0.01), verbose=0)
        exact = gradient(model, Exact(), x, targets, dt)
        for k, method in enumerate(METHODS):
            own = gradient(model, method, x, targets, dt)
            norms = np.linalg.norm(own), np.linalg.norm(exact)
            found[k] += own @ exact / (norms[0] * norms[1]), norms[0] / norms[1]
    return found / SEEDS


def main():
    for trained in (False, True):
        print("after 40 epochs" if trained else "initial weights")
        for method, (cosine, ratio) in zip(METHODS, distances(trained), strict=True):
            print(f"    {method!r}: cosine {cosine:.2f}, norm {ratio:.2f}")


if __name__ == "__main__":
    main()
