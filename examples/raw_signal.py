# %% [markdown]
# # Classifying a raw signal: which appliance draws this power?
#
# A meter has recorded the power that an appliance draws, 1,460 samples of it. Which of ten kinds is it, from a phone
# charger to a microwave oven? A recurrent cell must read 1,460 steps, one number at each. With three convolutions in
# front of it, each of which halves the steps, it reads 182 steps of 32 numbers. All else is the same.

# %%
import pathlib
import time

import data_files
import matplotlib.pyplot as plt
import numpy as np
import worked
from defaults_baselines import PENALTIES, convolved, ridge

from ltc_np.recipe import Recipe

files = ("TRAIN", "ACSF1_TRAIN.ts"), ("TEST", "ACSF1_TEST.ts")
options = worked.options("Raw signals: a CfC with and without convolutions, and random ones.", *files)
CLASSES = 10

# %% [markdown]
# ## The data
#
# ACSF1 is part of the archive of time series, and packages such as sktime bring it along: ten recordings of each kind
# for training, and as many for the test. Each is less its mean and divided by its spread.


# %%
def read(path):
    """The recordings (n, T, 1) and their kinds (n,), 0..9, of a .ts file."""
    lines = pathlib.Path(path).read_text(encoding="utf-8").splitlines()
    starts = [k for k, line in enumerate(lines) if line.strip().lower() == "@data"]
    rows = [line.split(":") for line in (lines[starts[0] + 1 :] if starts else []) if line.strip()]
    if not rows or any(len(row) != 2 for row in rows):
        raise ValueError(f"{path} must have lines of a recording and its class behind @data")
    return np.array([row[0].split(",") for row in rows], np.float32)[:, :, None], np.array(
        [int(row[1]) for row in rows]
    )


with worked.one_line(options):
    (x, y), (test_x, test_y) = map(read, data_files.chosen(options.files, *data_files.APPLIANCES))
print(f"{len(x)} recordings of {x.shape[1]} samples for training, {len(test_x)} for the test")

# %% [markdown]
# ## The baseline
#
# **Ridge regression on 1,000 random convolutions** (ROCKET): kernels of which nothing is trained; of each the largest
# value and the share of positive ones. Its penalty is chosen by five folds of the training set.


# %%
def accuracy(answers, wanted):
    return float((answers.argmax(axis=1) == wanted).mean())


seconds, right = {}, {}
start = time.process_time()
kernels = 50 if options.quick else 1000
features, test_features = (convolved({"x": own}, kernels) for own in (x, test_x))
wanted, fold = np.eye(CLASSES)[y], np.random.default_rng(0).permutation(len(x)) % 5
found = np.zeros(len(PENALTIES))
for k in range(5):
    inside = fold != k
    for n, predict in enumerate(ridge(features[inside], wanted[inside], PENALTIES)):
        found[n] += accuracy(predict(features[~inside]), y[~inside])
(best,) = ridge(features, wanted, [PENALTIES[int(found.argmax())]])
right["random convolutions"] = [accuracy(best(test_features), test_y)]
seconds["random convolutions"] = [time.process_time() - start]

# %% [markdown]
# ## The networks
#
# One recipe makes both: `conv_layers` is the only difference. The learning rate is 0.003 and not the default 0.01, with
# which the gradient of the cell alone overflows over so many steps. Each is trained from five seeds, and the test set
# is read once for each.

# %%
seeds = range(1 if options.quick else 5)
for conv_layers in (0, 3):
    name = f"CfC, {conv_layers} convolutions"
    recipe = Recipe(cell="cfc", conv_layers=conv_layers, learning_rate=0.003, epochs=1 if options.quick else "auto")
    right[name], seconds[name] = [], []
    for seed in seeds:
        start = time.process_time()
        model = recipe.model(1, CLASSES, steps=x.shape[1], every_step=False, numbers=False, seed=seed)
        recipe.fit(model, x, y, sequences=len(x), loss="cross_entropy", seed=seed, verbose=False)
        seconds[name].append(time.process_time() - start)
        right[name].append(accuracy(model.predict(test_x), test_y))

# %% [markdown]
# ## Who is right?

# %%
print(f"{'':20}  {'right':>7}  {'of each seed':24}  processor time of a training")
for name, each in right.items():
    own = " ".join(f"{100 * share:.0f}" for share in each)
    print(f"{name:20}  {100 * np.mean(each):5.1f} %  {own:24}  {np.mean(seconds[name]):5.1f} s")

# %% [markdown]
# The picture shows what the first filters have learnt, beside a recording, and all that was measured.

# %%
filters = model.params["1.weight"][:, 0]
strongest = np.argsort(np.abs(filters).sum(axis=0))[-6:]
figure, (left, middle, end) = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained", width_ratios=(1.6, 1, 1.4))
left.plot(test_x[0, :150, 0], linewidth=0.9)  # all would be a block of ink
left.set(xlabel="sample", ylabel="power, standardised")
left.set_title(f"the beginning of a recording of kind {test_y[0]}", fontsize=10)
middle.plot(np.arange(-6, 1), filters[:, strongest], linewidth=1)
middle.set(xlabel="samples from now")
middle.set_title("the largest first filters", fontsize=10)
for k, each in enumerate(right.values()):
    end.plot(100 * np.array(each), [k] * len(each), "o", markersize=5, alpha=0.6)
end.set(
    yticks=range(len(right)), yticklabels=right, xlabel="% of the test that is right", ylim=(len(right) - 0.5, -0.5)
)
worked.picture(figure, options, "raw_signal")

# %% [markdown]
# ## What to take home
#
# Convolutions in front of the cell are worth trying wherever a signal has hundreds of samples: the cell remembers over
# fewer steps, and learns from a window of samples at each. A training takes less time, since the cell has an eighth of
# the steps. Where only whole recordings are classified, random convolutions with a line are hard to beat, and quick:
# here they win. `LTCClassifier` tries them by itself (`shortcut="auto"`). What the network has and they have not: it
# goes on step by step, on a stream, in C, with elapsed times.
