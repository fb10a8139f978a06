"""Tables: named columns in files of CSV, of NumPy (.npz) and of Parquet, read and written."""

from __future__ import annotations

import csv
import difflib
import io
import pathlib
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, TextIO

import numpy as np

from ..base import archive, files
from ..base.checks import counted, warn
from ..base.optional import need
from ..base.types import Numbers
from ..base.visible import visible
from .arrays import are_sequences, rows_of
from .columns import MOST_NAMES, Column, is_number, some

DELIMITERS = ",;\t"
TABS = ".tsv", ".tab"  # endings of files in which nothing else is between cells
FORMULAS = "=+-@\uff1d\uff0b\uff0d\uff20"  # what a formula begins with, the wide forms too
STANDARD = "-"  # the name of standard input or output, where a table is CSV
MOST_WORDS = 600  # characters of an error, beside the path


class Table(NamedTuple):
    """The columns of a file, all of the same length."""

    path: pathlib.Path
    columns: dict[str, Column]
    families: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 - a NamedTuple's default; array -> its columns
    sequences: bool = False  # the rows are the steps of sequences, which the column `SEQUENCE` numbers

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())).cells)

    def column(self, name: str, option: str = "") -> Column:
        """A column by its name; an error says which one may have been meant."""
        if name in self.columns:
            return self.columns[name]
        close = difflib.get_close_matches(name, self.columns, 3) or [
            other for other in self.columns if other.lower() == name.lower()
        ]
        meant = f"did you mean {' or '.join(f'`{other}`' for other in close)}?" if close else f"it has {self._some()}"
        if option == "--time" and not close:
            meant += "; leave --time out if every row comes as long after the one before"
        raise ValueError(f"{self.path}: no column `{name}`{option and f' for {option}'}: {meant}")

    def _some(self) -> str:
        """The first names of columns, and how to see all."""
        names = some([f"`{name}`" for name in self.columns])
        by_hand = len(self.columns) > MOST_NAMES and READERS.get(self.path.suffix) is _read_csv
        return f"{names} (head -n 1 {self.path} shows all)" if by_hand else names

    def named(self, text: str, option: str) -> tuple[str, ...]:
        """The names in an option: one, or several with commas between them."""
        given = [text] if text in self.columns else [name.strip() for name in text.split(",")]
        families = self.families | {name: (name,) for name in self.columns}
        names = [column for name in given for column in families.get(name, (name,))]
        for name in names:
            self.column(name, option)
        if len(set(names)) < len(names):
            raise ValueError(f"{option} must name every column once, got {text}")
        return tuple(names)


# ------------------------------------------------------------------------------------------------------------ reading


def read(path: str) -> Table:
    """The table in a file, whose kind its name says, or in standard input."""
    where = pathlib.Path("standard input" if path == STANDARD else path)
    reader = _read_standard_input if path == STANDARD else READERS[_kind(where, READERS)]
    if path != STANDARD:
        files.check_readable(where, "TABLE")
    try:
        table = reader(where)
    except ValueError as error:  # which may quote names of any length
        words = visible(" ".join(str(error).split()))
        raise ValueError(
            words if len(words) <= len(path) + MOST_WORDS else f"{words[: len(path) + MOST_WORDS]}..."
        ) from None
    if not table.columns:
        raise ValueError(f"{where}: has no columns")
    if not table.rows:
        raise ValueError(f"{where}: has no rows below the names of its columns")
    return table


def _kind(path: pathlib.Path, known: Mapping[str, object]) -> str:
    kind = path.suffix.lower()
    if kind not in known:
        raise ValueError(f"{path}: the name of a table must end in {', '.join(known)}: save it as one of these kinds")
    return kind


def _read_csv(path: pathlib.Path) -> Table:
    with open(path, encoding="utf-8-sig", newline="") as file:
        return _of_text(path, file)


def _read_standard_input(path: pathlib.Path) -> Table:
    content = io.BytesIO(sys.stdin.buffer.read())  # which cannot be read twice itself
    return _of_text(path, io.TextIOWrapper(content, "utf-8-sig", newline=""))


