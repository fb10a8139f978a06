"""Pictures of examples/pendulum.py."""

import numpy as np
from cart_pole import HALF, TRACK

FRAMES, RATE = 120, 20  # of the animation, and how many a second


def draw(driven, shares, curves, file):
    """The angles of the test's starts, who stays upright at which sample time, and how the networks learnt.

    ``driven``: a Drive; ``shares``: {title: (mean times in s, percentages)}; ``curves``: {title: percentages by round,
    a list for each seed}.
    """
    import matplotlib.pyplot as plt

    figure, (angles, times, learning) = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for dt, states in zip(driven.seconds, driven.states, strict=True):
        angles.plot(np.cumsum(dt), np.degrees(states[:, 2]), color="C0", lw=0.5, alpha=0.5)
    angles.set(title=f"{len(driven.states)} starts", xlabel="s", ylabel="angle, degrees", xlim=(0, 5))
    for title, (means, share) in shares.items():
        times.plot(1000 * np.array(means), share, marker="o", label=title)
    times.set(title="who stays upright", xlabel="mean time between samples, ms", ylabel="% of the starts")
    for k, own in enumerate(curves.values()):
        for curve in own:
            learning.plot(np.arange(len(curve)) + 1, curve, color=f"C{k + 1}", lw=1)
    learning.set(title="learning", xlabel="round", ylabel="% upright of the starts for choosing")
    # One legend for both, below: these networks have the same colours in each, and the expert learns nothing.
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower right", ncols=len(shares), frameon=False)
    figure.savefig(file, dpi=100, format="png")


def animate(drives, file):
    """A GIF of drives (of one start each) one above the other, {title: Drive}: each cart, its pole, and the force."""
    import matplotlib.pyplot as plt
    from PIL import Image

    figure, axes = plt.subplots(len(drives), 1, figsize=(6, 2.1 * len(drives)), dpi=80, layout="constrained")
    parts = []
    for ax, (title, driven) in zip(np.atleast_1d(axes), drives.items(), strict=True):
        ax.set_title(title, fontsize=9)
        ax.set(xlim=(-TRACK - 0.6, TRACK + 0.6), ylim=(-0.5, 1.3), aspect="equal", yticks=[], xlabel="")
        ax.axhline(0, color="gray", lw=1)
        ax.plot([-TRACK, TRACK], [0, 0], "|", color="black", ms=12)
        cart = ax.add_patch(plt.Rectangle((0, -0.1), 0.4, 0.2, color="tab:blue"))
        (pole,) = ax.plot([], [], color="tab:orange", lw=4, solid_capstyle="round")
        (force,) = ax.plot([], [], color="tab:red", lw=2)
        seen = np.cumsum(driven.seconds[0]) - driven.seconds[0, 0]
        parts.append((cart, pole, force, seen, driven))
    figure.canvas.draw()
    figure.set_layout_engine("none")
    images = []
    for frame in range(FRAMES):
        now = frame / RATE
        for cart, pole, force, seen, driven in parts:
            place, angle = (np.interp(now, seen, driven.states[0, :, k]) for k in (0, 2))
            held = driven.forces[0, max(np.searchsorted(seen, now, side="right") - 1, 0)]
            cart.set_x(place - 0.2)
            pole.set_data([place, place + 2 * HALF * np.sin(angle)], [0.1, 0.1 + 2 * HALF * np.cos(angle)])
            force.set_data([place, place + np.clip(held, -1, 1)], [-0.3, -0.3])
        figure.canvas.draw()
        images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[:, :, :3]).quantize(32))
    images[0].save(
        file, format="GIF", save_all=True, append_images=images[1:], duration=1000 // RATE, loop=0, optimize=True
    )
    plt.close(figure)
