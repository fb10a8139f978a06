"""What a forward pass leaves for the backward pass, and what that gives."""

from typing import NamedTuple

import numpy as np


class Tape(NamedTuple):
    """What `Network.backward` needs of one `Network.forward`; it may be used more than once.

    Attributes
    ----------
    front : Front
        Which made it.
    given : Given
        The sequences, and the form of the outputs.
    prepared, saved : object
        The engine's own.
    y_shape : tuple
    """

    front: object
    given: object
    prepared: object
    saved: object
    y_shape: tuple


class Gradients(NamedTuple):
    """Result of `Model.backward`.

    Attributes
    ----------
    theta : (P,) array
        d(loss)/d(theta); 0 for frozen parameters.  ``model.views(g.theta)["w"]`` names a part.
    x, h0 : arrays of the shapes of x and h0
    dt : float or array of the shape of dt; None for models without elapsed time
    """

    theta: np.ndarray
    x: np.ndarray | None
    h0: np.ndarray | None
    dt: object
