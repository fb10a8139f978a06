"""Each peer's training step.

A builder takes (model, x, y, formulation); it returns the step, and a function () -> (loss, flat gradient in the order
of model.theta) or None.
"""

from ..cases import CASES, problem, training_step
from .check import check
from .jax import jax_step
from .ncps import ncps_step
from .torch import gru_step, loop_step, lstm_step


def ltc_np_step(model, x, y, formulation=None):
    """The product itself."""
    return training_step(model, x, y), None


STEPS = {
    "ltc_np": ltc_np_step,
    "ncps": ncps_step,
    "jax": jax_step,
    "lstm": lstm_step,
    "gru": gru_step,
    "loop": loop_step,
}


def build(name, case, formulation):
    """A peer's step for a case, checked."""
    model, x, y = problem(CASES[case], "float32")
    step, loss_and_grad = STEPS[name](model, x, y, formulation)
    if loss_and_grad is not None:
        check(f"{name} ({formulation or case})", model, x, y, *loss_and_grad())
    return step
