"""What follows from the arguments of a constructor: config, repr, equality."""

import copy
import inspect
import pickle

import numpy as np
import pytest

from ltc_np import GRU, LTC, AutoNCP, Bidirectional, Dense, Dropout, InputMapping, Layer, MixedMemory, Residual
from ltc_np.base.from_arguments import FromArguments, Immutable, same
from ltc_np.cells.base import TRAITS, combine


class Plain(Immutable):
    def __init__(self, first, second=2, *, third="c"):
        self.first, self.second, self.third = first, second, third


class Onward(Plain):
    def __init__(self, *args, fourth=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.fourth = fourth


class Named(Plain):
    def __init__(self, zeroth, **kwargs):
        super().__init__(**kwargs)
        self.zeroth = zeroth


class Many(FromArguments):
    def __init__(self, *parts, scale=1.0):
        self.parts, self.scale = parts, scale


class Silent(Immutable):
    def __init__(self, size):
        self.length = size


class Follows(FromArguments):
    def __init__(self, size, half=None):
        self.size, self.half = size, size // 2 if half is None else half

    def defaults(self):
        return {"half": self.size // 2}


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (Plain(1), "Plain(1)"),
        (Plain(1, 2, third="d"), "Plain(1, third='d')"),
        (Plain(np.array(3.0), [4]), "Plain(3.0, second=[4])"),
        (Plain({"a": np.zeros((2, 3))}), "Plain({'a': <array of shape (2, 3)>})"),
        (Onward(1, second=5, fourth=4), "Onward(1, fourth=4, second=5)"),
        (Named(0, first=1), "Named(0, first=1)"),
        (Many(), "Many()"),
        (Many(1, "b", scale=2.0), "Many(1, 'b', scale=2.0)"),
        (Follows(4), "Follows(4)"),
        (Follows(4, 3), "Follows(4, half=3)"),
        (Silent(3), "Silent(...)"),
        (Dense(2, input_dim=3), "Dense(2, input_dim=3)"),
        (Dense(2, "tanh", input_dim=3), "Dense(2, activation='tanh', input_dim=3)"),
        (Dropout(0.5, input_dim=4), "Dropout(0.5, input_dim=4)"),
        (InputMapping(None, input_dim=3), "InputMapping(mapping=None, input_dim=3)"),
        (GRU(3, input_dim=2, init={"b": (0.0, 1.0)}), "GRU(3, input_dim=2, init={'b': (0.0, 1.0)})"),
        (MixedMemory(GRU(3, input_dim=2)), "MixedMemory(GRU(3, input_dim=2))"),
        (
            Residual(Dense(3, input_dim=2), Dense(2)),
            "Residual(Dense(3, input_dim=2), Dense(2, input_dim=3))",
        ),
    ],
)
def test_repr_shows_what_is_needed_to_make_it_again(made, shown):
    assert repr(made) == shown


def test_config_is_the_arguments():
    assert Plain(1, third="d").config() == {"first": 1, "second": 2, "third": "d"}
    assert Onward(1, fourth=4).config() == {"fourth": 4, "first": 1, "second": 2, "third": "c"}
    assert Many(1, 2).config() == {"parts": (1, 2), "scale": 1.0}
    for one in (
        Plain(1, third="d"),
        Onward(1, fourth=4),
        Named(0, first=1),
        Many(1, 2, scale=3.0),
        Many(),
        Follows(5, 1),
    ):
        again = type(one).from_config(one.config())
        assert again.config() == one.config() and again is not one
    with pytest.raises(NotImplementedError, match="Silent must keep its argument as `self.size`, or define `config`"):
        Silent(3).config()


def test_values_are_equal_by_class_and_arguments():
    silent = Silent(3)
    assert Plain(1) == Plain(1, 2) and hash(Plain(1)) == hash(Plain(1, 2))
    assert Plain(1) != Plain(2) and Plain(1) != Onward(1) and Plain(1) != 1
    assert Plain(np.zeros(2)) == Plain(np.zeros(2)) != Plain(np.zeros(2, np.float32))
    assert silent == silent and silent != Silent(3) and hash(silent) == hash(Silent(3))
    assert Many(1) != Many(1)  # it may change: only the same one is equal


def test_same():
    array = np.arange(6.0).reshape(2, 3)
    assert same(array, array.copy()) and not same(array, array + 1) and not same(array, array[:, :2])
    assert not same(array, 1.0) and not same(None, array)
    assert same({"a": [array, (1, 2)]}, {"a": (array.copy(), [1, 2])})
    assert not same({"a": 1}, {"b": 1}) and not same([1], [1, 2]) and not same((), {})


def test_layers_are_values():
    first, second = (LTC(AutoNCP(8, 2), input_dim=3, init={"gleak": np.ones(8)}) for _ in range(2))
    assert first == second and hash(first) == hash(second) and first is not second
    assert first != LTC(AutoNCP(8, 2), input_dim=3) and first != LTC(
        AutoNCP(8, 2), input_dim=3, init={"gleak": np.zeros(8)}
    )
    assert LTC(AutoNCP(8, 2).build(3)) == LTC(AutoNCP(8, 2), input_dim=3) != LTC(AutoNCP(8, 2), input_dim=4)
    nested = Bidirectional(Residual(first, Dense(3)))
    for again in (copy.deepcopy(nested), pickle.loads(pickle.dumps(nested))):
        assert again == nested and len({again, nested}) == 1
    assert nested != Bidirectional(Residual(first, Dense(3)), "sum")


# ------------------------------------------------------------------------------------------------------ traits


class Declared(Layer):
    def __init__(self, *traits):
        self.traits, self.state_size = traits, 1
        for name in traits:
            setattr(self, name, True)


def test_traits_of_several_layers():
    every = [name for name, rule in TRAITS.items() if rule is all]
    both = combine([Declared(*TRAITS), Declared()])
    assert both == {name: name not in every for name in TRAITS}
    assert all(combine([Declared(*TRAITS)] * 2).values()) and not any(combine([Declared()] * 2).values())
    assert combine([Declared(*TRAITS)], causal=False) == dict.fromkeys(TRAITS, True) | {"causal": False}


def test_every_trait_is_false_unless_declared_and_documented():
    for name in TRAITS:
        assert getattr(Layer, name) is False
        assert f"\n{name} : bool\n" in inspect.cleandoc(Layer.__doc__)
    declared = {name for name in dir(Layer) if getattr(Layer, name) is False}
    assert declared == {*TRAITS, "open", "cuts_inside"}


def test_equal_values_have_equal_hashes():
    """Also where their reprs differ."""
    from ltc_np import LSTM

    for one, other in (
        (LSTM(5, input_dim=3, init={"b": 0.0, "w_x": 0.1}), LSTM(5, input_dim=3, init={"w_x": 0.1, "b": 0.0})),
        (LSTM(5, input_dim=3, forget_bias=0.0), LSTM(5, input_dim=3, forget_bias=-0.0)),
    ):
        assert one == other and hash(one) == hash(other)


def test_an_attribute_called_config_does_not_hide_the_arguments():
    from ltc_np import EarlyStopping

    callback = EarlyStopping(3)
    callback.config = {"anything": 1}
    assert repr(callback) == "EarlyStopping(3)"
