"""Which model an export was made of."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from ..layers import codec

if TYPE_CHECKING:
    from ..model import Model


def fingerprint(model: Model) -> str:
    """The SHA-256 of a model's layers, parameters and buffers, in hexadecimal digits: the same on every machine."""
    encoder = codec.Encoder()
    layers = [encoder.layer(layer) for layer in model.layers]
    digest = hashlib.sha256(json.dumps(layers, sort_keys=True).encode())
    for array in (*encoder.arrays, model.theta, model.buffer_vector):
        digest.update(array.astype(array.dtype.newbyteorder("<")).tobytes())
    return digest.hexdigest()
