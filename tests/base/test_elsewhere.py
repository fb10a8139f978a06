"""Attributes that objects of other libraries have."""

import copy
import pickle

import pytest

from ltc_np import LTCRNN, AutoNCP
from ltc_np.base.elsewhere import Elsewhere
from ltc_np.online import Learner
from ltc_np.recipe import Recipe

MODEL = LTCRNN(AutoNCP(8, 2), 3, seed=0)
OWNERS = {
    "a model": (MODEL, "score", "`evaluate` does it"),
    "a learner": (Learner(MODEL, "adam"), "fit", "`predict`, then `learn`"),
    "a recipe": (Recipe(), "predict", "the model has it"),
}


@pytest.mark.parametrize("words", OWNERS)
def test_what_others_have_is_told_with_the_remedy(words):
    """Python's own words for all else."""
    owner, name, remedy = OWNERS[words]
    with pytest.raises(AttributeError, match=f"^`{name}` is nothing that {words} has: {remedy}"):
        getattr(owner, name)
    with pytest.raises(AttributeError, match="has no attribute 'banana'"):
        _ = owner.banana
    assert isinstance(owner, Elsewhere) and not hasattr(owner, name)
    for twin in copy.deepcopy(owner), pickle.loads(pickle.dumps(owner)):
        assert type(twin) is type(owner)


@pytest.mark.parametrize("words", [words for words in OWNERS if words != "a model"])  # which has names to be set, too
def test_no_name_that_there_is_is_told_to_be_elsewhere(words):
    owner = OWNERS[words][0]
    assert not [name for name in owner._elsewhere if name in dir(owner)]
