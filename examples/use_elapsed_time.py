# %% [markdown]
# # Irregular sampling: what is elapsed time good for?
#
# Sensors do not always report at regular intervals: packets get lost, patients come when they come. A liquid network is
# a differential equation, so it can be told how long to run before each sample: this is `dt`. Here the same LTC learns
# the same data without the times, with each time as one more input, with `dt`, and with both. A linear method that
# first resamples the data stands beside them.

# %%
import irregular_sampling
import matplotlib.pyplot as plt
import numpy as np
import stiff_spring
import worked

from ltc_np import LTC, Adam, CosineDecay, Dense, FullyConnected, Model, Standardize, dt_from_times

options = worked.options("Irregular sampling: an LTC with and without the elapsed times.")

# %% [markdown]
# ## The data
#
# A mass hangs on a spring that gets stiffer the further it is stretched, and a force drives it. The force is recorded
# at random times, on average every 0.3 seconds, and the question is where the mass is at each of these moments. The
# data are simulated, so we know the truth.
#
# All networks learn from recordings with 0.3 seconds between samples on average. They are tested on new ones like
# these, and on recordings with twice as many and half as many samples a second.

# %%
known, tests = irregular_sampling.data(0)
gaps = np.diff(known.seconds, axis=1)
short, long = (gaps < 0.1).mean(), (gaps > 1).mean()
print(f"{len(known.force)} recordings of {known.force.shape[1]} samples for training")
print(f"{100 * short:.0f} % of the samples come within 0.1 s of the one before, {100 * long:.0f} % after more than 1 s")

# %% [markdown]
# ## A baseline that could win
#
# Resampling is what one does without a network: draw straight lines between the samples, read them off on a regular
# grid of 0.1 s, and let ridge regression find the place from the force of the last ten seconds. It suffers from what
# happens between the samples, and it cannot know that the spring stiffens.

# %%
errors = {"ridge": [stiff_spring.error(stiff_spring.linear(known, own), own) for own in tests.values()]}

# %% [markdown]
# ## The networks
#
# `dt_from_times` makes elapsed times of time stamps; `t0=0` says when the state began. They are divided by 0.3 s, so
# that a usual step has the length 1: the time constants of a new network suit steps of about this size.
#
# - *no times*: `fit(x, y)`. The network must take all steps to be equal.
# - *as an input*: `fit([x, dt], y)`. The network may learn what an interval means.
# - *dt*: `fit(x, y, dt=dt)`. Its equation runs for this long before it reads the sample.
# - *both*: `fit([x, dt], y, dt=dt)`.


# %%
def inputs(way, recorded):
    """The arguments of a model that is told the elapsed times in this way."""
    x, dt = recorded.force, dt_from_times(recorded.seconds, t0=0) / 0.3
    if way in ("as an input", "both"):
        x = np.concatenate([x, dt[:, :, None]], axis=2)
    return {"x": x, "dt": dt} if way in ("dt", "both") else {"x": x}


epochs = 6 if options.quick else 60
models = {}
for way in ("no times", "as an input", "dt", "both"):
    given = inputs(way, known)
    model = Model(Standardize(), LTC(FullyConnected(32)), Dense(1), input_dim=given["x"].shape[2], seed=0)
    model.fit(
        **given,
        y=known.place,
        epochs=epochs,
        batch_size=16,
        optimizer=Adam(CosineDecay(0.01, epochs * len(known.force) // 16)),
        clip_norm=1.0,
        standardize=True,
        seed=0,
        verbose=0,
    )
    models[way] = model
    errors[way] = [stiff_spring.error(model(**inputs(way, own)), own) for own in tests.values()]

# %% [markdown]
# ## Who is right?
#
# Errors are root mean squares in percent of the size of the motion itself: 100 % is as good as always saying 0.

# %%
print(f"{'mean time between samples':26}" + "".join(f"{1000 * mean:7.0f} ms" for mean in tests))
for title, own in errors.items():
    print(f"{title:26}" + "".join(f"{100 * value:8.1f} %" for value in own))

# %%
colours = {"no times": "#d55e00", "as an input": "#009e73", "dt": "#0072b2", "both": "#cc79a7"}
sparse = tests[0.3]
late = sparse.seconds[0] < 15

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", width_ratios=(1.5, 1))
left.plot(sparse.seconds[0, late], sparse.place[0, late, 0], "ko-", ms=4, lw=1, label="truth")
for way in ("no times", "both"):
    said = models[way](**inputs(way, sparse))[0, late, 0]
    left.plot(sparse.seconds[0, late], said, color=colours[way], lw=1.5, label=f"LTC, {way}")
left.set(xlabel="s", ylabel="place")
left.legend(fontsize=9, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1), title="a recording of the test")
for title, own in errors.items():
    style = {"color": colours.get(title, "k"), "ls": "-" if title in colours else "--"}
    right.plot(1000 * np.array(list(tests)), 100 * np.array(own), marker="o", **style, label=title)
right.set(xscale="log", xlabel="mean time between samples, ms", ylabel="error, %", ylim=(0, None))
right.set_xticks([1000 * mean for mean in tests], [f"{1000 * mean:.0f}" for mean in tests])
right.minorticks_off()
right.legend(fontsize=9, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1))
worked.picture(figure, options, "use_elapsed_time")

# %% [markdown]
# ## What to take home
#
# Without the times the network is lost, whatever its size: the same forces at other times move the mass to other
# places. Given as an input they help a little more where samples come as often as in training, and as `dt` where they
# come more often. `dt` by itself holds the newest input for the whole interval, which is right for switches and orders,
# but only roughly right for a force that changes gradually, and the more so the longer the interval. With both, the
# network can correct for that: so where you have irregular data, give `dt`, and try it as an input too. Where samples
# are so rare that the force changes much in between, no method sees what it does, and all are nearly as bad as the
# straight lines.
#
# `python examples/irregular_sampling.py` repeats this with more seeds, and with CfC and GRU: [its
# results](../docs/results.md#irregular-sampling).
