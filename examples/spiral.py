"""The tutorial: an LTC of 8 neurons learns to predict the next point of a noisy spiral.

Same data, network and hyper-parameters as the tutorial, which trains on all 496 windows of one path and reports the
error on that same path.  Beside that number stand two it never shows: the error on a second spiral with fresh noise,
and on stretches of the path that a second network never saw.

    python examples/spiral.py                 # 2000 epochs, writes spiral.png
    python examples/spiral.py --schedule cosine --seed 3
    python examples/spiral.py --animate       # also spiral.gif: the prediction as it learns
    python examples/spiral.py --quick --no-plot
"""

import argparse
import pathlib
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np

from ltc_np import LTCRNN, Adam, Callback, CosineDecay, RandomWiring, Validation, generate_spiral_data, windows

POINTS, TURNS, NEURONS, LENGTH, BATCH, RATE = 500, 3, 8, 3, 32, 0.005
BLOCKS = 20  # the path is cut into this many stretches; every fifth is left out in the second training


def spiral_windows(path):
    """The tutorial's 496 windows (it leaves out the last one) of inputs and of targets one step later."""
    x, y = windows(path, LENGTH)
    return x[:-1], y[:-1]


def path_error(model, path):
    """Squared error at each predicted point of the whole path, the model fed with the true points: (499,)."""
    return np.square(model(path[:-1]) - path[1:]).mean(axis=1)


class Report(Callback):
    """The tutorial's report lines, and the prediction at each of them."""

    def __init__(self, path, epochs, animate):
        self.path, self.epochs, self.every = path, epochs, min(100, epochs)
        self.frames = set(np.geomspace(1, epochs, 40).round()) if animate else ()  # most happens early
        self.total, self.predictions = 0.0, []

    def on_batch_end(self, step, logs):
        self.total += logs["loss"]

    def on_epoch_end(self, epoch, logs):
        done = epoch + 1
        if done % self.every == 0 or done == self.epochs:
            self.error = path_error(self.model, self.path).mean()
            print(f"Epoch [{done}/{self.epochs}], Total train loss: {self.total:.4f}, Total val loss: {self.error:.6f}")
        if done in self.frames:
            self.predictions.append((done, self.model(self.path[:-1])))
        self.total = 0.0