def _of_text(path: pathlib.Path, file: TextIO) -> Table:
    """The table in text of CSV; ``path`` is what errors call it."""
    try:
        first = file.readline()
        file.seek(0)
        tabs = path.suffix.lower() in TABS
        reader = csv.reader(file, delimiter="\t" if tabs else max(DELIMITERS, key=first.count), strict=True)
        names = [name.strip() for name in next(reader, [])]
        _check_names(path, names)
        cells, lines = [], []
        for row in reader:
            if not row:
                continue
            if len(row) != len(names):
                got = f"{len(row)} in line {reader.line_num}"
                raise ValueError(f"{path}: every line must have {len(names)} cells as the first has, got {got}")
            cells.append(row)
            lines.append(reader.line_num)
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is no text in UTF-8, so no file of CSV: save it as UTF-8") from None
    except csv.Error as error:
        raise ValueError(f"{path}: is no file of CSV: {error} in line {reader.line_num}") from None

    def place(row: int) -> str:
        return f"in line {lines[row]}"

    columns = np.array(cells, object).T if cells else np.empty((len(names), 0), object)
    return Table(path, {name: Column(name, values, place) for name, values in zip(names, columns, strict=True)})


def _check_names(path: pathlib.Path, names: Sequence[str]) -> None:
    """Refuse a first line that does not name the columns."""
    if not names:
        raise ValueError(f"{path}: is empty")
    if "" in names:
        hint = "write them with to_csv(path, index=False)" if names[0] == "" else "give it one"
        raise ValueError(f"{path}: column {names.index('') + 1} has no name in the first line: {hint}")
    _check_unique(path, names)
    if all(map(is_number, names)):
        raise ValueError(f"{path}: the first line must name the columns, got {', '.join(names)[:60]}")


def _check_unique(path: pathlib.Path, names: Sequence[str]) -> None:
    name, times = Counter(names).most_common(1)[0] if names else ("", 0)
    if times > 1:
        raise ValueError(f"{path}: has two columns `{name}`: give each a name of its own")


def _place(row: int) -> str:
    return f"in row {row}"


def _read_npz(path: pathlib.Path) -> Table:
    try:
        arrays = archive.read(path, foreign=True)
    except archive.FileError as error:
        raise ValueError(f"{path}: {error}") from None
    if "theta" in arrays and "meta" in arrays:
        raise ValueError(f"{path}: is a model, and a table is wanted")
    place, sequences = _place, are_sequences(arrays)
    if sequences:
        try:
            arrays, of_row, step = rows_of(arrays)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

        def place(row: int) -> str:
            return f"in sequence {of_row[row]}, step {step[row]}"

    columns: dict[str, Numbers] = {}
    families: dict[str, tuple[str, ...]] = {}
    for name, array in arrays.items():
        if array.ndim not in (1, 2):
            rule = (
                "the arrays of a table are (rows,), or (rows, k) for k columns NAME_0, NAME_1, ..., "
                "and sequences are in `x` (B, T, I)"
            )
            raise ValueError(f"{path}: {rule}, got `{name}` of shape {array.shape}")
        rows = list(array.T) if array.ndim == 2 else []
        parts = {name: array} if array.ndim == 1 else {f"{name}_{k}": part for k, part in enumerate(rows)}
        if parts.keys() & columns.keys():
            raise ValueError(f"{path}: has two columns `{min(parts.keys() & columns.keys())}`")
        columns |= parts
        families[name] = tuple(parts)
    lengths = {len(array) for array in columns.values()}
    if len(lengths) > 1:
        shown = ", ".join(f"`{name}` {len(array)}" for name, array in list(columns.items())[:6])
        raise ValueError(f"{path}: the arrays of a table must have equally many rows, got {shown}")
    for name, array in columns.items():
        if array.dtype.kind not in "biufMU":
            raise ValueError(f"{path}: column `{name}` must hold numbers, dates or text, got dtype {array.dtype}")
    cells = {name: Column(name, array, place) for name, array in columns.items()}
    return Table(path, cells, families, sequences)


