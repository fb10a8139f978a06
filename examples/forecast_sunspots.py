# %% [markdown]
# # Forecasting a series: sunspots
#
# How many sunspots will there be next year? This example trains a small liquid time-constant network (LTC) on yearly
# numbers and sets it beside a linear autoregression, the classical method for this very series. The autoregression
# takes a millisecond and is hard to beat, so whether the network is worth its trouble is an open question until the
# table at the end.

# %%
import data_files
import matplotlib.pyplot as plt
import numpy as np
import sunspots
import worked

from ltc_np import LTC, AdamW, CosineDecay, Dense, FullyConnected, Model, Standardize
from ltc_np.data import windows

options = worked.options("Sunspots: an LTC against a linear autoregression.", ("FILE", 'lines "year,number"'))

# %% [markdown]
# ## The data
#
# The numbers of 1700 to 2008 come with the package statsmodels, which has them from the observatory in Brussels. The
# years before 1940 are for training. Those from 1940 on are the test, and nothing below is chosen by them.

# %%
with worked.one_line(options):
    years, numbers = sunspots.read(*data_files.chosen(options.files, data_files.SUNSPOTS))
first = int(np.searchsorted(years, sunspots.FIRST_TEST_YEAR))
known, test = numbers[:first], numbers[first:]
print(f"{known.size} years for training, with at most {known.max():.0f} spots")
print(f"{test.size} years for the test, with at most {test.max():.0f}")

# %% [markdown]
# ## Two baselines
#
# "Next year will be like this one" is the least that a forecast must beat. AR(9) is a linear function of the last nine
# years, fitted by least squares to the years of training.

# %%
found = {
    "the year before": numbers[first - 1 : -1],
    "AR(9)": sunspots.autoregression(numbers, 9, first),
}

# %% [markdown]
# ## The network
#
# Sixteen neurons are enough. `Standardize` at both ends lets numbers of 0 to 190 go in and come out as they are. The
# network learns from windows of 60 years: at each year it is asked for the next one. In the first ten years of a window
# its state still settles, so these get the weight 0. Huber's loss does not let a few high peaks rule the training, and
# weight decay keeps so small a data set from being learnt by heart.

# %%
x, y = windows(known[:, None], length=60, hop=3)
weight = np.ones(y.shape[:2])
weight[:, :10] = 0
epochs = 20 if options.quick else 150

model = Model(Standardize(), LTC(FullyConnected(16)), Dense(1), Standardize(inverse=True), input_dim=1, seed=0)
history = model.fit(
    x,
    y,
    sample_weight=weight,
    epochs=epochs,
    batch_size=8,
    optimizer=AdamW(CosineDecay(0.005, epochs * -(-len(x) // 8)), weight_decay=0.1),
    loss="huber",
    clip_norm=1.0,
    standardize=True,
    seed=0,
    verbose=0,
)
found["LTC"] = model(numbers[:-1, None])[first - 1 :, 0]

# %% [markdown]
# `model(...)` reads the whole series from left to right, so its output at any year depends on that year and those
# before it only. The forecast for 1940 is the output at 1939.
#
# ## Who is right?

# %%
errors = {title: np.abs(forecast - test).mean() for title, forecast in found.items()}
few = test <= 120
print(f"{'mean absolute error':20}  all years  at most 120 spots  more")
for title, forecast in found.items():
    off = np.abs(forecast - test)
    print(f"{title:20}  {off.mean():9.1f}  {off[few].mean():17.1f}  {off[~few].mean():4.1f}")
best = min(errors, key=errors.get)
print(f"least error: {best}")

# %%
figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
axes.plot(years[first:], test, "k.-", lw=1, label="sunspots")
for colour, title in (("#0072b2", "LTC"), ("#d55e00", "AR(9)")):
    axes.plot(years[first:], found[title], color=colour, lw=1.5, label=f"{title}, error {errors[title]:.1f}")
axes.axhline(known.max(), color="0.6", lw=1, ls="--")
axes.annotate("the most before 1940", (2008, known.max()), ha="right", va="bottom", color="0.4", fontsize=9)
axes.set(xlabel="year", ylabel="sunspots", title="one year ahead")
axes.legend(ncols=3, fontsize=9, loc="lower center", bbox_to_anchor=(0.5, 1.08))
worked.picture(figure, options, "forecast_sunspots")

# %% [markdown]
# ## What to take home
#
# A linear function goes on to numbers that it has never seen; the sigmoids of an LTC saturate, so in the years of many
# spots it forecasts too few. That is what the two last columns show, and the dashed line says why: the test has peaks
# above everything that was taught. In the other years the order may be the other way round.
#
# One training is one throw of the dice. `python examples/sunspots.py` takes the mean of five, of square roots and
# together with an autoregression, which is better; [the results](../docs/results.md#sunspots) have its table. To try
# your own series, give a file of lines `year,number`.
