"""Flash and stack of an export, as a cross compiler counts them, where one is installed."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from typing import NamedTuple

# Targets by name: the compiler and its flags.
TARGETS = {
    "Cortex-M3": ("arm-none-eabi-gcc", "-mcpu=cortex-m3 -mthumb"),
    "Cortex-M4F": ("arm-none-eabi-gcc", "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"),
    "RV32IMAC": ("riscv64-unknown-elf-gcc", "-march=rv32imac -mabi=ilp32 --specs=picolibc.specs"),
}
FLAGS = "-std=c99 -Os -ffunction-sections -fdata-sections -fstack-usage"


class Size(NamedTuple):
    """Bytes on a target, without the compiler's own routines for arithmetic and without math.h's functions.

    Attributes
    ----------
    flash : int
        Code and tables.
    stack : int
        The frames of NAME_step and of what it calls in its own file, all at once; or of NAME_learn, if those are more.
    """

    flash: int
    stack: int


def measured(name: str, files: Mapping[str, str]) -> dict[str, Size]:
    """Sizes by target, for each whose compiler is installed."""
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        for file, text in files.items():
            pathlib.Path(folder, file).write_text(text, encoding="utf-8")
        for target, (compiler, flags) in TARGETS.items():
            if shutil.which(compiler):
                found[target] = _measured(name, folder, compiler, flags)
    return found


def _measured(name: str, folder: str, compiler: str, flags: str) -> Size:
    command = [compiler, *flags.split(), *FLAGS.split(), "-c", f"{name}.c", "-o", "object.o"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    tool = compiler.replace("gcc", "size")
    report = subprocess.run([tool, "object.o"], cwd=folder, check=True, capture_output=True, text=True).stdout
    text, data, _ = map(int, report.splitlines()[1].split()[:3])
    usage = pathlib.Path(folder, "object.su").read_text(encoding="utf-8")
    frames = {function: int(size) for function, size in re.findall(r":(\w+)\t(\d+)\t", usage)}
    step, learn = (
        sum(size for function, size in frames.items() if not re.fullmatch(f"{name}_({others})", function))
        for others in ("reset|deploy|learn|prepare|get|set", r"reset|deploy|step|get|set|\d+_\w+")
    )
    return Size(text + data, max(step, learn) if f"{name}_learn" in frames else step)
