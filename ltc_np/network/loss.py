"""The loss of a batch and its gradient: the method `loss_and_grad` of networks."""

from __future__ import annotations

from .. import losses
from ..base import checks
from ..base.calls import with_signature_hints
from ..base.types import Array, ArrayLike, ClassWeight, DropoutSeed, Loss, Memory, Missing, Penalties
from ..layers.parallel import CutTime
from .network import Network
from .sequences import check, check_dropout_seed, check_memory


@with_signature_hints
def loss_and_grad(
    self: Network,
    x: ArrayLike,
    y: ArrayLike,
    *,
    dt: ArrayLike | None = None,
    lengths: ArrayLike | None = None,
    h0: ArrayLike | None = None,
    loss: Loss = "mse",
    sample_weight: ArrayLike | None = None,
    class_weight: ClassWeight = None,
    l1: Penalties = None,
    l2: Penalties = None,
    missing: Missing = "error",
    memory: Memory = "full",
    dropout_seed: DropoutSeed = None,
    parallel_time: CutTime = None,
) -> tuple[float, Array]:
    """Loss of a batch and its gradient with respect to theta.

    Parameters
    ----------
    x, dt, lengths, h0, parallel_time
        As for a call.
    y : array
        Targets: of the output's shape, where the last axis may be missing if the model has one output; or integers
        or bools without this axis, classes, for ``"cross_entropy"``.
    loss : str or callable
        A name from `ltc_np.losses`, in any case, or ``(y, target) -> (value, d_y)``; see `ltc_np.losses.get`.
    sample_weight : (B,) or (B, T) array, optional
        Weights >= 0; the loss is sum(w*l) / sum(w) over the valid elements.
    class_weight : (C,) array, dict class -> weight, or "balanced", optional
        Factors >= 0 for the weights of elements, by their class; what a dict does not name has 1.  ``"balanced"``
        is n / (C n_c), with n_c of the n valid elements of ``y`` in class c.  C is the number of outputs, or 2 for
        ``"binary_cross_entropy"``.  A loss of your own is given them if it has a parameter ``class_weight=None``.
    l1, l2 : number or dict name -> number, optional
        Penalties l1*sum|p| + l2*sum p^2 on effective values; a number means every parameter.
    missing : "error" or "ignore"
        What NaN in ``y`` means: an error, or a target that is missing and weighs 0, also one of several of a step.
        Classes may then be whole floats.  A loss of your own must leave NaN out itself.
    memory : "full" or "low"
        As for `forward`; the gradient is the same bits.
    dropout_seed : int or tuple of ints >= 0, optional
        As for `forward`; `fit` takes (its seed, the number of the optimiser step), and in a second training of the
        same model its number as a third.

    Returns
    -------
    loss : float
        Penalties included.
    grad : (P,) array
        0 for frozen parameters.
    """
    keep, dropout_seed = check_memory(memory), check_dropout_seed(dropout_seed)
    engine = self.engine
    workspace = engine.take_workspace()
    try:
        sequences, single = check(self, x, dt, lengths, h0, workspace)
        loss, y = losses.get(loss), checks.plain("y", y)[None] if single else y
        batch = self.make_batch(sequences, y, loss, sample_weight, missing)
        objective = self.objective(batch, loss, class_weight, l1, l2)
        found = engine.loss_and_grad(batch, objective, keep, workspace, dropout_seed, True, self.cutting(parallel_time))
    finally:
        engine.put_back(workspace)
    return found.value, found.gradient  # type: ignore[return-value]