def _read_parquet(path: pathlib.Path) -> Table:
    parquet = need("pyarrow.parquet", "cli", f"reading {path}")
    with open(path, "rb"):  # its errors name the file
        pass
    try:
        with parquet.ParquetFile(path) as file:
            table = file.read()
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: no file of Parquet, or damaged: {error}") from None
    _check_unique(path, table.column_names)
    arrays = {name: table[name].combine_chunks() for name in table.column_names}
    for name, array in arrays.items():
        if (zone := getattr(array.type, "tz", None)) not in (None, "UTC"):
            warn(f"{path}: column `{name}` has the time zone {zone}: its dates are read, and written, in UTC")
        array = array.dictionary_decode() if hasattr(array, "dictionary_decode") else array
        arrays[name] = array.to_numpy(zero_copy_only=False)
    return Table(path, {name: Column(name, array, _place) for name, array in arrays.items()})


READERS: dict[str, Callable[[pathlib.Path], Table]] = {
    **dict.fromkeys((".csv", *TABS, ".txt"), _read_csv), ".npz": _read_npz, ".parquet": _read_parquet,
}  # fmt: skip
ABOUT = f"a file {', '.join(READERS)}, or - for CSV from standard input"

# ------------------------------------------------------------------------------------------------------------ writing


def check_kind(path: str) -> None:
    """Refuse a name that is none of a table, and a kind whose library is missing."""
    if path == STANDARD:
        return
    if _kind(pathlib.Path(path), WRITERS) == ".parquet":
        need("pyarrow.parquet", "cli", f"writing {path}")


def written(path: str, columns: Mapping[str, Numbers]) -> bytes:
    """The content of a file with these columns, of the kind that its name says."""
    if path == STANDARD:
        return _csv(columns)
    return WRITERS[_kind(pathlib.Path(path), WRITERS)](columns)


def _csv(columns: Mapping[str, Numbers], delimiter: str = ",") -> bytes:
    _warn_of_formulas(columns)
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*(map(_text, column) for column in columns.values()), strict=True))
    return text.getvalue().encode()


def _text(cell: Any) -> str:
    """A cell in a file; str and not repr, since of float32 it is the shortest text that reads as the same number."""
    return "" if cell != cell else str(cell)


def _warn_of_formulas(columns: Mapping[str, Numbers]) -> None:
    """Tell of text that spreadsheets run.  It is written as it is, since other programs shall read the same names."""
    texts = [*columns, *(str(cell) for column in columns.values() if column.dtype.kind in "OU" for cell in column)]
    found = [text for text in texts if text.lstrip()[:1] in FORMULAS and text.strip() and not is_number(text)]
    if found:
        count = counted(len(found), "cell")
        warn(
            f"{count} of the table may be run as formulas by a spreadsheet, such as {found[0][:40]!r}: import it there "
            "as text, or write .npz or .parquet"
        )


def _npz(columns: Mapping[str, Numbers]) -> bytes:
    content = io.BytesIO()
    named: dict[str, Any] = {name: _plain(column) for name, column in columns.items()}
    np.savez(content, **named)
    return content.getvalue()


def _parquet(columns: Mapping[str, Numbers]) -> bytes:
    parquet, arrow = need("pyarrow.parquet", "cli", "Parquet"), need("pyarrow", "cli", "Parquet")
    content = io.BytesIO()
    parquet.write_table(arrow.table({name: arrow.array(_plain(column)) for name, column in columns.items()}), content)
    return content.getvalue()


def _plain(column: Numbers) -> Numbers:
    """Text as an array of text."""
    return column.astype(str) if column.dtype.kind == "O" else column


WRITERS: dict[str, Callable[[Mapping[str, Numbers]], bytes]] = {
    ".csv": _csv, **dict.fromkeys(TABS, partial(_csv, delimiter="\t")), ".npz": _npz, ".parquet": _parquet,
}  # fmt: skip
WRITTEN = f"a file {', '.join(WRITERS)}, or - for CSV"
