"""The two files of an export: NAME.h and NAME.c."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import NamedTuple

from ..program import Program
from .arithmetic import Arithmetic
from .learning import NOTHING, Learns, Parts
from .lines import Lines
from .tables import BYTES
from .templates import filled
from .writer import Writer

HEADER = """\
/* @name: one time step of a recurrent network.

@about
*/
#ifndef @NAME_H
#define @NAME_H

@includes
#define @NAME_INPUTS @inputs
#define @NAME_OUTPUTS @outputs
#define @NAME_STATES @states
#define @NAME_TAKES_DT @takes_dt
#define @NAME_STRIDE @stride
@features@interface
#ifdef __cplusplus
extern "C" {
#endif

/* What the network remembers, one of these for each sequence that runs. */
typedef struct {
    @real values[@room];@kept_features
} @name_state;
@readout
/* Begin a sequence. */
void @name_reset(@name_state *state);

/* One step: reads @NAME_INPUTS numbers at x, writes @NAME_OUTPUTS numbers at y; x and y are different arrays.@more */
@returns @name_step(@name_state *state@by, const @real *x@dt, @real *y);
@learn
#ifdef __cplusplus
}
#endif

#endif
"""
TIME = """
   dt is the time since the step before, at least 0, in the unit that the network was trained with."""
DUE = """
   Returns 1 where y is new, once in @NAME_STRIDE steps; else 0, and y is as it was."""
SOURCE = """\
/* @name: one time step of a recurrent network; @name.h says more. */
#include "@name.h"
@includes
@tables
@functions
@stages
@learning
void @name_reset(@name_state *state)
{
@reset
}

@returns @name_step(@name_state *state@by, const @real *x@dt, @real *y)
{
@step
}
@deploy"""


class Source(NamedTuple):
    """The text of the two files, and what is known of them.

    Attributes
    ----------
    header, source : str
    table_bytes : int
        Of all tables.
    state_bytes, stack_bytes : int
        Of the state, and of the temporary variables of a step.
    learnt_bytes, learn_stack_bytes : int
        Of what learns, and of the temporary variables of learning; 0 where nothing does.
    terms : int
        Products that a step adds up beside those of the program.
    """

    header: str
    source: str
    table_bytes: int
    state_bytes: int
    stack_bytes: int
    learnt_bytes: int
    learn_stack_bytes: int
    terms: int


def source(
    program: Program, name: str, arithmetic: Arithmetic, unroll: bool, about: str, learning: Learns | None = None
) -> Source:
    """Write a program in C.

    Parameters
    ----------
    program : Program
        As `prepared` gives it.
    name : str
    arithmetic : Arithmetic
    unroll : bool
    about : str
        What the head of the header says.
    learning : Learns, optional
        What goes on learning.
    """
    if learning is not None:
        program = learning.written(program)
    writer = Writer(program, name, arithmetic, unroll, "y" if learning is None else learning.y)
    learns = NOTHING if learning is None else learning.parts(name, writer)
    reset = _reset(program, writer)  # before the text of the tables is read, since it may add one
    room = max(program.state_size, 1)  # C has no arrays of no elements
    values: dict[str, object] = {
        "name": name,
        "NAME": name.upper(),
        "about": _wrapped(about),
        "real": arithmetic.c_type,
        "inputs": program.input_size,
        "outputs": program.output_size if learning is None else learning.outputs,
        "states": program.state_size,
        "room": room,
        "takes_dt": int(program.takes_dt),
        "dt": f", {arithmetic.c_type} dt" if program.takes_dt else "",
        "more": TIME * program.takes_dt + filled(DUE, {"NAME": name.upper()}) * (program.stride > 1),
        "returns": "int" if program.stride > 1 else "void",
        "stride": program.stride,
        "tables": writer.tables.text,
        "functions": arithmetic.functions(name),
        "stages": writer.functions,
        "reset": reset + learns.reset,
        "step": _step(program, writer, learns),
        **learns.text,
    }
    shown = {"includes": _includes(arithmetic.header_includes()), "interface": arithmetic.interface(name)}
    header = filled(HEADER, values | shown)
    includes = (*arithmetic.includes(), *(["<stdint.h>"] if writer.tables.needs_stdint else []))
    text = filled(SOURCE, values | {"includes": _includes(includes)})
    counts = room + learns.state, writer.scratch + learns.step_scratch, learns.learnt, learns.scratch
    state, stack, learnt, scratch = (count * BYTES[arithmetic.c_type] for count in counts)
    tables = writer.tables.size
    return Source(_tidy(header), _tidy(text), tables, state, stack, learnt, scratch, learns.terms)


def _wrapped(about: str) -> str:
    """Lines for a comment."""
    lines = [part for line in about.splitlines() for part in textwrap.wrap(line, 97, break_long_words=False)]
    return "\n".join(f"   {line}" for line in lines)


def _includes(names: Sequence[str]) -> str:
    return "".join(f"#include {name}\n" for name in sorted({*names}))


def _tidy(text: str) -> str:
    """At most one empty line together."""
    return re.sub(r"\n{3,}", "\n\n", text)


def _reset(program: Program, writer: Writer) -> str:
    """The statements of NAME_reset."""
    lines, start = Lines(), program.start
    if not start.size:
        lines.add("state->values[0] = 0;")
    elif (start == start[0]).all():
        with lines.block(f"for (int i = 0; i < {start.size}; i++)"):
            lines.add(f"state->values[i] = {writer.table('start', start[:1], 'start', '0')};")
    else:
        with lines.block(f"for (int i = 0; i < {start.size}; i++)"):
            lines.add(f"state->values[i] = {writer.table('start', start, 'start', 'i')};")
    return lines.text.rstrip()


def _step(program: Program, writer: Writer, learns: Parts) -> str:
    """The statements of NAME_step."""
    lines, statements = Lines(), (*learns.before, *writer.calls, *learns.behind)
    calls = " ".join(statements)
    if writer.scratch:
        lines.add(f"{writer.arithmetic.c_type} t[{writer.scratch}];")
        lines.add("")
    for parameter in ("state", "x", "dt", "y"):
        if not re.search(rf"\b{parameter}\b", calls) and (parameter != "dt" or program.takes_dt):
            lines.add(f"(void){parameter};")
    lines.add(*statements)
    if program.stride > 1:
        lines.add("return 1;")
    return lines.text.rstrip()
