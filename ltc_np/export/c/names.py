"""Names in C: which a model may have, and what is made of other text."""

from __future__ import annotations

import re

from ...base import checks

# Of C99 and C++20, so that the header serves both.
WORDS = """
    alignas alignof and and_eq asm auto bitand bitor bool break case catch char char16_t char32_t char8_t class co_await
    co_return co_yield compl concept const const_cast consteval constexpr constinit continue decltype default delete do
    double dynamic_cast else enum explicit export extern false float for friend goto if inline int long main mutable
    namespace new noexcept not not_eq nullptr operator or or_eq private protected public register reinterpret_cast
    requires restrict return short signed sizeof static static_assert static_cast struct switch template this
    thread_local throw true try typedef typeid typename union unsigned using virtual void volatile wchar_t while xor
    xor_eq
"""
RESERVED = frozenset(WORDS.split())
LONGEST = 40  # characters: with what is put behind it a name stays below the 63 that C99 tells apart


def identifier(name: object) -> str:
    """``name``, if what begins with it may be names of files, types and functions in C."""
    text = checks.text("name", name)
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", text) or "__" in text or text in RESERVED or len(text) > LONGEST:
        rule = f"a letter, then letters, digits and single underscores, at most {LONGEST}, and no word of C or C++"
        raise ValueError(f"`name` must be a C identifier ({rule}), got {text!r}")
    return text


def part_of_name(text: str) -> str:
    """``text`` in lower case, with underscores for what a name in C cannot have."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
