"""What sets the published forms of the CfC apart: one line each.  docs/maths/cfc.md names the code of each."""

from typing import NamedTuple

from ..base.types import Activation, CfCVariant


class Convention(NamedTuple):
    """One published form.

    Attributes
    ----------
    squash : str or None
        Activation of the heads f1 and f2, but not in pure mode.
    sign : +1 or -1
        Of time_a * dt.
    time_b : bool
        Whether there is that head.
    undropped : int
        Layers of the backbone, from the first, after which nothing is dropped.
    zero_biases : bool
        Whether biases start at 0, and not uniform as in PyTorch.
    """

    squash: Activation
    sign: int
    time_b: bool
    undropped: int
    zero_biases: bool


CONVENTIONS: dict[CfCVariant, Convention] = {
    "torch": Convention("tanh", +1, True, 1, False),
    "keras": Convention(None, -1, True, 0, True),
    "tf": Convention("lecun_tanh", -1, True, 0, True),
    "paper": Convention("tanh", -1, False, 0, False),
}
