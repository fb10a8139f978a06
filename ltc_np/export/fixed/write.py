"""From a model in fixed point to a folder of C."""

from __future__ import annotations

from ...base import checks
from ...base.types import PathLike
from ..c import folder
from ..c.names import identifier
from ..c.write import Export, learns, origin, write_files
from .c import Fixed
from .c_rule import learning as learning_of
from .quantised import Quantised


def write(
    quantised: Quantised, directory: PathLike, name: str = "model", *, unroll: bool = False, measure: bool = True
) -> Export:
    """Write one time step of a model in fixed point as C99 to a folder.

    The test beside it runs some steps of the calibration data, and allows no difference.

    Parameters
    ----------
    quantised : Quantised
        Of `quantise`.
    directory, name, unroll, measure
        As those of `ltc_np.export.c.write`.

    Returns
    -------
    Export
        Its error is the largest one on the calibration data.

    Raises
    ------
    TypeError, ValueError
        Of arguments; nothing is written then.
    OSError
        The folder cannot be written, or holds what no export wrote.
    """
    if not isinstance(quantised, Quantised):
        raise TypeError(f"`quantised` must be what `quantise` gives, got {checks.brief(quantised)}")
    name, target = identifier(name), folder.check(directory)
    unroll, measure = checks.boolean("unroll", unroll), checks.boolean("measure", measure)
    readout, places = quantised.readout, quantised.places
    arithmetic = Fixed(name, places if readout is None else places | {"target": places["y"]})
    learning = None if readout is None else learning_of(readout, arithmetic, name)
    said = arithmetic.described + learns(None if readout is None else readout.rule)
    about = origin(quantised.model) + f"{said} {quantised.report.in_words}"
    text = write_files(
        target, name, quantised.program, arithmetic, quantised.golden, 0.0, about, unroll, measure, learning
    )
    error = max(each.largest for each in quantised.report.errors)
    return Export.of(target, text, error)
