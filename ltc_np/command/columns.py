"""A column of a table: its cells read as numbers, as times or as words.

Cells stay as they are in the file until someone asks a column for numbers, times or words, so that errors name the
place, and what is not asked for costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..base import checks
from ..base.types import Array, Bools, Ints, Numbers

MOST_NAMES = 12  # of columns, in a message
LARGEST = 2**62  # of times as whole numbers
# Cells that hold no value, in lower case.
EMPTY = {"", "na", "n/a", "nan", "null", "none"}
DATE = re.compile(r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|\+00:?00)?)?")
ZONE = re.compile(r"(?:Z|\+00:?00)$")  # UTC; others are no dates here
# A number as it is written where the comma is the decimal point, or stands between thousands: 3,14 and 1,234.5.
COMMA = re.compile(r"[+-]?[\d.]*\d,\d[\d.,]*(?:[eE][+-]?\d+)?")


class Column:
    """A column of a table.

    Parameters
    ----------
    name : str
    cells : (n,) array
        Text of a file of CSV; else of whatever dtype the file has.
    place : callable
        Where a row stands in the file, in words.
    """

    name: str
    cells: Numbers
    place: Callable[[int], str]

    def __init__(self, name: str, cells: Numbers, place: Callable[[int], str]) -> None:
        self.name, self.cells, self.place = name, cells, place

    def missing(self) -> Bools:
        """Where there is no value."""
        if self.cells.dtype.kind == "f":
            return np.isnan(self.cells)
        if self.cells.dtype.kind in "mM":
            return np.isnat(self.cells)
        if self.cells.dtype.kind in "OU":
            return np.array([_is_empty(cell) for cell in self.cells], bool)
        return np.zeros(len(self.cells), bool)

    def is_text(self) -> bool:
        """Whether a cell holds neither a number nor nothing."""
        return self.cells.dtype.kind in "OU" and self._first_text() is not None

    def is_words(self) -> bool:
        """Whether all that cells hold is words: no number, as it may be written, and no date."""
        if self.cells.dtype.kind not in "OU":
            return False
        words = [str(cell).strip() for cell in self.cells if not _is_empty(cell)]
        return bool(words) and not any(is_number(w) or COMMA.fullmatch(w) or DATE.match(w) for w in words)

    def numbers(self) -> Array:
        """(n,) float64, NaN where there is no value."""
        if self.cells.dtype.kind in "biuf":
            values = self.cells.astype(np.float64)
        elif self.cells.dtype.kind in "OU":
            if self._first_text() is not None:
                raise ValueError(self.no_numbers())
            values = np.array([np.nan if _is_empty(cell) else float(cell) for cell in self.cells], np.float64)
        else:
            raise ValueError(self.no_numbers())
        infinite = np.flatnonzero(np.isinf(values))
        if infinite.size:
            raise ValueError(f"column `{self.name}` must hold finite numbers, got {self.show(int(infinite[0]))}")
        limit = checks.largest(np.dtype("float32"))  # networks that are trained on tables compute in it
        large = np.flatnonzero(np.abs(values) > limit)
        if large.size:
            rule = f"must hold numbers of at most {limit:.1e}, got {self.show(int(large[0]))}"
            raise ValueError(f"column `{self.name}` {rule}: write it in a larger unit, or empty cells that are wrong")
        return values

    def holds_dates(self) -> bool:
        """Whether the first cell is a date, or text that is one."""
        kind = self.cells.dtype.kind
        return kind == "M" or (kind in "OU" and DATE.fullmatch(str(self.cells[0]).strip()) is not None)

    def has_commas(self) -> bool:
        """Whether the first cell that Python reads as text is a number with a comma in it."""
        bad = self._first_text() if self.cells.dtype.kind in "OU" else None
        return bad is not None and COMMA.fullmatch(str(self.cells[bad]).strip()) is not None

    def no_numbers(self, remedy: str = "") -> str:
        """The error of a column with text where numbers should be; of numbers with commas it says the remedy itself."""
        if self.has_commas():
            remedy = "write numbers with a decimal point and without other commas, such as 3.14"
        got = "dates such as " * (self.cells.dtype.kind == "M") + self.show(self._first_text() or 0)
        return f"column `{self.name}` must hold numbers, got {got}{remedy and f': {remedy}'}"

    def times(self) -> tuple[Numbers, str]:
        """(n,) int64 or float64, none missing; and in which unit they are if they are dates, "us" or "ns", else ""."""
        gone = np.flatnonzero(self.missing())
        if gone.size:
            raise ValueError(f"column `{self.name}` must hold a time in every row, got none {self.place(int(gone[0]))}")
        if self.cells.dtype.kind == "M":
            return self._whole(self.cells)
        if self.holds_dates():
            return self._dates()
        if self.is_text():
            raise ValueError(
                f"column `{self.name}` must hold numbers, or dates such as 2024-12-31 or 2024-12-31T23:59:59, got "
                f"{self.show(self._first_text() or 0)}: write all of them in one of these forms"
            )
        numbers: Any = self.cells
        if numbers.dtype.kind in "OU":
            try:
                numbers = [int(cell) for cell in numbers]
            except ValueError:
                return self.numbers(), ""
        elif numbers.dtype.kind == "f":
            return self.numbers(), ""
        # Whole numbers as such: those since 1970 in nanoseconds are too many for a float.  As int64, since differences
        # of shorter or unsigned ones may be other numbers; of larger ones these may be too.
        fits = int(min(numbers)) >= -LARGEST and int(max(numbers)) <= LARGEST
        return (np.array(numbers, np.int64) if fits else self.numbers()), ""

    def words(self) -> list[str | None]:
        """What the cells say, None where there is no value; 1.0 as 1."""
        cells = self.cells
        # An infinite number is no whole one, and NumPy warns of its remainder.
        if cells.dtype.kind == "f" and not np.isinf(cells).any() and (cells[~np.isnan(cells)] % 1 == 0).all():
            return [None if np.isnan(cell) else str(int(cell)) for cell in cells]
        gone = self.missing()
        return [None if none else str(cell).strip() for cell, none in zip(cells, gone, strict=True)]

    def show(self, row: int) -> str:
        """A cell and its place."""
        return f"{str(self.cells[row])[:40]!r} {self.place(row)}"

    def _dates(self) -> tuple[Ints, str]:
        texts = [str(cell).strip() for cell in self.cells]
        local = [ZONE.sub("", text) for text in texts]
        zoned = len(local[0]) < len(texts[0])
        for row, (text, stripped) in enumerate(zip(texts, local, strict=True)):
            if not DATE.fullmatch(text):
                raise ValueError(f"column `{self.name}` must hold dates as in its first row, got {self.show(row)}")
            if (len(stripped) < len(text)) != zoned:
                first = f"{self.show(0)} {'with' if zoned else 'without'} one"
                rule = f"column `{self.name}` must name the time zone of every date or of none, got {first} and"
                raise ValueError(f"{rule} {self.show(row)}: write Z behind all of them if all are UTC")
        fine = max(map(len, local)) > len("2024-12-31T23:59:59.123456")
        try:
            days = np.array([text[:10] for text in local], "datetime64[D]")
            found = np.array(local, "datetime64[ns]" if fine else "datetime64[us]")
        except ValueError as error:  # the 31st of February
            raise ValueError(f"column `{self.name}` must hold dates: {error}") from None
        if fine:
            self._check_years(days, 1678, 2261, " where one of them has nine decimals")
        return self._whole(found)

    def _whole(self, dates: Numbers) -> tuple[Ints, str]:
        """Dates as whole numbers of the largest unit that loses nothing."""
        if dates.dtype != "datetime64[us]" and np.promote_types(dates.dtype, "datetime64[us]") == "datetime64[us]":
            self._check_years(dates, -290_000, 290_000)
        for unit in "us", "ns":
            found = dates.astype(f"datetime64[{unit}]")
            if np.promote_types(dates.dtype, found.dtype) == found.dtype or (found.astype(dates.dtype) == dates).all():
                return found.astype(np.int64), unit
        raise ValueError(f"column `{self.name}` must hold dates of whole nanoseconds, got some of {dates.dtype}")

    def _check_years(self, dates: Numbers, first: int, last: int, where: str = "") -> None:
        """Refuse what whole numbers of 64 bits do not reach."""
        years = dates.astype("datetime64[Y]").astype(int) + 1970
        beyond = np.flatnonzero((years < first) | (years > last))
        if beyond.size:
            got = self.show(int(beyond[0]))
            raise ValueError(f"column `{self.name}` must hold dates from {first} to {last}{where}, got {got}")

    def _first_text(self) -> int | None:
        for row, cell in enumerate(self.cells):
            if not _is_empty(cell) and not is_number(cell):
                return row
        return None


def some(names: Sequence[str]) -> str:
    """The first names of columns, and how many more there are."""
    others = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {others} more" if others > 0 else "")


def _is_empty(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and cell.strip().lower() in EMPTY) or cell != cell


def is_number(cell: Any) -> bool:
    """Whether a cell holds a number as Python reads it."""
    try:
        float(cell)
        return "_" not in str(cell)  # Python reads 1_000
    except (TypeError, ValueError):
        return False
