"""The last step from a policy to its actions, as layers: for exports, which write a model and know no distribution."""

from __future__ import annotations

from typing import cast

import numpy as np

from ..base import checks
from ..base.calls import with_signature_hints
from ..layers.dense import Dense
from ..layers.standardize import Standardize
from ..model import Model
from ..network.network import Network
from .distributions import Distribution, Gaussian, SquashedGaussian, check_outputs


@with_signature_hints
def acting(policy: Network, distribution: Distribution) -> Model:
    """A model that gives what an environment takes: the policy, and layers that squash or clip its outputs and scale
    them.

    The outputs of a policy are in units in which the bounds of actions are -1 and 1, and for a `SquashedGaussian` they
    are those before tanh.  In Python the distribution goes on from there; in C, fixed point, ONNX or a web page nothing
    does, so export this model.  A policy that chooses needs none: the action is ``start`` plus the place of the largest
    output, the first of several.

    Parameters
    ----------
    policy : Model
        It is copied, and stays as it is.
    distribution : Gaussian or SquashedGaussian
        With bounds that are finite; as `Environments.distribution` gives it.

    Returns
    -------
    Model
        Its outputs are ``distribution.actions(distribution.mode(y))`` of the policy's y but for rounding, by which a
        bound may be exceeded.

    Raises
    ------
    TypeError, ValueError
        Another distribution; bounds that are infinite; a policy with another number of outputs.

    Examples
    --------
    >>> import numpy as np
    >>> from ltc_np import CfC, Dense, Model
    >>> from ltc_np.control import SquashedGaussian
    >>> policy = Model(CfC(8), Dense(1), input_dim=2, seed=0)
    >>> model, x = acting(policy, SquashedGaussian([-2.0], [2.0])), np.ones((5, 2))
    >>> bool(np.allclose(model(x), 2 * np.tanh(policy(x)), atol=1e-6))
    True
    """
    if not isinstance(policy, Network):
        raise TypeError(f"`policy` must be a model of ltc_np, got {checks.brief(policy)}")
    if type(distribution) not in (Gaussian, SquashedGaussian):  # one that is derived from them may act otherwise
        raise TypeError(
            f"`distribution` must be a Gaussian or SquashedGaussian, got {checks.brief(distribution)}: of choices the "
            "largest output is the action, and of a mixture `mode` tells which mean"
        )
    check_outputs(distribution, policy.output_size)
    numbers = cast(Gaussian, distribution)
    middle, half = numbers.units
    if not np.isfinite([numbers.low, numbers.high]).all():
        raise ValueError(
            f"`distribution` must have finite bounds, got {numbers.low} and {numbers.high}: where one is "
            "infinite the policy's output is the action, so export the policy, and clip its output there"
        )
    squashed = isinstance(distribution, SquashedGaussian)
    identity = {"weight": np.eye(half.size), "bias": 0.0}
    bounded = Dense(half.size, "tanh", init=identity) if squashed else Standardize(clip=1.0)
    model = Model(
        *policy.layers, bounded, Standardize(inverse=True, mean=middle, scale=half), input_dim=policy.input_size,
        seed=0, dtype=policy.dtype, backend=policy.backend,
    )  # fmt: skip
    model.theta[: policy.theta.size] = policy.theta
    model.buffer_vector[: policy.buffer_vector.size] = policy.buffer_vector
    return model
