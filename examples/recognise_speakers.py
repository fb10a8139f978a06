# %% [markdown]
# # Classifying sequences of unequal length: who speaks?
#
# Nine men have each said the Japanese vowels /ae/ several times. A recording is a sequence of 7 to 29 steps; at each
# step twelve numbers, cepstral coefficients, describe the sound. Which of the nine has spoken? A network reads the
# sequences as they are, without padding by hand. Beside it stand two classifiers that need no network.

# %%
import data_files
import japanese_vowels
import matplotlib.pyplot as plt
import numpy as np
import worked

from ltc_np import AdamW, Bidirectional, CfC, CosineDecay, Dense, Dropout, Model, Standardize

files = ("TRAIN", "JapaneseVowels_TRAIN.ts"), ("TEST", "JapaneseVowels_TEST.ts")
options = worked.options("Japanese vowels: a CfC against two classifiers without a network.", *files)

# %% [markdown]
# ## The data
#
# They are part of the archive of time series, and packages such as sktime bring them along. 270 recordings are for
# training and 370 are the test. A list of arrays of different lengths is all that the model needs.

# %%
with worked.one_line(options):
    (x, y), (test_x, test_y) = map(japanese_vowels.read, data_files.chosen(options.files, *data_files.VOWELS))
lengths = [len(one) for one in x]
print(f"{len(x)} recordings of {min(lengths)} to {max(lengths)} steps for training, {len(test_x)} for the test")

# %% [markdown]
# ## Two baselines
#
# **Ridge regression** on 48 numbers of each recording: mean, spread, first and last value of each coefficient. Its
# penalty is chosen by five-fold cross-validation in the training set.
#
# **A Gaussian for each speaker**: all steps of a speaker, whatever their order, are described by a mean and a
# covariance; a recording belongs to the speaker under whom its steps are most likely.


# %%
def gaussian(x, y, asked):
    """Mean log-likelihood of the steps of each recording under each speaker, (n, 9)."""
    found = np.empty((len(asked), 9))
    for speaker in range(9):
        steps = np.concatenate([one for one, own in zip(x, y, strict=True) if own == speaker]).astype(float)
        mean, covariance = steps.mean(axis=0), np.cov(steps.T)
        precision, size = np.linalg.inv(covariance), np.linalg.slogdet(covariance)[1]
        for n, one in enumerate(asked):
            off = one - mean
            found[n, speaker] = -((off @ precision * off).sum(axis=1).mean() + size) / 2
    return found


penalty, _ = japanese_vowels.chosen_penalty(x, y)
scores = {
    "ridge regression": japanese_vowels.ridge(x, y, test_x, penalty),
    "Gaussians": gaussian(x, y, test_x),
}

# %% [markdown]
# ## The network
#
# `Standardize` takes the scale of the twelve coefficients from the training data. A closed-form continuous-time layer
# (CfC) reads each recording forwards and, in `Bidirectional`, backwards too. There are only thirty recordings of each
# speaker, so half of the features are dropped at random in training.
#
# Every step is taught: its class is the speaker of the recording. The answer for a recording is the class with the
# largest mean log probability over its steps. That gives some 4,000 lessons in the place of 270.

# %%
epochs = 8 if options.quick else 60
layers = Standardize(), Dropout(0.1), Bidirectional(CfC(64)), Dropout(0.5), Dense(9)
model = Model(*layers, input_dim=12, seed=0)
history = model.fit(
    x,
    [np.full(len(one), speaker) for one, speaker in zip(x, y, strict=True)],
    epochs=epochs,
    batch_size=32,
    optimizer=AdamW(CosineDecay(0.005, epochs * -(-len(x) // 32)), weight_decay=0.01),
    loss="cross_entropy",
    clip_norm=1.0,
    standardize=True,
    seed=0,
    verbose=0,
)
scores["CfC"] = np.array([np.log(p + 1e-12).mean(axis=0) for p in model.predict_proba(test_x)])

# %% [markdown]
# ## Who is right?

# %%
for title, own in scores.items():
    wrong = int((own.argmax(axis=1) != test_y).sum())
    print(f"{title:16}  {100 * (1 - wrong / test_y.size):5.1f} % right, {wrong} of {test_y.size} wrong")

# %% [markdown]
# The picture shows the recording that the network is least sure of, step by step, and how often it takes one speaker
# for another. It has seen the whole recording, in both directions, when it answers for a step.

# %%
best, second = np.sort(scores["CfC"], axis=1)[:, [-1, -2]].T
hardest = int(np.argmin(best - second))
probability = model.predict_proba(test_x[hardest : hardest + 1])[0]
confused = np.zeros((9, 9), int)
np.add.at(confused, (test_y, scores["CfC"].argmax(axis=1)), 1)

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained", width_ratios=(1.5, 1))
image = left.imshow(probability.T, aspect="auto", cmap="Blues", vmin=0, vmax=1, origin="lower")
left.set(xlabel="step", ylabel="speaker", yticks=range(9), yticklabels=range(1, 10))
left.set_title(f"the least certain of the test, by speaker {test_y[hardest] + 1}", fontsize=10)
figure.colorbar(image, ax=left, label="probability")
right.imshow(np.sqrt(confused), cmap="Blues", origin="lower")
for (true, said), count in np.ndenumerate(confused):
    if count:
        colour = "white" if count > 20 else "black"
        right.text(said, true, count, ha="center", va="center", fontsize=8, color=colour)
right.set(xlabel="speaker, said by the CfC", ylabel="speaker", xticks=range(9), yticks=range(9))
right.set(xticklabels=range(1, 10), yticklabels=range(1, 10))
right.set_title("recordings of the test", fontsize=10)
worked.picture(figure, options, "recognise_speakers")

# %% [markdown]
# ## What to take home
#
# All three are nearly perfect here, and a difference of one or two recordings in 370 says nothing. Where a few
# statistics of a sequence tell the classes apart, they are the better choice: they learn in milliseconds. A network
# earns its keep where the order of the steps matters. What carries over to your own data is the form: lists of arrays,
# `Standardize`, one class for every step, dropout, and a baseline beside it.
#
# `python examples/japanese_vowels.py` compares eight models by cross-validation and reads the test set with three
# seeds: [its results](../docs/results.md#japanese-vowels).
