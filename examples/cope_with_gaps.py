# %% [markdown]
# # Missing values: a power meter that fails at times
#
# How much electricity will be used in the next three hours? The meter that should tell us fails now and then, for some
# hours at a time. So inputs are missing, and targets are missing too: what was not measured cannot be taught. This
# example shows two ways with missing inputs, one with missing targets, and three baselines of which one is strong.

# %%
import demand
import matplotlib.pyplot as plt
import missing_hours
import numpy as np
import worked

from ltc_np import LTC, AdamW, CfC, CosineDecay, Dense, Dropout, FullyConnected, Model, dt_from_times
from ltc_np.data import forward_fill

files = ("TRAIN", "ItalyPowerDemand_TRAIN.ts"), ("TEST", "ItalyPowerDemand_TEST.ts")
options = worked.options("Missing values: electricity demand from a meter that fails at times.", *files)

# %% [markdown]
# ## The data
#
# ItalyPowerDemand of the archive of time series has 1,096 days of 24 hours; packages such as sktime bring it along.
# Each day has been normalised to mean 0 and spread 1. Nothing is missing there, and that is why it suits us: we let a
# meter fail at random, hide what it would have lost from everybody, and still know the truth when we judge.

# %%
with worked.one_line(options):
    known, validation, test = missing_hours.read_days(options.files)
lost = np.isnan(known.seen)
print(f"{len(known.seen)} days for training, {len(validation.seen)} for validation, {len(test.seen)} for the test")
print(f"{100 * lost.mean():.0f} % of the hours are missing")

# %% [markdown]
# ## Baselines
#
# The last value seen; the mean of all days at this hour; and ridge regression, one for each hour of the day and each
# hour ahead, on the last value at every hour so far and whether it was new. Its penalty is chosen by the validation.

# %%
forecasts = {
    "the last value": demand.last_value(test),
    "the mean day": demand.mean_day(known, test),
    "ridge regression": demand.linear(known, test, demand.chosen_penalty(known, validation)),
}

# %% [markdown]
# ## Missing targets
#
# For each hour there are three targets: the demand one, two and three hours later. Some of them are lost, and at the
# end of a day there are none. They are NaN, and `missing="ignore"` gives them no weight; the others of the same hour
# count.

# %%
targets = demand.ahead(known.seen)
print(f"{100 * np.isnan(targets).mean():.0f} % of the targets are NaN")

# %% [markdown]
# ## Missing inputs, the first way: fill in, and say so
#
# `forward_fill` repeats the last value, and tells with it whether it is new and how old it is. Together with the hour
# of the day, as a point on a circle, these are five features at each of 24 steps.


# %%
def filled(days):
    values, is_new, age = forward_fill(days.seen[:, :, None])
    clock = np.broadcast_to(missing_hours.clock(), (len(values), 24, 2))
    return np.concatenate([values, is_new, age, clock], axis=2)


epochs = 8 if options.quick else 80
steps = epochs * -(-len(known.seen) // 16)
common = {"epochs": epochs, "batch_size": 16, "missing": "ignore", "clip_norm": 1.0, "seed": 0, "verbose": 0}

cfc = Model(CfC(32), Dropout(0.1), Dense(3), input_dim=5, seed=0)
cfc.fit(
    filled(known),
    targets,
    validation=(filled(validation), demand.ahead(validation.seen)),
    optimizer=AdamW(CosineDecay(0.005, steps), weight_decay=0.01),
    **common,
)
forecasts["CfC, filled in"] = cfc(filled(test))

# %% [markdown]
# ## Missing inputs, the second way: leave out, and say how much time has passed
#
# A network with a notion of time needs no values that nobody has measured. Each day becomes a sequence of the hours
# that were seen, of its own length, and `dt` is the time since the one before.


# %%
def left_out(days):
    hours = [np.flatnonzero(~np.isnan(seen)) for seen in days.seen]
    x = [np.c_[seen[own], missing_hours.clock()[own]] for seen, own in zip(days.seen, hours, strict=True)]
    return {"x": x, "dt": [dt_from_times(own, t0=-1) for own in hours]}


def targets_left(days):
    return [later[~np.isnan(seen)] for later, seen in zip(demand.ahead(days.seen), days.seen, strict=True)]


ltc = Model(LTC(FullyConnected(32)), Dropout(0.1), Dense(3), input_dim=3, seed=0)
ltc.fit(
    **left_out(known),
    y=targets_left(known),
    validation={**left_out(validation), "y": targets_left(validation)},
    optimizer=AdamW(CosineDecay(0.02, steps), weight_decay=0.01),
    **common,
)
forecasts["LTC, left out, dt"] = np.full((*test.seen.shape, 3), np.nan)
forecasts["LTC, left out, dt"][~np.isnan(test.seen)] = np.concatenate(ltc.predict(**left_out(test)))

# %% [markdown]
# ## Who is right?
#
# A forecast is made whenever the meter shows a value. It is judged by the truth, also where the meter has lost it. The
# unit is the spread of a day.

# %%
errors = {title: demand.errors(forecast, test) for title, forecast in forecasts.items()}
print(f"{'root mean square error':24}  1 hour  2 hours  3 hours ahead")
for title, (one, two, three) in errors.items():
    print(f"{title:24}{one:8.3f}{two:9.3f}{three:9.3f}")

# %%
day = int(np.argmax(np.isnan(test.seen[:, 8:20]).sum(axis=1) == 6))  # six hours of the daytime are lost
hours = np.arange(24)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained", width_ratios=(1.5, 1))
left.plot(hours, test.true[day], color="0.6", lw=1.5, label="truth")
left.plot(hours, test.seen[day], "ko", ms=5, label="what the meter shows")
for colour, title in (("#d55e00", "ridge regression"), ("#0072b2", "CfC, filled in")):
    for hour in np.flatnonzero(~np.isnan(test.seen[day]))[::2]:
        ahead = np.r_[test.seen[day, hour], forecasts[title][day, hour]][: 24 - hour]
        left.plot(hour + np.arange(len(ahead)), ahead, color=colour, lw=1.3, label=title if hour == 0 else None)
left.set(xlabel="hour", ylabel="demand, in spreads of a day", title="one day of the test, three hours ahead")
left.legend(fontsize=9)
for k, (title, own) in enumerate(errors.items()):
    colour = "#0072b2" if title[:3] in ("CfC", "LTC") else "#d55e00" if title == "ridge regression" else "0.6"
    right.barh(k, own.mean(), color=colour)
    right.annotate(f"{own.mean():.2f}", (own.mean(), k), xytext=(3, 0), textcoords="offset points", va="center")
right.set_yticks(range(len(errors)), list(errors))
right.set(xlabel="error, mean of the three hours", xlim=(0, 1.15 * max(own.mean() for own in errors.values())))
right.invert_yaxis()
worked.picture(figure, options, "cope_with_gaps")

# %% [markdown]
# ## What to take home
#
# Missing targets need one word, `missing="ignore"`. For missing inputs try both ways: filling in keeps sequences
# equally long, and lets every kind of network learn from the age of a value; leaving out gives the network nothing that
# is made up, and works for sequences in which hardly anything is seen. Always have the ridge regression beside it: on
# days as regular as these it is far ahead of guessing, and not far behind the networks.
#
# `python examples/missing_hours.py` repeats this with three seeds, and for more cells: [its
# results](../docs/results.md#missing-hours).
