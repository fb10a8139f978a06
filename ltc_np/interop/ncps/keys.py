"""What the keys of a state dict belong to: which network it is, and its sizes.

Nobody says it, and one wrong key or array must not make all the others look wrong: the `Form` is the one that fits
best, and about sizes all arrays vote.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ...base.types import Arrays, CfCMode, MappingKind
from .table import MASK, NEURON, SENSORY_MASK, SYNAPSE, Form, Part

# By these a network is known; names that others have too, such as "w", are left out.
CORE = re.compile(
    r"(?P<root>.*?)(?:rnn_cell\.)?(?:gleak|vleak|cm|erev|sensory_erev|sensory_sigma|sensory_mu|sensory_w"
    r"|(?:layer_\d+\.)?(?:ff1|ff2|time_a|time_b)\.(?:weight|bias))"
)


def roots(keys: Iterable[str]) -> list[str]:
    """What stands before the keys of each network, such as "" or "net."."""
    found = {match["root"] for match in map(CORE.fullmatch, keys) if match}
    return sorted(root for root in found if root == "" or root.endswith("."))


def form_of(keys: Iterable[str], mode: CfCMode | None) -> Form:
    """The `Form` that fits these keys best; ``mode`` None: what they show of it."""
    keys = set(keys)
    whole = any(key.startswith("rnn_cell.") for key in keys)
    own = {key.removeprefix("rnn_cell.") for key in keys} if whole else keys
    common: dict[str, Any] = {"whole": whole}
    if whole:
        common |= {"mixed": any(key.startswith("lstm.") for key in keys)}
        common |= {"projected": any(key.startswith("fc.") for key in keys)}
    numbers = {int(m[1]) for m in (re.match(r"layer_(\d{1,2})\.", key) for key in own) if m}
    pure = any(key.rpartition(".")[2] in ("A", "w_tau") for key in own)
    mode = mode or ("pure" if pure else "default")
    if numbers:
        return Form("wired_cfc", mode=mode, layers=layer_names(1 + max(numbers)), **common)
    if any(key in own for key in (*NEURON, "erev", *(f"sensory_{name}" for name in SYNAPSE))):
        common.pop("projected", None)  # an LTC has none
        return Form("ltc", input_mapping=_mapping("input", own), output_mapping=_mapping("output", own),
                    masks=MASK in own or SENSORY_MASK in own, **common)  # fmt: skip
    return Form("cfc", mode=mode, backbone=_backbone(own), **common)


def layer_names(count: int) -> tuple[str, ...]:
    """Those of an `NCP`, or of a wiring of one layer."""
    known = {1: ("recurrent",), 3: ("inter", "command", "motor")}
    return known.get(count) or tuple(f"layer_{k}" for k in range(count))


def _mapping(side: str, keys: set[str]) -> MappingKind:
    if f"{side}_b" in keys:
        return "affine"
    return "linear" if f"{side}_w" in keys else None


def positions(layers: int, dropout: bool) -> tuple[int, ...]:
    """Where the dense layers of a backbone stand: behind each is its activation, from the second on a dropout too."""
    return tuple(0 if k == 0 else 2 + (3 if dropout else 2) * (k - 1) for k in range(layers))


def _backbone(keys: set[str]) -> tuple[int, ...]:
    """Of two layouts, with dropout and without, the one that fits better."""
    found = {int(m[1]) for m in (re.match(r"backbone\.(\d{1,3})\.", key) for key in keys) if m}
    if not found:
        return ()

    def fitting(dropout: bool) -> tuple[int, ...]:
        layers = next(n for n in range(1, max(found) + 2) if positions(n, dropout)[-1] >= max(found))
        return positions(layers, dropout)

    return min((fitting(False), fitting(True)), key=lambda layout: len(found.symmetric_difference(layout)))


def has_dropout(backbone: tuple[int, ...]) -> bool | None:
    """Whether it shows; None if it does not, with two layers or less."""
    return None if len(backbone) < 3 else backbone == positions(len(backbone), True)


def sizes(parts: Mapping[str, Part], arrays: Arrays) -> dict[str, int]:
    """What most arrays say about each size; one that no array shows is left out."""
    found = {"1": 1}
    pairs = [
        (dim, size)
        for key, part in parts.items()
        if key in arrays and arrays[key].ndim == len(part.dims)
        for dim, size in zip(part.dims, arrays[key].shape, strict=True)
    ]
    while True:
        votes: dict[str, Counter[int]] = {}
        for dim, size in pairs:
            unknown = [name for name in dim.names if name not in found]
            rest = size // dim.factor - sum(found.get(name, 0) for name in dim.names)
            if len(unknown) == 1 and size % dim.factor == 0 and rest > 0:
                votes.setdefault(unknown[0], Counter())[rest] += 1
        # Those of arrays that show one size alone come first: they need no other, which could be wrong.
        alone = {dim.names[0] for dim, _ in pairs if len(dim.names) == 1}
        votes = {name: count for name, count in votes.items() if name in alone} or votes
        if not votes:
            return found
        found |= {name: count.most_common(1)[0][0] for name, count in votes.items()}
