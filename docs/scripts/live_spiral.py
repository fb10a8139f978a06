"""Train the network that docs/live/networks.html draws a spiral with, docs/live/spiral.npz.

    python docs/scripts/live_spiral.py      # some minutes; prints the errors that docs/live.md names

A point turns around the origin once in TURN seconds while its distance r grows or falls to 1: r' = GROWTH r (1 - r^2).
The network is given a point and a time, and says where the point is after that time; so it can go on from what it has
said itself, at any times, and from anywhere.
"""

import pathlib

import numpy as np

from ltc_np import LTCRNN, Adam, CosineDecay, FullyConnected

FILE = pathlib.Path(__file__).parents[1] / "live" / "spiral.npz"
TURN, GROWTH = 2.0, 0.5  # s, 1/s
UNIT = 0.5  # s: the network's unit of time
SHORTEST, LONGEST = 0.03, 0.15  # s, of a step
NEURONS, SEQUENCES, STEPS, EPOCHS, BATCH, RATE = 19, 256, 60, 2000, 16, 0.01
NOISE = 0.02  # of what is shown
JUMPS, SETTLING = 0.02, 2  # how often a point is somewhere else, and how many steps do not count then


def flow(points, seconds):
    """Where points (..., 2) are after ``seconds`` (...): the exact solution."""
    x, y = np.moveaxis(points, -1, 0)
    square, growth = x**2 + y**2, np.exp(2 * GROWTH * seconds)
    scale = np.sqrt(growth / (1 + square * (growth - 1)))  # of r, from the logistic growth of its square
    angle = 2 * np.pi * seconds / TURN
    turned = np.cos(angle) * x - np.sin(angle) * y, np.sin(angle) * x + np.cos(angle) * y
    return np.stack(turned, axis=-1) * scale[..., None]


def anywhere(n, rng):
    """Points (n, 2) within 1.3 of the origin."""
    angle, r = rng.uniform(0, 2 * np.pi, n), 1.3 * np.sqrt(rng.uniform(0, 1, n))
    return np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)


def lessons(n, rng):
    """What is shown (n, STEPS, 2), the times (n, STEPS), where points are then (n, STEPS, 2), weights (n, STEPS)."""
    shown, seconds = np.empty((n, STEPS, 2)), rng.uniform(SHORTEST, LONGEST, (n, STEPS))
    target, counts, then = np.empty_like(shown), np.ones((n, STEPS)), anywhere(n, rng)
    for t in range(STEPS):
        jumps = rng.random((n, 1)) < JUMPS
        now = np.where(jumps, anywhere(n, rng), then)
        shown[:, t] = now + rng.normal(0, NOISE, (n, 2))
        target[:, t] = then = flow(now, seconds[:, t])
        counts[jumps[:, 0] if t else slice(None), t : t + SETTLING] = 0
    return shown, seconds, target, counts


def alone(model, points, seconds):
    """The network goes on from its own points: (n, T, 2) for starts (n, 2) and times (n, T)."""
    found, state = [], None
    for dt in seconds.T:
        points, state = model.step(points, dt=dt / UNIT, state=state)
        found.append(points)
    return np.stack(found, axis=1)


def main():
    rng = np.random.default_rng(0)
    x, seconds, y, counts = lessons(SEQUENCES, rng)
    model = LTCRNN(FullyConnected(NEURONS, 2), input_dim=2, seed=0)
    history = model.fit(
        x,
        y,
        dt=seconds / UNIT,
        sample_weight=counts,
        epochs=EPOCHS,
        batch_size=BATCH,
        optimizer=Adam(CosineDecay(RATE, EPOCHS * -(-SEQUENCES // BATCH))),
        seed=0,
        verbose=False,
    )
    print(f"{model.theta.size} parameters, mean squared error in training {history['loss'][-1]:.1e}")
    x, seconds, y, counts = lessons(100, np.random.default_rng(1))
    error = np.sqrt(((model(x, dt=seconds / UNIT) - y) ** 2).sum(-1)[counts > 0].mean())
    print(f"one step from points never seen: {error:.3f} off, root mean square")
    for step in (SHORTEST, 0.05, 0.1, LONGEST):
        T = round(10 / step)
        own = alone(model, anywhere(100, np.random.default_rng(2)), np.full((100, T), step))[:, T // 2 :]
        r = np.hypot(own[:, :, 0], own[:, :, 1])
        angle = np.unwrap(np.arctan2(own[:, :, 1], own[:, :, 0]), axis=1)
        turn = TURN * (angle[:, -1] - angle[:, 0]).mean() / (2 * np.pi * step * (own.shape[1] - 1))
        print(
            f"alone, {1000 * step:.0f} ms a step, after 5 to 10 s: distance {r.min():.2f} to {r.max():.2f}, "
            f"{turn:.2f} of the right speed"
        )
    model.save(FILE)
    print(f"wrote {FILE}")


if __name__ == "__main__":
    main()
