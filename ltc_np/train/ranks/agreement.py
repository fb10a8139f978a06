"""Whether several ranks can train together: what all of them must have, and what must be the same on each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...base.from_arguments import known
from ...base.version import __version__
from ...network.network import Network
from ..data.stream import is_stream
from ..fingerprint import as_text, fingerprint
from ..measures import check_mergeable
from ..options import Option, Options
from ..parts import as_written
from .communication import SAME_DATA, Alone


def check_arguments(ranks: Alone, rows: Mapping[str, Option], arguments: Mapping[str, Any]) -> None:
    """Refuse arguments of `fit` that differ between ranks.  Where all must have the same data, some sequences are
    compared."""
    if ranks.size == 1:
        return
    words = {name: rows[name].in_words(value) for name, value in arguments.items() if not rows[name].unchecked_on_ranks}
    words["the version of ltc_np"] = __version__
    words |= of_model(arguments["model"])
    if is_stream(arguments["x"]):
        words["x"] = "batches"
    elif not ranks.shares:
        words |= {name: fingerprint(arguments[name]) for name in SAME_DATA}
    ranks.check_same(words, as_written)


def of_model(model: Network) -> dict[str, str]:
    """What makes a model, attribute by attribute, as text; layers by their arguments."""
    words = {"model": type(model).__name__, "len(model.layers)": str(len(model.layers))}
    for k, layer in enumerate(model.layers):
        words[f"model.layers[{k}]"] = type(layer).__name__
        arguments = known(layer) or {"config": as_text(layer)}
        words |= {f"model.layers[{k}].{name}": _argument(value) for name, value in arguments.items()}
    for name in ("dtype", "backend", "return_sequences", "input_size"):
        words[f"model.{name}"] = str(getattr(model, name))
    return words | {"model.theta.size": str(model.theta.size), "model.trainable": fingerprint(model.trainable)}


def _argument(value: Any) -> str:
    return fingerprint(value) if isinstance(value, np.ndarray) else as_text(value)


def check_ranks(ranks: Alone, model: Network, options: Options) -> None:
    """Refuse what several ranks cannot compute together."""
    if ranks.size == 1:
        return
    check_mergeable(options.metrics)
    layer = next((layer for layer in model.layers if layer.batch_statistics), None)
    if layer is not None:
        raise ValueError(
            f"`comm` needs layers without statistics of a batch, since no rank has a whole batch, got {layer!r}: take "
            "LayerNorm, or train on one rank"
        )
    if ranks.shares and options.group_by_length:
        raise ValueError(
            "`group_by_length` must be False with `ShardedData`: no rank knows the lengths of others, got True"
        )
