"""What an exported file says of the model that it was made of."""

from __future__ import annotations

import hashlib

from ..base.version import __version__
from ..model import Model


def identity(model: Model) -> dict[str, str]:
    """The library's version, the layers as text, and a SHA-256 of layers, parameters and buffers, by name."""
    layers = ", ".join(map(repr, model.layers))
    digest = hashlib.sha256(layers.encode() + model.theta.tobytes() + model.buffer_vector.tobytes()).hexdigest()
    return {"ltc_np": __version__, "layers": layers, "sha256": digest}
