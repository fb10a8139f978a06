"""What a forward pass leaves for the backward pass, and what that gives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from ..base.types import Array


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

    front: Any
    given: Any
    prepared: Any
    saved: Any
    y_shape: tuple[int, ...]


class Gradients(NamedTuple):
    """Result of `Model.backward`.

    Attributes
    ----------
    theta : (P,) array
        d(loss)/d(theta); 0 for frozen parameters.  ``model.views(g.theta)["w"]`` names a part.
    x, h0 : arrays of the shapes of x and h0
    dt : float or array of the shape of dt; None for models without elapsed time
    """

    theta: Array
    x: Array | None
    h0: Array | None
    dt: Array | float | None
