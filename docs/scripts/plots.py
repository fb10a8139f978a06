"""The pictures of docs/plot.md: a small network learns, and is looked at.

    python docs/scripts/plots.py            # some minutes; writes docs/images/plot/

Its two outputs are averages of a level that jumps, a fast one (over 2 s) and a slow one (over 12 s).  It sees the level
at irregular times, and beside it a noise that means nothing.
"""

import argparse
import pathlib

import matplotlib
import numpy as np
from PIL import Image

from ltc_np import LTC, LTCRNN, Adam, AutoNCP, CosineDecay, Model, RandomWiring, SpikingLIF, Wiring, analysis, plot

FOLDER = pathlib.Path(__file__).parents[1] / "images" / "plot"
STEPS, AVERAGED = 60, (2.0, 12.0)
INPUTS, OUTPUTS = ["level", "noise"], ["fast", "slow"]


def data(count, seed):
    """x (count, STEPS, 2), dt (count, STEPS) and y (count, STEPS, 2)."""
    rng = np.random.default_rng(seed)
    dt = rng.exponential(1.0, (count, STEPS)).clip(0.05, 4)
    jumps = rng.random((count, STEPS)) < 0.15
    jumps[:, 0] = True
    last = np.maximum.accumulate(np.where(jumps, np.arange(STEPS), 0), axis=1)
    level = np.take_along_axis(rng.uniform(-1, 1, (count, STEPS)), last, axis=1)
    x = np.stack([level, rng.normal(size=level.shape)], axis=2)
    y, average = np.zeros_like(x), np.zeros((count, 2))
    for t in range(STEPS):
        average += (1 - np.exp(-dt[:, t, None] / AVERAGED)) * (level[:, t, None] - average)
        y[:, t] = average
    return x, dt, y


def trained(epochs):
    """A network of 19 neurons, its history, and what it predicted of one sequence after each epoch."""
    model = LTCRNN(AutoNCP(19, 2, seed=3), input_dim=2, init={"time_constants": (0.5, 30.0)}, seed=0)
    (x, dt, y), (xv, dtv, yv) = data(256, 0), data(64, 1)
    seen = []
    history = model.fit(
        x, y, dt=dt, epochs=epochs, batch_size=32, optimizer=Adam(CosineDecay(0.02, epochs * 8)), seed=0, verbose=0,
        validation={"x": xv, "y": yv, "dt": dtv}, callbacks=lambda *_: seen.append(model(xv[0], dt=dtv[0])),
    )  # fmt: skip
    return model, history, np.array(seen)


def rotator():
    """Two neurons that excite and inhibit each other, with an input that is held."""
    wiring = Wiring.from_edges(2, [(0, 0, 1), (0, 1, 1), (1, 0, -1)], [(0, 0, 1)])
    model = Model(LTC(wiring, input_mapping=None, output_mapping=None, positivity="clip"), seed=0, dtype="float64")
    values = {"gleak": 0.4, "vleak": -0.3, "cm": 1.0, "w": [3.0, 2.5, 2.0], "mu": [0.1, 0.2, 0.1], "sigma": 9.0}
    values |= {"erev": [1.0, -1.0, 1.0], "sensory_w": 0.5, "sensory_mu": 0.5, "sensory_sigma": 4.0, "sensory_erev": 1.0}
    for name, value in values.items():
        model.params[name][...] = value
    return model


def pictures(model, history):
    """{name of the file: Axes}."""
    x, dt, y = data(64, 2)
    predicted = model(x, dt=dt)
    # Intervals as large as the errors on the first 63 sequences; the last one is drawn.
    errors, t = np.abs(predicted - y)[:-1, :, 1], dt[-1].cumsum()
    bands = {share: np.quantile(errors, share) for share in (0.5, 0.9)}
    intervals = {share: (predicted[-1, :, 1] - wide, predicted[-1, :, 1] + wide) for share, wide in bands.items()}
    trace = model.trace(x[-1], dt=dt[-1])
    untrained = LTCRNN(AutoNCP(19, 2, seed=3), input_dim=2, seed=0)
    influence = analysis.saliency(model, x[-1], dt[-1], step=45, output=1)
    models = {"default": untrained, "time constants, trained": model}
    reach = {name: analysis.gradient_by_lag(each, x[-1], dt[-1]) for name, each in models.items()}
    still = rotator()
    plane = analysis.nullclines(still, (0, 1), [0.5], low=-0.8, high=0.9)
    turning = still.trace(np.full((80, 1), 0.5), dt=0.1, h0=[-0.6, 0.6])
    spiking = Model(SpikingLIF(24, tau=4.0, init={"w_x": (-1.5, 2.5), "b": (0.3, 1.2)}), input_dim=2, seed=2)
    return {
        "wiring": plot.wiring(model, input_names=INPUTS, output_names=OUTPUTS),
        "wiring_128": plot.wiring(LTCRNN(AutoNCP(128, 4), input_dim=6, seed=0)),
        "wiring_ring": plot.wiring(LTCRNN(RandomWiring(2, 2, 8, seed=0), 2, 8, 2, seed=0)),
        "learning_curves": plot.learning_curves(history),
        "predictions": plot.predictions(t, y[-1, :, 1], predicted[-1, :, 1], intervals=intervals, names=["slow"]),
        "predictions_two": plot.predictions(t, y[-1], predicted[-1], names=OUTPUTS),
        "states": plot.states(trace),
        "states_three": plot.states(trace, neurons=[0, 1, 4]),
        "time_constants": plot.time_constants(trace),
        "currents": plot.currents(trace, 1),
        "saliency": plot.saliency(influence, dt=dt[-1], step=45, names=INPUTS),
        "gradient_by_lag": plot.gradient_by_lag(reach),
        "phase_portrait": plot.phase_portrait(plane, (0, 1), trace=turning),
        "spike_raster": plot.spike_raster(spiking.trace(np.repeat(x[-1], 2, axis=0), dt=0.5)),
    }  # fmt: skip


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, default=FOLDER, metavar="DIR", help="default: %(default)s")
    parser.add_argument("--epochs", type=int, default=150, metavar="N", help="default: %(default)s")
    args = parser.parse_args(argv)
    matplotlib.use("Agg")
    args.output.mkdir(parents=True, exist_ok=True)
    model, history, seen = trained(args.epochs)
    print(history)
    for name, ax in pictures(model, history).items():
        ax.figure.canvas.draw()
        pixels = np.asarray(ax.figure.canvas.buffer_rgba())[:, :, :3]
        image = Image.fromarray(pixels).quantize(128, dither=Image.Dither.NONE)  # a quarter of the space
        image.save(args.output / f"{name}.png", optimize=True)
    x, dt, y = data(64, 1)
    plot.animate(model.trace(x[0], dt=dt[0]), file=args.output / "running.gif", frames=30, per_second=6)
    options = {"y": y[0], "t": dt[0].cumsum(), "history": history, "frames": 30, "per_second": 6}
    plot.animate(seen, file=args.output / "learning.gif", **options)
    print("wrote", args.output)


if __name__ == "__main__":
    main()
