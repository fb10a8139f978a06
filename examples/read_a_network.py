# %% [markdown]
# # Reading a network of 19 neurons: which neuron does what?
#
# A thermostat with a dead band is the smallest controller that needs a memory: between "too cold" and "too warm" the
# heating stays as it was. Nineteen neurons learn it from recordings. Then we open the network: `Model.trace` shows
# every neuron at work, lesions tell which ones it cannot do without, and exact gradients what its answer depends on.

# %%
import matplotlib.pyplot as plt
import numpy as np
import thermostat
import worked
from thermostat import BAND, record, right

from ltc_np import LTC, Adam, AutoNCP, CosineDecay, Model, analysis

options = worked.options("Reading a network of 19 neurons: trace, lesions, saliency.")
EPOCHS, SEEDS = (15, 1) if options.quick else (150, 3)
BATCH, RATE = 16, 0.02

# %% [markdown]
# ## The task
#
# The network sees the temperature and the wanted temperature, at irregular times, about once a minute, and says at each
# of them whether the heating is on. Outside of the dead band the two temperatures decide; inside only the past does.

# %%
known, choosing, test = (record(n, 100, seed) for n, seed in ((200, 0), (100, 1), (200, 2)))
band = test.in_band()
switches = np.abs(np.diff(known.on, axis=1)).sum() / len(known.on)
print(f"{len(known.on)} recordings of {known.on.shape[1]} samples, {switches:.1f} switches in each")
print(f"{100 * band.mean():.0f} % of the samples lie in the dead band")

# %% [markdown]
# ## Baselines that could win
#
# Who only compares the two temperatures is right outside of the band and tosses a coin inside. Ridge regression on the
# last 32 samples may find in them how it came into the band.

# %%
present = test.x[:, :, 1:] - test.x[:, :, :1]
linear = thermostat.linear(known, test.x)

# %% [markdown]
# ## The network
#
# `AutoNCP(19, 1)` has three layers of neurons: inter neurons, which read the inputs, command neurons, which also hear
# each other, and one motor neuron, whose potential is the answer. Its time constants begin between a third of a minute
# and ten minutes. Of a few seeds, others' recordings choose one.


