"""What was measured, as a table in a file of text."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Sequence
from typing import Any, TextIO

from ...base.types import Logs, PathLike
from ...io import check_writable
from .base import Callback

NUMBER = re.compile("[0-9]{1,18}")  # of an epoch


class CSVLogger(Callback):
    """Write a line an epoch to a file: the epoch (from 0), then all that was measured, empty where it was not.

    Parameters
    ----------
    path : str or Path
        A new training begins a new file.  One that is resumed goes on with the lines of the epochs before it, in the
        file that is there.
    separator : str
        One character.

    Notes
    -----
    Every line is on disk when its epoch ends.  Numbers have all their digits.
    """

    path: PathLike
    separator: str
    file: TextIO
    writer: Any
    columns: list[str]

    first_rank_only = True

    def __init__(self, path: PathLike, separator: str = ",") -> None:
        if not isinstance(path, (str, os.PathLike)):
            raise TypeError(f"`path` must be a str or Path, got {path!r}")
        if not isinstance(separator, str) or len(separator) != 1 or separator in '"\r\n':
            raise ValueError(f"`separator` must be one character, and no quote or end of line, got {separator!r}")
        self.path, self.separator = path, separator

    def on_train_begin(self) -> None:
        check_writable(self.path)
        resumed = self.initial_epoch > 0 and os.path.exists(self.path)
        self.file = open(self.path, "r+" if resumed else "w", newline="", encoding="utf-8")
        try:
            self.writer = csv.writer(self.file, delimiter=self.separator, lineterminator="\n")
            self.columns = ["epoch", *self.measured]
            if resumed:
                self._go_to_the_epochs_of_before()
            else:
                self._write(self.columns)
        except BaseException:
            self.file.close()
            raise

    def _go_to_the_epochs_of_before(self) -> None:
        """Keep the lines before ``initial_epoch``, up to the first that is not whole."""
        try:
            self._cut()
        except (UnicodeDecodeError, csv.Error) as error:
            raise ValueError(f"`path` must hold a table to resume from, {self.path} is damaged: {error}") from None

    def _cut(self) -> None:
        header = self._read()
        if header != self.columns:
            wanted = self.separator.join(self.columns)
            raise ValueError(
                f"`path` must hold a table of {wanted} to resume from, {self.path} begins with {header!r:.200}"
            )
        end = self.file.tell()
        while (row := self._read()) and len(row) == len(self.columns) and NUMBER.fullmatch(row[0]):
            if int(row[0]) >= self.initial_epoch:
                break
            end = self.file.tell()
        self.file.seek(end)
        self.file.truncate()

    def _read(self) -> list[str]:
        """The next whole line, cut into its columns; nothing at the end."""
        line = self.file.readline()
        return next(csv.reader([line], delimiter=self.separator)) if line.endswith("\n") else []

    def _write(self, row: Sequence[object]) -> None:
        self.writer.writerow(row)
        self.file.flush()

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        self._write([epoch, *(logs.get(name, "") for name in self.measured)])

    def on_train_end(self) -> None:
        self.file.close()
