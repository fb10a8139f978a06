"""The way from a model to a folder of C."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from ...base import checks
from ..lower import program as lowered
from . import folder
from .floats import Floats
from .names import file_name, identifier
from .prepare import prepared
from .source import source

if TYPE_CHECKING:
    import pathlib

    from ...base.types import PathLike
    from ...model import Model

C_TYPES: dict[str, Literal["float", "double"]] = {"float32": "float", "float64": "double"}


class Export(NamedTuple):
    """What was written.

    Attributes
    ----------
    folder : pathlib.Path
    table_bytes : int
        Of the weights and lists of synapses, in flash.
    state_bytes, stack_bytes : int
        Of the state, which the caller keeps, and of the temporary variables of a step.
    """

    folder: pathlib.Path
    table_bytes: int
    state_bytes: int
    stack_bytes: int


def write(
    model: Model,
    directory: PathLike,
    name: str = "model",
    *,
    dtype: Literal["float32", "float64"] = "float32",
    libm: bool = True,
    unroll: bool = False,
) -> Export:
    """Write one time step of a model as C99 to a folder.

    Parameters
    ----------
    model : Model
        Causal, of layers that can be exported.
    directory : str or Path
        A new folder, an empty one, or a former export, which is replaced.
    name : str
        A C identifier, with which the files and all names in them begin.
    dtype : "float32" or "float64"
        Numbers are float or double.
    libm : bool
        False: functions such as exp are written into the file, and no library is needed; with float32 only.
    unroll : bool
        Each synapse and each weight is a line of its own: no tables, more code.

    Returns
    -------
    Export

    Raises
    ------
    TypeError, ValueError
        Of arguments; nothing is written then.
    OSError
        The folder cannot be written, or holds what no export wrote.
    """
    c_type = C_TYPES[checks.one_of("dtype", dtype, C_TYPES)]
    arithmetic = Floats(c_type, checks.boolean("libm", libm))
    name, target = identifier(name), folder.check(directory)
    program = prepared(lowered(model))
    text = source(program, name, arithmetic, checks.boolean("unroll", unroll), "")
    folder.write(target, {file_name(name, "h"): text.header, file_name(name, "c"): text.source})
    return Export(target, text.table_bytes, text.state_bytes, text.stack_bytes)