# %%
def trained(seed):
    cell = LTC(AutoNCP(19, 1, sparsity_level=0.4), init={"time_constants": (0.3, 10)})
    model = Model(cell, input_dim=2, seed=seed)
    model.fit(
        known.x,
        known.on,
        dt=known.dt,
        epochs=EPOCHS,
        batch_size=BATCH,
        optimizer=Adam(CosineDecay(RATE, EPOCHS * -(-len(known.x) // BATCH))),
        loss="binary_cross_entropy",
        clip_norm=1.0,
        seed=seed,
        verbose=False,
    )
    return model


models = [trained(seed) for seed in range(SEEDS)]
model = max(models, key=lambda model: right(model(choosing.x, dt=choosing.dt), choosing))
logits = model(test.x, dt=test.dt)

print(f"{'right, in %':<28} {'all':>6} {'in the band':>12}")
for title, found in (("the present temperatures", present), ("ridge, 32 samples", linear), ("19 neurons", logits)):
    print(f"{title:<28} {right(found, test):>6.1f} {right(found, test, band):>12.1f}")
others = ", ".join(f"{right(one(test.x, dt=test.dt), test):.1f}" for one in models)
print(f"all seeds of the network: {others}")

# %% [markdown]
# ## What every neuron follows
#
# A trace holds the potential of every neuron at every step, and its time constant: of an LTC this is cm / Q, short
# where its synapses are open and long where they are shut. Which of three things does each potential follow, the
# temperature, the wanted temperature or their difference? How long is its time constant outside of the band, and how
# long inside?

# %%
trace = model.trace(test.x, test.dt)
potentials, tau = trace.layers[0].state, trace["tau"]
quantities = {
    "temperature": test.x[:, :, 0],
    "wanted": test.x[:, :, 1],
    "difference": test.x[:, :, 0] - test.x[:, :, 1],
}


def correlation(a, b):
    """Of two arrays; 0 where one of them does not change."""
    a, b = a - a.mean(), b - b.mean()
    size = np.sqrt((a**2).mean() * (b**2).mean())
    return (a * b).mean() / size if size > 1e-12 else 0.0


follows = {name: [correlation(potentials[:, :, k], values) for k in range(19)] for name, values in quantities.items()}
tau_inside, tau_outside = (np.median(tau[where], axis=0) for where in (band, ~band))
kinds = {neuron: name for name, members in model.wiring.layers for neuron in members}

# %% [markdown]
# ## Which neuron remembers
#
# Two rooms: one was too cold for ten minutes, the other too warm. From then on both have the wanted temperature. After
# twenty minutes of the same inputs only what a neuron remembers can tell them apart: the difference of its potentials,
# in standard deviations of what it does in the test.

# %%
held = np.zeros((2, 70, 2))
held[0, :10, 0], held[1, :10, 0] = -1, 1
rooms = model.trace(held, 1.0)
apart = np.abs(rooms.layers[0].state[0] - rooms.layers[0].state[1]) / potentials.std(axis=(0, 1))
remembers = apart[29]
cold, warm = rooms.y[:, :, 0]
kept = (cold[10:] > 0) & (warm[10:] < 0)
minutes_kept = 60 if kept.all() else int(kept.argmin())
print(f"the answers are right for {minutes_kept} of 60 minutes in which nothing happens")

# %% [markdown]
# ## What is lost without it
#
# `lesion` makes a copy of the network in which nobody hears a neuron. How often is it still right, in the band? And how
# much does its loss grow? `lesion_study` measures that for each neuron.

# %%
study = analysis.lesion_study(model, test.x, test.on, dt=test.dt)
without = [right(analysis.lesion(model, neurons=k)(test.x, dt=test.dt), test, band) for k in range(19)]
order = np.argsort(-study.losses)

print(f"intact: loss {study.intact:.3f}, {right(logits, test, band):.1f} % right in the band")
print("                                     after   time constant, min     without it")
print("neuron layer    follows most        20 min   outside    inside   loss  right in band")
for k in order:
    best = max(follows, key=lambda name: abs(follows[name][k]))
    told = f"{best} {follows[best][k]:+.2f}"
    row = f"{k:>6} {kinds[k]:<8} {told:<18} {remembers[k]:>7.2f} {tau_outside[k]:>9.2f} {tau_inside[k]:>9.2f}"
    print(f"{row} {study.losses[k]:>6.2f} {without[k]:>14.1f}")

memory = int(remembers.argmax())
needed = [int(k) for k in order if without[k] < right(logits, test, band) - 10]
print(f"neuron {memory} ({kinds[memory]}) remembers most: its time constant is")
print(f"{tau_outside[memory]:.2g} minutes outside of the band and {tau_inside[memory]:.2g} inside")
alone = analysis.lesion(model, neurons=[k for k in range(19) if k not in needed])
print(f"{len(needed)} of 19 neurons are needed: {', '.join(map(str, needed))}")
print(f"without all others at once {right(alone(test.x, dt=test.dt), test, band):.1f} % are right in the band")

# %% [markdown]
# After the full training the motor neuron itself is the memory, and it is a liquid one. Outside of the band two command
# neurons open its synapses: its time constant is a quarter of a minute, and it is pulled to one side or the other.
# Inside the band they are shut, nothing but a small leak moves it, and its time constant is half an hour. So the answer
# fades in the end: a thermostat that nobody disturbs for hours would forget. Four inter neurons compare the two
# temperatures. The other twelve, all together, are worth less than three percent. (On a machine that rounds otherwise
# the numbers of the neurons may be others.)

# %% [markdown]
# ## What an answer depends on
#
# One recording, and one answer in the dead band. `saliency` is the exact derivative of this answer with respect to
# every input of every step before: when was it decided? And `gradient_by_lag` says how much of a change of the state is
# left after a while in which nothing happens.

# %%
count = np.cumsum(band, axis=1)
inside = count - np.maximum.accumulate(np.where(band, 0, count), axis=1)  # samples since the band was entered
known_there = band & ((logits > 0) == (test.on > 0.5))[:, :, 0]
known_there[:, :40] = False
chosen, step = map(int, np.unravel_index(np.where(known_there, np.minimum(inside, 12), 0).argmax(), band.shape))
gradient = analysis.saliency(model, test.x[chosen], test.dt[chosen], step=step)
size = np.abs(gradient).sum(axis=1)
entered = step - inside[chosen, step] + 1
near = slice(max(entered - 2, 0), entered + 2)
print(f"recording {chosen}, step {step}: the band was entered {step - entered} steps before")
print(f"{100 * size[near].sum() / size.sum():.0f} % of the saliency lies within two steps of that")
by_lag = analysis.gradient_by_lag(model, held[0], 1.0, of="state")
left = ", ".join(f"{by_lag[k]:.2g}" for k in (10, 30, 59))
print(f"of a change of the state is left, after 10, 30 and 59 minutes: {left}")

# %% [markdown]
# ## The picture
#
# Above, the recording: the temperature, the dead band around the wanted one, and when the network has the heating on.
# Then the neuron that remembers, its time constant, and the saliency of the answer at the dashed line. Below, all
# neurons: how well they remember, and what is lost without them.

# %%
figure, axes = plt.subplots(5, 1, figsize=(9, 11), layout="constrained", height_ratios=[1.3, 0.9, 0.9, 0.9, 1.1])
top, middle, liquid, salient, below = axes
minutes = np.cumsum(test.dt[chosen])
room, wanted = test.x[chosen].T

top.fill_between(minutes, wanted - BAND, wanted + BAND, step="post", color="#d9d9d9", label="dead band")
top.plot(minutes, room, color="black", lw=1.4, label="temperature")
on = logits[chosen, :, 0] > 0
bar = {"step": "post", "transform": top.get_xaxis_transform(), "color": "#d55e00"}
top.fill_between(minutes, 0, 0.06, where=on, label="network: heating on", **bar)
top.set(title="A recording of the test", ylabel="degrees from mean")
middle.plot(minutes, potentials[chosen, :, memory], color="#0072b2", lw=1.4)
middle.axhline(0, color="gray", lw=0.8)
middle.set(title=f"Neuron {memory} ({kinds[memory]}), which remembers", ylabel="potential")
liquid.plot(minutes, tau[chosen, :, memory], color="#0072b2", lw=1.4)
liquid.set(title="Its time constant: long in the band, short outside", ylabel="minutes", yscale="log")
salient.bar(minutes - 0.2, gradient[:, 0], 0.4, color="black", label="temperature", zorder=2)
salient.bar(minutes + 0.2, gradient[:, 1], 0.4, color="#e69f00", label="wanted temperature", zorder=2)
salient.set(title="Saliency: what the answer at the dashed line depends on", ylabel="d answer / d input")
salient.set_xlabel("minutes")
for ax in (top, middle, liquid, salient):
    ax.axvline(minutes[step], color="black", ls="--", lw=1)
    ax.set_xlim(minutes[0], minutes[-1])
    edges = np.flatnonzero(np.diff(np.r_[0, band[chosen], 0]))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        if ax is not top:
            ax.axvspan(minutes[first], minutes[min(last, minutes.size - 1)], color="#eeeeee", lw=0, zorder=0)
top.set_ylim(None, top.get_ylim()[1] + 0.35 * np.ptp(top.get_ylim()))

places = np.arange(19)
more = np.maximum(study.losses - study.intact, 0)
below.bar(places - 0.2, remembers[order] / remembers.max(), 0.4, color="#0072b2", label="remembers after 20 minutes")
below.bar(places + 0.2, more[order] / more.max(), 0.4, color="#d55e00", label="loss without it")
below.set_xticks(places, [f"{k}\n{kinds[k][0]}" for k in order])
below.set(title="All neurons, by what is lost without them", xlabel="i inter, c command, m motor neuron")
below.set_ylabel("of the largest")
for ax, columns in ((top, 3), (salient, 2), (below, 1)):
    ax.legend(fontsize=10, loc="upper right" if ax is below else "upper left", ncols=columns)
worked.picture(figure, options, "read_a_network")
