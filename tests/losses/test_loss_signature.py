"""The order of predictions and targets, by the names of parameters: ltc_np.losses.loss_signature."""

from fractions import Fraction
from functools import partial

import pytest

from ltc_np.losses import loss_signature


def takes(names):
    """A function with these parameters."""
    space = {}
    exec(f"def function({names}): return 0.0", space)
    return space["function"]


@pytest.mark.parametrize(
    ("names", "target_first", "prediction"),
    [
        ("y, target", False, "y"),
        ("a, b", False, "a"),
        ("y_true, y_pred", True, "y_pred"),
        ("y_true, y_score, *, average='macro'", True, "y_score"),
        ("labels_true, labels_pred", True, "labels_pred"),
        ("target, y", True, "y"),
        ("targets, outputs", True, "outputs"),
        ("ground_truth, prediction", True, "prediction"),
        ("actual, forecast", True, "forecast"),
        ("labels, logits", True, "logits"),
        ("y_pred, y_true", False, "y_pred"),
        ("labels_pred, labels_true", False, "labels_pred"),
        ("predicted, actual", False, "predicted"),
        ("y, y_pred", True, "y_pred"),
        ("expected, predicted", True, "predicted"),
        ("y_test, y_hat", True, "y_hat"),
        ("t, logits", True, "logits"),
        ("y_hat, y_pred", False, "y_hat"),
        ("outputs, y", False, "outputs"),
        ("constructed, b", False, "constructed"),
        ("*args", False, ""),
        ("y_true, *args", True, ""),
        ("y_pred, *args", False, "y_pred"),
    ],
)
def test_names(names, target_first, prediction):
    found = loss_signature.read("metrics", takes(names))
    assert found == (target_first, prediction, False)
    assert found.arguments("y", "t") == (("t", "y") if target_first else ("y", "t"))


def test_weights_partials_objects_and_builtins():
    scored = takes("y_true, y_pred, *, sample_weight=None, average='binary'")
    scored.__name__ = "scored"
    assert loss_signature.read("metrics", scored) == loss_signature.read("metrics", partial(scored, average="macro"))
    assert loss_signature.read("metrics", scored).takes_weight
    assert loss_signature.name_of(partial(scored, average="macro")) == "scored"

    class Score:
        def __call__(self, y_true, y_pred):
            return 0.0

    assert loss_signature.read("metrics", Score()).target_first and loss_signature.name_of(Score()) == "Score"
    assert loss_signature.read("metrics", max) == (False, "", False)  # which does not tell


@pytest.mark.parametrize("names", ["", "y", "y_true", "y, target, weight", "estimator, X, y_true", "y, *, target"])
def test_what_does_not_take_two_arguments_is_refused(names):
    with pytest.raises(
        TypeError, match=r"`metrics` must be a function \(y, target\) or \(y_true, y_pred\), got function: "
    ):
        loss_signature.read("metrics", takes(names))


def test_metric_objects_of_keras_are_refused():
    class MeanSquaredError:
        def __call__(self, *args, **kwargs):
            return 0.0

        def update_state(self, y_true, y_pred, sample_weight=None):
            pass

    with pytest.raises(TypeError, match="got a metric object of Keras, MeanSquaredError"):
        loss_signature.read("metrics", MeanSquaredError())
    with pytest.raises(TypeError, match=r"`loss` must be a function .*, got the class Fraction"):
        loss_signature.read("loss", Fraction)  # it could be called with two arguments