def train(x, y, args, callbacks=(), validation_data=None):
    """A new network trained as in the tutorial: (model, history)."""
    model = LTCRNN(RandomWiring(2, 2, NEURONS, seed=args.seed), 2, NEURONS, 2, seed=args.seed)
    steps = args.epochs * -(-len(x) // BATCH)
    rate = CosineDecay(RATE, steps) if args.schedule == "cosine" else RATE
    history = model.fit(
        x,
        y,
        epochs=args.epochs,
        batch_size=BATCH,
        optimizer=Adam(rate),
        shuffle=False,
        callbacks=callbacks,
        validation=validation_data and Validation(validation_data, every=10),
        verbose=args.progress,
    )
    return model, history


def held_out_errors(path, args):
    """Errors of a network trained without every fifth stretch: (on stretches it saw, on those it did not)."""
    left_out = np.arange(len(path)) * BLOCKS // len(path) % 5 == 2
    x, y = spiral_windows(path)
    touches = np.array([left_out[i : i + LENGTH + 1].any() for i in range(len(x))])
    args = argparse.Namespace(**{**vars(args), "progress": False})
    model, _ = train(x[~touches], y[~touches], args)
    errors = path_error(model, path)
    return errors[~left_out[1:]].mean(), errors[left_out[1:]].mean()


def draw(path, prediction, second, second_prediction, history, file):
    """Both paths with their predictions, and the losses over the epochs."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(15, 5), layout="constrained")
    for ax, title, true, predicted in (
        (axes[0], "trained on this path", path, prediction),
        (axes[1], "second spiral, fresh noise", second, second_prediction),
    ):
        ax.plot(*true.T, color="tab:green", lw=3, alpha=0.5, label="true path")
        ax.plot(*predicted.T, color="tab:red", lw=1, label="predicted path")
        ax.set(title=title, xlabel="x", ylabel="y", aspect="equal")
        ax.legend(loc="upper right")
    epochs = np.array(history.epoch) + 1
    axes[2].semilogy(epochs, history["loss"], lw=0.7, label="training windows")
    axes[2].semilogy(np.array(history.val_epoch) + 1, history["val_loss"], lw=1.2, label="second spiral")
    axes[2].axvline(history.best_epoch + 1, color="gray", ls=":", label="weights kept")
    axes[2].set(title="learning", xlabel="epoch", ylabel="mean squared error")
    axes[2].legend()
    figure.savefig(file, dpi=110)


def animate(path, predictions, file):
    """A GIF of the prediction as the network learns."""
    import matplotlib.pyplot as plt
    from matplotlib.animation import FuncAnimation, PillowWriter

    figure, ax = plt.subplots(figsize=(5, 5), dpi=80, layout="constrained")
    ax.plot(*path.T, color="tab:green", lw=3, alpha=0.5, label="true path")
    (line,) = ax.plot([], [], color="tab:red", lw=1, label="predicted path")
    ticks = (-1, -0.5, 0, 0.5, 1)
    ax.set(xlabel="x", ylabel="y", aspect="equal", xlim=(-1.1, 1.1), ylim=(-1.1, 1.1), xticks=ticks, yticks=ticks)
    ax.legend(loc="upper right")

    ax.set_title("epoch")
    figure.canvas.draw()
    figure.set_layout_engine("none")  # the axes stay where they are

    def show(frame):
        epoch, prediction = predictions[frame]
        line.set_data(*prediction.T)
        ax.set_title(f"epoch {epoch}")

    FuncAnimation(figure, show, frames=len(predictions)).save(file, writer=PillowWriter(fps=8))


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=2000, metavar="N", help="default: %(default)s")
    parser.add_argument("--schedule", choices=("constant", "cosine"), default="constant", help="of the learning rate")
    parser.add_argument("--seed", type=int, default=0, help="of data and network; default: %(default)s")
    parser.add_argument("--quick", action="store_true", help="100 epochs only")
    parser.add_argument("--output", type=pathlib.Path, default=".", metavar="DIR", help="folder of the pictures")
    parser.add_argument("--no-plot", action="store_true", help="write no pictures")
    parser.add_argument("--animate", action="store_true", help="also write spiral.gif")
    parser.add_argument("--show", action="store_true", help="open a window with the pictures")
    parser.add_argument("--progress", action="store_true", help="show a progress bar")
    args = parser.parse_args(argv)
    if args.quick:
        print("--quick: 100 epochs show that the example works, not how good the network is", file=sys.stderr)
        args.epochs = min(args.epochs, 100)
    if args.epochs < 1 or args.seed < 0:
        parser.error("--epochs must be at least 1 and --seed at least 0")
    if args.no_plot and (args.show or args.animate):
        parser.error("--no-plot excludes --show and --animate")
    if not args.no_plot:
        try:
            args.output.mkdir(parents=True, exist_ok=True)
            import matplotlib  # before the training, in case it is missing
        except OSError as error:
            parser.error(f"--output must be a folder: {error}")
        except ImportError:
            parser.error('pictures need matplotlib: pip install ".[plot]", or --no-plot')
        if not args.show:
            matplotlib.use("Agg")
    print(f"Training for {args.epochs} epochs.", flush=True)
    start = time.perf_counter()
    path = generate_spiral_data(POINTS, TURNS, seed=args.seed)
    second = generate_spiral_data(POINTS, TURNS, seed=args.seed + 1_000_000)

    # The second training runs beside the first, in a process of its own.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        future = pool.submit(held_out_errors, path, args)
        report = Report(path, args.epochs, args.animate)
        model, history = train(*spiral_windows(path), args, [report], (second[None, :-1], second[None, 1:]))
        seen, unseen = future.result()

    print("\nMean squared error of the next point, the network fed with the true path:")
    for what, error in (
        (f"the path trained on, weights that are kept (epoch {history.best_epoch + 1})", path_error(model, path)),
        ("the same path, repeating the last point", np.square(np.diff(path, axis=0))),
        ("a second spiral, fresh noise, which chose the weights", path_error(model, second)),
        ("the path trained on, weights of the last epoch (the tutorial's number)", report.error),
        ("second training, last epoch: stretches it saw", seen),
        ("second training, last epoch: stretches left out", unseen),
    ):
        print(f"  {what:<70} {np.mean(error):.2e}")
    print("The noise alone, of the inputs and the targets, gives about 3e-5.")
    if unseen > seen:
        print(
            "Stretches left out are predicted worse: no window shows the way there, and the network must guess it\n"
            "from the neighbouring turns."
        )
    print(f"{time.perf_counter() - start:.1f} s")
    if args.no_plot:
        return
    draw(path, model(path[:-1]), second, model(second[:-1]), history, args.output / "spiral.png")
    print(f"wrote {args.output / 'spiral.png'}")
    if args.animate:
        animate(path, report.predictions, args.output / "spiral.gif")
        print(f"wrote {args.output / 'spiral.gif'}")
    if args.show:
        import matplotlib.pyplot as plt

        if plt.get_backend().lower() == "agg":
            print("--show: there is no display to show the pictures on")
        plt.show()


if __name__ == "__main__":
    main()
