"""Numba's types of the short language of `ltc_np.kernels.signatures`."""

import itertools
import re

from numba.core import types

_TOKENS = re.compile(r"\(|\)|[^\s()]+")


def signatures(line):
    """Every signature of a line: of both working precisions, with every one of its alternatives."""
    found, tokens = [], _TOKENS.findall(line)
    open_brackets = list(itertools.accumulate((token == "(") - (token == ")") for token in tokens))
    if open_brackets[-1:] != [0] or min(open_brackets) < 0:
        raise ValueError(f"every bracket must have its other one, got the line {line!r}")
    for real in (types.float32, types.float64):
        known = {"i": types.int64, "b": types.boolean, "d": types.float64, "r": real, "None": types.none}
        known |= {
            f"{letter}{n}": types.Array(kind, n, "C")
            for n in range(1, 5)
            for letter, kind in (("R", real), ("D", types.float64), ("I", types.int64))
        }
        found += [tuple(_read(iter(one), known)) for one in _alternatives(tokens)]
    return found


def _alternatives(tokens):
    """Lists of tokens without ``|``."""
    for k, token in enumerate(tokens):
        if "|" in token:
            return [found for one in token.split("|") for found in _alternatives([*tokens[:k], one, *tokens[k + 1 :]])]
    return [tokens]


def _read(tokens, known):
    """The types up to the end, or up to the bracket that closes."""
    for token in tokens:
        if token == ")":
            return
        if token != "(" and token not in known:
            raise ValueError(f"a line must have words of its language, got {token!r}")
        yield types.Tuple(tuple(_read(tokens, known))) if token == "(" else known[token]
