"""Picture of examples/drift.py."""

import numpy as np

SMOOTH = 100, 500  # samples of a running mean, of the cart and of the devices
STYLES = {  # told apart without colours, too
    "frozen": {"color": "0.45", "ls": "-"},
    "the readout, RLS": {"color": "#d55e00", "ls": (0, (5, 1.5))},
    "the whole network, exact gradients": {"color": "#0072b2", "ls": "-", "lw": 2.2},
    "trained again, after 1,000 samples": {"color": "#009e73", "ls": (0, (1, 1))},
}
LINE = {"color": "#cc79a7", "ls": (0, (4, 1, 1, 1))}  # of what is no network


def running(errors, width):
    """Roots of the running means of squared errors (n, T), over the rows and ``width`` columns: (T - width + 1,)."""
    sums = np.cumsum(np.concatenate([[0.0], errors.mean(axis=0)]))
    return np.sqrt((sums[width:] - sums[:-width]) / width)


def draw(found, phase, file):
    """Errors of the cart and of the devices over time, who by who; ``found``: {stream: {who: (seeds, T) squares}}."""
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.8), layout="constrained")
    for title, errors in found["cart"].items():
        width = SMOOTH[0]
        left.plot(np.arange(width, errors.shape[1] + 1), 100 * running(errors, width), label=title, **STYLES[title])
    for k, text in ((1, "the cart gets a load"), (2, "the sensor shows more")):
        left.axvline(k * phase, color="0.2", lw=0.8, ls=(0, (4, 2)))
        left.text(k * phase, 1.0, f" {text}", va="top", fontsize=9, transform=left.get_xaxis_transform())
    left.set(xlabel="sample", ylabel="error, % of the spread", title="the cart", yscale="log")
    devices = found["devices"]
    lines = [title for title in devices if title not in STYLES]
    best = min(lines, key=lambda title: devices[title].mean())
    for title, style in (STYLES | {best: LINE}).items():
        if title in devices:
            shown = running(devices[title][:, 1000:], SMOOTH[1])
            right.plot(1000 + SMOOTH[1] + np.arange(len(shown)), shown, label=title, **style)
    right.set(xlabel="step", ylabel="root mean square error", title="electric devices", yscale="log")
    for axes, ticks in ((left, (10, 15, 20, 30, 40, 50)), (right, (0.03, 0.05, 0.1, 0.15, 0.2, 0.25))):
        axes.set_yticks(ticks, map(str, ticks))
        axes.minorticks_off()
    handles, labels = left.get_legend_handles_labels()
    more = [pair for pair in zip(*right.get_legend_handles_labels(), strict=True) if pair[1] not in labels]
    handles, labels = handles + [one for one, _ in more], labels + [text for _, text in more]
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    figure.savefig(file, dpi=100, format="png")
