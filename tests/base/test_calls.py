"""What calls with arguments that do not fit are told."""

import numpy as np
import pytest

import ltc_np
from ltc_np import (
    GELU,
    LSTM,
    LTCRNN,
    S4D,
    AutoNCP,
    CfC,
    Dropout,
    LiquidS4RNN,
    Model,
    analysis,
    control,
    ensemble,
    gradcheck,
    load,
    online,
    plot,
    shortcut,
    simplify,
)
from ltc_np.base.calls import describe_mismatch, with_signature_hints

MODEL = LTCRNN(AutoNCP(8, 2), 3, seed=0)
X = np.zeros((2, 4, 3))


@with_signature_hints
def layers_only(*layers):
    """It takes all by position."""


MISTAKES = {
    "a size in another's place": (lambda: CfC(*(12, 32)), "`CfC` takes only `units` by position, got 32 as well: "),
    "a typing error": (lambda: MODEL.fit(X, X, epcohs=3), "`fit` has no argument `epcohs`: did you mean `epochs`?"),
    "a name far from all": (lambda: MODEL.evaluate(X, X, q=1), "`evaluate` has no argument `q`: there are x, y, dt, "),
    "of predict_proba": (lambda: MODEL.predict_proba(X, sise=2), "`predict_proba` has no argument `sise`: "),
    "an unknown name": (lambda: Dropout(0.1, banana=1), "`Dropout` has no argument `banana`: there are rate"),
    "a state in the place of dt": (lambda: MODEL(X, X[:, 0]), "a call of the model takes only `x` by position, got "),
    "nothing by position": (lambda: GELU(*("tanh",)), "`GELU` takes nothing by position, got 'tanh': give input_dim"),
    "nothing by name": (lambda: layers_only(size=3), "`layers_only` has no argument `size`: it takes none by name"),
    "nothing": (lambda: LSTM(), "`LSTM` needs `units`, got no such argument"),
    "two are missing": (lambda: gradcheck.check(), "`check` needs `model` and `x`, got no such argument"),
    "twice": (lambda: load("x", path="y"), "`load` got `path` twice, by position and by name"),
    "a state space's size": (lambda: S4D(d_state=8), "`S4D` has no argument `d_state`: did you mean `states`?"),
    "the layers of a model": (lambda: LiquidS4RNN(3, 2, n_layers=2), "`LiquidS4RNN` has no argument `n_layers`: did"),
    "a keyword of the model": (lambda: Model(CfC(3), sed=1), "`Model` has no argument `sed`: did you mean `seed`?"),
}  # fmt: skip


@pytest.mark.parametrize("key", MISTAKES)
def test_mistakes_are_explained_in_one_line(key):
    call, message = MISTAKES[key]
    with pytest.raises(TypeError) as caught:
        call()
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None


# Results, base classes and errors, which users do not make, and functions without arguments that have a name.
PLAIN = ("Callback", "Filled", "Gradients", "History", "Layer", "SolverError", "Trace", "WeightAverage",
         "get_num_threads", "register")  # fmt: skip
# Bases, what an action is drawn from, and results; the colours of pictures have no argument.
BASES = (
    "Categorical", "Distribution", "Gaussian", "Immediate", "Method", "MixtureOfGaussians", "Rule", "SquashedGaussian",
    "style",
)  # fmt: skip
MODULES = ltc_np, ltc_np.data, analysis, control, online, plot, shortcut, simplify
PUBLIC = [getattr(module, name) for module in MODULES for name in module.__all__ if name not in PLAIN + BASES]
PUBLIC = [call for call in PUBLIC if callable(call) and not hasattr(call, "_fields")] + [
    ensemble.join,
    ensemble.members,
]


@pytest.mark.parametrize("call", PUBLIC, ids=lambda f: f"{f.__module__}.{f.__name__}")
def test_every_public_call_explains_an_unknown_name(call):
    with pytest.raises(TypeError) as caught:
        call(banana=1)
    message = str(caught.value)
    taken = f"`{call.__name__}` needs "  # by those that hand options on
    assert message.startswith((f"`{call.__name__}` has no argument `banana`: ", taken)), message


def test_errors_from_inside_pass_unchanged():
    error = TypeError("from inside")

    @with_signature_hints
    def function(a, *, b=1):
        raise error

    with pytest.raises(TypeError) as caught:
        function(1, b=2)
    assert caught.value is error


def test_arguments_that_fit():
    def function(a, *rest, b=1, **others):
        """With everything."""

    assert describe_mismatch(function, (1, 2, 3), {"b": 2, "c": 3}) is None
    assert describe_mismatch(function, (), {"b": 2}) == "`function` needs `a`, got no such argument"
    assert with_signature_hints(function).__doc__ == "With everything."
    assert with_signature_hints(function)(1) is None


def with_rest(a, *rest, key):
    """What stands behind *rest is given by name."""


def by_position(a, /, b, *, key=0):
    """The first parameter has no name for users."""


def anything(a, /, **more):
    """A name in ``more`` may be that of the parameter, too."""


MISMATCHES = {
    "what stands behind *rest": (with_rest, (1, 2), {}, "`with_rest` needs `key`, got no such argument"),
    "more than there are before *rest": (with_rest, (1, 2, 3, 4), {}, "`with_rest` needs `key`, got no such argument"),
    "both": (with_rest, (), {}, "`with_rest` needs `a` and `key`, got no such argument"),
    "twice before *rest": (with_rest, (1,), {"a": 2, "key": 3}, "`with_rest` got `a` twice, by position and by name"),
    "no name": (by_position, (), {"a": 1, "b": 2}, "`by_position` has no argument `a`: there are b, key"),
    "no position": (by_position, (1,), {}, "`by_position` needs `b`, got no such argument"),
    "neither": (by_position, (), {}, "`by_position` needs `a` and `b`, got no such argument"),
    "too many": (by_position, (1, 2, 3), {}, "`by_position` takes only `a` and `b` by position, got 3 as well: "
                 "give key by name"),
    "a name beside": (anything, (), {"a": 1}, "`anything` needs `a`, got no such argument"),
}  # fmt: skip


@pytest.mark.parametrize("key", MISMATCHES)
def test_kinds_of_parameters(key):
    function, args, kwargs, message = MISMATCHES[key]
    with pytest.raises(TypeError):
        function(*args, **kwargs)
    assert describe_mismatch(function, args, kwargs) == message


def test_an_object_with_an_attribute_of_the_functions_name_is_an_argument():
    """Only if the attribute is that function, as in the classes of models, the object is what the method is of."""

    @with_signature_hints
    def one(a, *, key=0):
        """Of one argument."""

    class Other:
        def one(self):
            """Another function of this name."""

    class Same:
        pass

    Same.one = one

    class Derived(Same):
        def one(self, a):
            """It calls the other one."""
            super().one(a, 2)

    for owner, left in ((Other, "only `a` by position, got 2 as well"), (Same, "nothing by position, got 2")):
        with pytest.raises(TypeError) as caught:
            one(owner(), 2)
        assert str(caught.value) == f"`one` takes {left}: give key by name"
    with pytest.raises(TypeError, match="^`one` takes nothing by position, got 1, 2: "):
        Derived().one(1)
