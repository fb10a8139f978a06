"""Options of `fit` that take an object with several parts, such as ``batch_size=Batching(32, drop_last=True)``.

Inside, each part is an option by itself, with its own name and its own row in `OPTIONS`: so all that protects a result
protects each part.  Checkpoints have these names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ..optim.clip import Clip
from .bptt import BPTT
from .data.batching import Batching
from .data.validation import Validation, is_share
from .loop.best_weights import BestWeights
from .penalty import L1L2
from .ranks.communication import ShardedData
from .resume.folder import Checkpoints


class Group(NamedTuple):
    """The class of the objects that an option takes, and the names that their parts have inside.

    ``parts``: name inside -> attribute of the object; "" for what has none of its own.
    """

    kind: type
    parts: dict[str, str]


GROUPS: dict[str, Group] = {
    "epochs": Group(range, {"initial_epoch": ""}),
    "batch_size": Group(Batching, {
        "batch_size": "size", "steps_per_epoch": "steps_per_epoch", "drop_last": "drop_last",
        "group_by_length": "group_by_length", "augment": "augment",
    }),
    "tbptt": Group(BPTT, {"tbptt": "steps", "memory": "memory", "parallel_time": "parallel_time"}),
    "validation": Group(Validation, {"validation_data": "", "validation_split": "", "validation_every": "every"}),
    "penalty": Group(L1L2, {"l1": "l1", "l2": "l2"}),
    "clip_norm": Group(Clip, {"clip_array_norm": "per_array"}),
    "keep_best": Group(BestWeights, {"keep_best": "keep", "monitor": "monitor", "monitor_mode": "mode"}),
    "comm": Group(ShardedData, {"shares": ""}),
    "checkpoint": Group(Checkpoints, {"every": "every", "keep_last": "keep_last", "resume": "resume"}),
}  # fmt: skip


def split_objects(given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of `fit` by name, with the parts in the place of each object that has some.

    It refuses nothing, since ranks are compared by what it gives, and that comes first.
    """
    found: dict[str, Any] = {}
    for option, value in given.items():
        if option == "epochs":
            found |= _of_epochs(value)
        elif option == "validation":
            found |= _of_validation(value)
        elif option == "comm":  # ranks, by `across_ranks`; None is only the default
            found |= {"comm": value, "shares": value is not None and value.shares}
        elif option == "keep_best":
            found |= _by_attributes(option, BestWeights(value) if isinstance(value, str) else value)
        elif option in ("batch_size", "tbptt"):
            found |= _by_attributes(option, value)
        else:
            found[option] = value
    return found


def _by_attributes(option: str, value: Any) -> dict[str, Any]:
    """The parts of an object, or a plain value with the defaults of all other parts."""
    kind, parts = GROUPS[option]
    whole = value if isinstance(value, kind) else kind()
    found = {name: getattr(whole, attribute) for name, attribute in parts.items()}
    return found if whole is value else found | {option: value}


def _of_epochs(epochs: Any) -> dict[str, Any]:
    if isinstance(epochs, range) and epochs.step == 1 and 0 <= epochs.start < epochs.stop:
        return {"epochs": epochs.stop, "initial_epoch": epochs.start}
    return {"epochs": epochs, "initial_epoch": 0}


def _of_validation(given: Any) -> dict[str, Any]:
    data, every = (given.data, given.every) if isinstance(given, Validation) else (given, 1)
    share, data = (data, None) if is_share(data) else (None, data)
    return {"validation_data": data, "validation_split": share, "validation_every": every}


def as_written(name: str) -> str:
    """How users write what has this name inside, for errors; what a dot adds to it stays."""
    head, dot, rest = name.partition(".")
    for option, (kind, parts) in GROUPS.items():
        if head in parts and head != option:
            told = f"{kind.__name__}.{parts[head]}" if parts[head] else option
            return f"{told}{dot}{rest}"
    return name
