"""What makes a training: what must be the same when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..data.arguments import DataArguments
from ..data.sources import ArraySource
from ..data.stream import Stream
from ..options import USED, Option, Options

# These stand in every file of a training with arrays, since the first version; for batches only those do that are used
# there.  The others are beside them in "settings", from which a file of a former version may leave some out; these are
# then not compared.  A new option belongs to the settings.
ALWAYS_WRITTEN = ("batch_size", "drop_last", "tbptt", "loss", "metrics", "shuffle", "group_by_length")
DATA = (*DataArguments._fields, "validation_data")


def identity_of(
    rows: Mapping[str, Option], options: Options, source: ArraySource | Stream, shares: bool
) -> dict[str, Any]:
    """`Saved.same` of a training: the sizes of its data, and all options but those whose row says why they may differ.

    ``shares``: every rank has data of its own, which are then not compared.
    """
    same: dict[str, Any] = source.sizes()
    settings: dict[str, Any] = {}
    for name, option in rows.items():
        without_meaning = isinstance(source, Stream) and option.batches != USED
        if option.may_differ or without_meaning or (shares and name in DATA):
            continue
        place = same if name in ALWAYS_WRITTEN else settings
        place.update(option.compared(name, getattr(options, name)))
    return {**same, "settings": settings}
