# %% [markdown]
# # A controller that has learnt: balance a pole
#
# A cart carries a pole that would fall, and a motor pushes the cart. An expert, a linear-quadratic regulator, balances
# it: it knows place and angle and both of their speeds. Nineteen neurons shall do the same with less: they see place
# and angle only, at times that are partly random, and have to find the speeds themselves, from what they saw and how
# long ago that was. So they need a memory and a notion of time.

# %%
import cart_pole
import matplotlib.pyplot as plt
import numpy as np
import pendulum
import worked

from ltc_np import LTCRNN, Adam, AutoNCP

options = worked.options("Nineteen neurons balance a pole on a cart.")
rng = np.random.default_rng(0)

# %% [markdown]
# ## The task
#
# A test is 100 starts with the pole up to ten degrees off, and ten seconds for each. It counts if the pole never falls,
# the cart never leaves its track, and in the second half the pole is upright within three degrees. Samples come every
# 20 milliseconds on average, some after 5, some after 100. A second test has 50 milliseconds between samples on
# average.

# %%
tried = 20 if options.quick else 100
test, slow_test = (cart_pole.test_of(tried, seed=1, mean=mean) for mean in (0.02, 0.05))


def share(driver, test, told=True):
    """How many of the starts stay upright, in percent."""
    return 100 * cart_pole.upright(cart_pole.drive(driver, *test, told=told)).mean()


class Nobody:
    """Never pushes."""

    def step(self, x, dt, state):
        return np.zeros((len(x), 1)), state


print(f"nobody {share(Nobody(), test):.0f} %, the expert {share(None, test):.0f} %")

# %% [markdown]
# ## A baseline that could win
#
# Speeds are differences: the last two samples say how far cart and pole have moved, and the time between says how fast.
# A linear controller on the present sample and on these two differences is fitted to what the expert did in the same
# drives, by least squares. It is as much as one writes in ten minutes.


# %%
class Differences:
    """A linear controller: place, angle, and their differences divided by the elapsed time."""

    def __init__(self, lessons):
        moved = np.diff(lessons.x, axis=1) / lessons.dt[:, 1:, None]
        seen = np.arange(1, lessons.x.shape[1]) < lessons.lengths[:, None]
        inputs, wanted = np.concatenate([lessons.x[:, 1:], moved], axis=2), lessons.wanted[:, 1:]
        self.weights = np.linalg.lstsq(inputs[seen], wanted[seen], rcond=None)[0]

    def step(self, x, dt, state):
        moved = np.zeros_like(x) if state is None else (x - state) / np.reshape(dt, (-1, 1))
        return np.concatenate([x, moved], axis=1) @ self.weights[:, None], x


# %% [markdown]
# ## The network and its lessons
#
# `AutoNCP(19, 1)` wires twelve inter neurons, six command neurons and a motor neuron as in the nematode's nervous
# system.
#
# Imitating the expert is not enough. Whoever has only seen perfect drives does not know what to do after an error of
# his own. So the network drives itself after every round, the expert says what would have been right, and the next
# round learns from that too (DAgger).

# %%
rounds, epochs = (3, 10) if options.quick else (12, 40)
model = LTCRNN(AutoNCP(19, 1), input_dim=2, seed=0)
choosing = cart_pole.test_of(tried, seed=2)  # other starts choose the round


def lesson(driver, n):
    """Drives with samples at random times, while a hand pushes the cart now and then."""
    means = np.exp(rng.uniform(*np.log(pendulum.MEANS), (n, 1)))
    times, pushes = cart_pole.times(n, 250, means, rng), cart_pole.pushes(n, 250, 5.0, rng)
    return cart_pole.drive(driver, cart_pole.starts(n, rng), times, pushes)


lessons, curve, best = [lesson(None, 32)], [], None
differences = Differences(lessons[0])
for k in range(rounds):
    known = cart_pole.Drive(*(np.concatenate(parts) for parts in zip(*lessons, strict=True)))
    model.fit(
        known.x,
        known.wanted[:, :, None],
        dt=known.dt,
        lengths=known.lengths,
        epochs=epochs,
        batch_size=16,
        optimizer=Adam(0.01 * (1 - k / rounds) ** 0.5),
        clip_norm=1.0,
        seed=k,
        verbose=0,
    )
    curve.append(100 * cart_pole.upright(cart_pole.drive(model, *choosing)).mean())
    if curve[-1] == max(curve):
        best = model.theta.copy()
    lessons.append(lesson(model, 16))
model.theta = best

# %% [markdown]
# ## Who balances it?
#
# The last row is the same network with a lie: it is told that all samples are 20 milliseconds apart.

# %%
drivers = {"the expert": (None, True), "differences": (differences, True), "LTC": (model, True)}
drivers["LTC, not told the time"] = model, False
shares = {title: [share(driver, own, told) for own in (test, slow_test)] for title, (driver, told) in drivers.items()}
print(f"{'upright, of ' + str(tried) + ' starts':24}   20 ms   50 ms")
for title, own in shares.items():
    print(f"{title:24}" + "".join(f"{value:6.0f} %" for value in own))

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
driven = cart_pole.drive(model, *test)
for seconds, states in zip(driven.seconds, driven.states, strict=True):
    left.plot(np.cumsum(seconds), np.degrees(states[:, 2]), color="#0072b2", lw=0.6, alpha=0.5)
left.set(xlim=(0, 5), ylim=(-36, 36), xlabel="s", ylabel="angle, degrees", title=f"the LTC, {tried} starts")
right.plot(np.arange(rounds) + 1, curve, "o-", color="#0072b2", label="LTC")
right.axhline(shares["differences"][0], color="#d55e00", ls="--", lw=1.5, label="differences")
right.xaxis.get_major_locator().set_params(integer=True)
right.set(xlabel="rounds", ylabel="% of the starts upright", title="learning", ylim=(-3, 103))
right.legend()
worked.picture(figure, options, "balance_a_pole")

# %% [markdown]
# ## What to take home
#
# A handful of neurons suffices for control if they have a memory and know the time, and if the lessons contain their
# own errors. But look at the baseline: where samples are as clean as here, speeds are differences, and four numbers
# balance every start, however far apart the samples are. Nobody needs a network for this pole. It shows how one is
# taught, for plants of which nobody can write down what to measure.
#
# `python examples/pendulum.py` trains longer, with two seeds and a network that never knew the time, closes the loop in
# C on an emulated microcontroller, and is what [the page with the live network](../docs/live.md) shows: [its
# results](../docs/results.md#a-pendulum-balanced).
