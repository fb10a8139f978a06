"""What was measured, for TensorBoard."""

from __future__ import annotations

import os
from typing import Any

from ...base.optional import need
from ...base.types import Logs, PathLike
from .base import Callback


class TensorBoard(Callback):
    """Write what is measured in every epoch to a folder that TensorBoard shows (``tensorboard --logdir FOLDER``).

    Needs tensorboardX (``pip install "ltc-np[tensorboard]"``).

    Parameters
    ----------
    folder : str or Path
        Made if it is not there.  Each training adds a file of events; take a folder for each, so that TensorBoard shows
        them as curves of their own.  One that is resumed takes the place of the epochs that are trained again.

    Raises
    ------
    ImportError
        tensorboardX is not installed.
    """

    folder: PathLike
    writer: Any

    first_rank_only = True

    def __init__(self, folder: PathLike) -> None:
        if not isinstance(folder, (str, os.PathLike)):
            raise TypeError(f"`folder` must be a str or Path, got {folder!r}")
        self.folder = folder
        self._package()

    def _package(self) -> Any:
        return need("tensorboardX", "tensorboard", "`TensorBoard`")

    def on_train_begin(self) -> None:
        purge = self.initial_epoch or None  # events from here on, of a file of before, do not count any more
        self.writer = self._package().SummaryWriter(str(self.folder), purge_step=purge)

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, value in logs.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()

    def on_train_end(self) -> None:
        self.writer.close()
