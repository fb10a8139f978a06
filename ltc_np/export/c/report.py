"""report.md: what an export takes of flash, memory and time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from ..counts import operations
from ..program import Program
from .learning import Learns
from .sizes import FLAGS, TARGETS, Size
from .source import Source


def report(
    name: str, program: Program, source: Source, about: str, sizes: Mapping[str, Size], learning: Learns | None
) -> str:
    """The text."""
    lines = [f"# {name}", "", *about.splitlines(), "", "## Memory", ""]
    lines += [
        f"* Tables of weights and synapses, in flash: {source.table_bytes} bytes.",
        f"* State, one for each sequence that runs: {source.state_bytes} bytes.",
        f"* Temporary numbers of a step, on the stack: {source.stack_bytes} bytes. There is no heap.",
    ]
    found = operations(program)
    if learning is not None:
        lines += [
            f"* The {learning.word}, which learns, one for all sequences or one for each: {source.learnt_bytes} bytes.",
            f"* Temporary numbers of learning, on the stack: {source.learn_stack_bytes} bytes.",
        ]
        terms = dict.fromkeys(("multiply", "add"), source.terms)
        found = dict((Counter(found) + Counter(terms)).most_common())
    lines.append("")
    if sizes:
        lines += [f"Measured with `{FLAGS}`; routines that the compiler links for its target are not counted.", ""]
        lines += ["| target | flags | flash: code and tables | state | stack |", "|---|---|---|---|---|"]
        for target, size in sizes.items():
            flags = TARGETS[target][1]
            lines.append(f"| {target} | `{flags}` | {size.flash} | {source.state_bytes} | {size.stack} |")
        lines.append("")
    which = f"a step with an output, one of {program.stride}" if program.stride > 1 else "one step"
    lines += [f"## Operations of {which}", "", "| operation | number |", "|---|---|"]
    lines += [f"| {operation} | {number} |" for operation, number in found.items()]
    return "\n".join(lines) + "\n"
