"""What a loss is, in words: the same in every process, others for another loss, never an address."""

from functools import partial

import numpy as np
import pytest
from support.processes import python

from ltc_np import losses
from ltc_np.losses import identity
from ltc_np.losses.own import OwnLoss

SOURCE = """
from functools import partial
import numpy as np
from ltc_np import losses
from ltc_np.losses import identity

def own(y, target, scale=1.0):
    return scale * float(np.mean((y - target) ** 2)), 2 * scale * (y - target) / y.size

def scaled(scale, power=2):
    base = lambda d: d**power
    return lambda y, target: (float(np.mean(base(y - target) * scale)), y - target)

def again(y, target, depth=3):
    inner = lambda d, e: inner(d, e) if depth else d
    return inner

class Quantile:
    def __init__(self, q):
        self.q, self.seen = q, []

    def __call__(self, y, target):
        return float(self.q), y

    def twice(self, y, target):
        return 2 * float(self.q), y

LOSSES = {
    "mse": losses.mse,
    "huber": losses.huber,
    "huber 0.1": partial(losses.huber, delta=0.1),
    "huber 0.2": partial(losses.huber, delta=0.2),
    "quantiles": partial(losses.quantile, quantiles=(0.1, 0.9)),
    "quantiles 0.2": partial(losses.quantile, quantiles=(0.2, 0.9)),
    "own": own,
    "own scaled": partial(own, scale=2.0),
    "own scaled more": partial(own, scale=3.0),
    "lambda": lambda y, target: (float(np.abs(y - target).sum()), np.sign(y - target)),
    "another lambda": lambda y, target: (float(np.abs(y - target).mean()), np.sign(y - target) / y.size),
    "another number": lambda y, target: (float(np.abs(y - target).mean()), np.sign(y - target) / 2),
    "minus": lambda y, target: (y - target, y),
    "plus": lambda y, target: (y + target, y),
    "plus 2": lambda y, target: (y + 2, y),
    "plus 3": lambda y, target: (y + 3, y),
    "set": lambda y, target: (float(y.sum() in {"a", "b", "c", "d"}), y),
    "closure 1": scaled(1.0),
    "closure 2": scaled(2.0),
    "closure array": scaled(np.array([1.0, 2.0])),
    "another array": scaled(np.array([1.0, 3.0])),
    "number of NumPy": scaled(np.float32(1.0)),
    "closure of a closure": scaled(1.0, 4),
    "in itself": again(None, None),
    "object": Quantile(0.1),
    "another object": Quantile(0.9),
    "method": Quantile(0.1).twice,
    "another method": Quantile(0.9).twice,
    "builtin": max,
}
WORDS = {name: identity(losses.get(loss)) for name, loss in LOSSES.items()}
"""
HERE = {"__name__": "__main__"}
exec(SOURCE, HERE)


@pytest.mark.slow
def test_another_process_says_the_same():
    """With other addresses and another order of sets."""
    for hashing in ("1", "2"):
        found = python(SOURCE + "\nprint(WORDS)", PYTHONHASHSEED=hashing).stdout
        assert found.strip() == str(HERE["WORDS"])


def test_another_loss_has_other_words():
    words = list(HERE["WORDS"].values())
    assert len(set(words)) == len(words)
    assert not [w for w in words if "0x" in w]


def test_the_library_s_losses_are_called_by_their_names():
    for name in losses.LOSSES:
        assert identity(losses.get(name)) == name
    assert HERE["WORDS"]["huber 0.1"] == "huber(delta=0.1)"
    assert identity(partial(losses.mse)) == "mse"
    assert HERE["WORDS"]["lambda"].startswith("__main__.<lambda>#")


@pytest.mark.parametrize("name", ["own", "closure 1", "object", "lambda"])
def test_the_same_loss_made_again_has_the_same_words(name):
    again = {"__name__": "__main__"}
    exec("\n\n" + SOURCE, again)  # other lines, other objects
    assert again["LOSSES"][name] is not HERE["LOSSES"][name]
    assert again["WORDS"][name] == HERE["WORDS"][name]


def test_what_changes_from_call_to_call_does_not_count():
    seen, model = [], np.zeros(3)

    def logs(y, target):
        seen.append(1)
        return float(model.sum()), y

    before = identity(OwnLoss(logs))
    seen.append(3)
    assert identity(OwnLoss(logs)) == before
    model[0] = 1
    assert identity(OwnLoss(logs)) != before
    loss = HERE["LOSSES"]["object"]
    before = identity(losses.get(loss))
    loss.seen.append(3)
    assert identity(losses.get(loss)) == before


@pytest.mark.numba
def test_a_compiled_function_is_its_source():
    import numba

    def own(y, target):
        return 0.0, y

    assert identity(losses.get(numba.njit(own))).split("#")[1] == identity(losses.get(own)).split("#")[1]
