r"""Draw the figures of docs/performance.md, and write its tables, from the .json files beside this one.

python -m ltc_np bench --dtypes float32 --json \
    --cases tutorial small medium large sparse ltc-cuda cfc lstm32 lstm64 lstm128 > docs/performance/bench.json
python -m ltc_np bench --dtypes float32 --peers --json \
    --cases tutorial small medium large sparse cfc lstm32 lstm64 lstm128 > docs/performance/peers.json
python -m ltc_np bench --dtypes float32 --peers --json \
    --cases lif gru ctgru ctrnn neural_ode > docs/performance/cells.json
python docs/performance/measure.py
python docs/performance/plot.py
"""

import json
import pathlib
import re
import textwrap

import matplotlib.pyplot as plt

from ltc_np.bench import host
from ltc_np.bench.peers import compare

HERE = pathlib.Path(__file__).parent
IMAGES = HERE.parent / "images"
PAGE = HERE.parent / "performance.md"
COLOURS = {"ltc_np": "#1b7f79", "lstm": "#b0b0b0", "jax": "#e39c37", "ncps": "#c2453c"}
NAMES = {"ltc_np": "ltc_np", "lstm": "PyTorch's LSTM", "jax": "JAX, best of eight", "ncps": "ncps"}


def save(figure, name):
    IMAGES.mkdir(exist_ok=True)
    figure.savefig(IMAGES / name, dpi=130, metadata={"Software": None})
    plt.close(figure)


def peers(bench):
    """A training step of each standard case, ltc_np beside the others."""
    rows = bench["peers"]["rows"]
    cases = {row["case"]: row for row in bench["cases"] if row["case"] in {row["case"] for row in rows}}
    ms = {(row["case"], row["peer"]): row["ms"] for row in rows} | {
        (row["case"], "ltc_np"): row["ltc_np_ms"] for row in rows
    }
    figure, axes = plt.subplots(figsize=(11, 4), layout="constrained")
    for k, name in enumerate(NAMES):
        at = [i + (k - len(NAMES) / 2 + 0.5) * 0.8 / len(NAMES) for i in range(len(cases))]
        heights = [ms.get((case, name), float("nan")) for case in cases]
        bars = axes.bar(at, heights, 0.8 / len(NAMES), color=COLOURS[name], label=NAMES[name])
        axes.bar_label(bars, [f"{v:.3g}" for v in heights], fontsize=7)
    axes.set_yscale("log")
    labels = [f"{case}\nN={row['N']}\nT={row['T']}, B={row['B']}" for case, row in cases.items()]
    axes.set_xticks(range(len(cases)), labels, fontsize=9)
    axes.set_ylabel("ms per training step")
    axes.set_title(
        "Training step in float32: four LTCs (PyTorch's LSTM is another model there), CfC, LSTM",
        fontsize=10,
    )
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "performance_peers.png")


def limit(bench):
    """Shares of the processor's sigmoid rate."""
    rows = [row for row in bench["cases"] if row["dtype"] == "float32" and row["synapses"]]
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for k, (key, label, colour) in enumerate(
        (("forward_share", "forward", "#1b7f79"), ("train_share", "training step (two sigmoids)", "#7fc4bf"))
    ):
        at = [i + (k - 0.5) * 0.38 for i in range(len(rows))]
        bars = axes.bar(at, [100 * row[key] for row in rows], 0.36, color=colour, label=label)
        axes.bar_label(bars, [f"{100 * row[key]:.0f}" for row in rows], fontsize=8)
    axes.set_xticks(range(len(rows)), [f"{row['case']}\nN={row['N']}, B={row['B']}" for row in rows])
    axes.set_ylabel("% of the sigmoid rate")
    axes.set_ylim(0, 100)
    axes.set_title("Share of the limit, float32, 2 threads", fontsize=10)
    axes.legend(fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, "performance_limit.png")


def orders(measured):
    """Rates of loop orders and tile widths over the batch, one panel for each size of a dense network."""
    sizes = (8, 32, 128)
    figure, panels = plt.subplots(1, len(sizes), figsize=(9, 3), layout="constrained", sharey=True)
    for axes, N in zip(panels, sizes, strict=True):
        rows = [row for row in measured["rows"] if row["wiring"] == "dense" and row["N"] == N]
        for key, label, style in (
            ("posts", "batch-major", "k:"),
            ("lanes16", "16 lanes", "C0-"),
            ("lanes32", "32 lanes", "C1-"),
            ("lanes64", "64 lanes", "C2-"),
        ):
            points = [(row["B"], row[key]) for row in rows if key in row]
            axes.plot(*zip(*points, strict=True), style, label=label, marker=".")
        axes.set_xscale("log", base=2)
        axes.set_title(f"dense, N = {N}", fontsize=9)
        axes.set_xlabel("sequences")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("G evaluations/s, training step")
    panels[0].legend(fontsize=8, frameon=False)
    save(figure, "performance_orders.png")


def narrow(text, width=88):
    """A printed table whose columns are one space apart, and prose in lines of at most ``width``."""
    lines = text.split("\n")
    rows = {line for line in lines if "  " in line}  # prose has single spaces
    used = {k for row in rows for k, letter in enumerate(row) if letter != " "}
    kept = [k for k in range(max(used) + 1) if k in used or k - 1 in used]
    lines = ["".join(line[k : k + 1] for k in kept) if line in rows else line for line in lines]
    return "\n".join(part for line in lines for part in textwrap.wrap(line, width) or [""])


def tables(bench, compared, cells):
    """The benchmark's own tables, in the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (
        ("cases", narrow(host.table(bench))),
        ("peers", narrow(compare.table(compared["peers"]))),
        ("cells", narrow(compare.table(cells["peers"]))),
    ):
        block = f"<!-- table: {name} -->\n```\n{text}\n```\n<!-- end -->"
        page, count = re.subn(f"<!-- table: {name} -->.*?<!-- end -->", lambda _, block=block: block, page, flags=re.S)
        if count != 1:
            raise ValueError(f"{PAGE} must have one place for the table {name!r}, got {count}")
    PAGE.write_text(page, encoding="utf-8")


def main():
    bench = json.loads((HERE / "bench.json").read_text())
    compared = json.loads((HERE / "peers.json").read_text())
    tables(bench, compared, json.loads((HERE / "cells.json").read_text()))
    peers(compared)
    limit(bench)
    orders(json.loads((HERE / "orders.json").read_text()))


if __name__ == "__main__":
    main()
