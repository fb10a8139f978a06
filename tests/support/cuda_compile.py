"""Compiles the CUDA kernels as a GPU's driver would, without one: signatures from the host code, PTX, machine code.

`launches` runs the host code with kernels that do nothing and keeps the types of their arguments.  `compile_kernel`
asks NVVM for PTX and the toolkit's ptxas, or else nvJitLink, for machine code, and reads both; `everything` does so for
all kernels, on all cores.  Run as a script it prints what becomes of the float32 kernels that have sigmoids.
"""

import functools
import math
import os
import re
import shutil
import struct
import subprocess
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import numba
import numpy as np

from ltc_np.kernels.cuda import device
from support.cuda_uses import installed, use_everything
from support.emulator import DeviceArray, Emulator, check_launch, shape

ARCHITECTURES = ((7, 5), (8, 0), (9, 0))
MUFU, BRANCH, EX2 = 0x308, 0x947, 2  # codes of instructions, compute capability 7 to 9


class Recorder(Emulator):
    """Starts nothing; ``seen`` has the most threads of a block for every kernel and types of arguments."""

    def __init__(self):
        super().__init__()
        self.seen = {}

    def launch(self, function, grid, block, args):
        grid, block = shape(grid), shape(block)
        check_launch(function, grid, block)
        key = function, tuple(numba.typeof(a) for a in self.given(args))
        self.seen[key] = max(self.seen.get(key, 0), math.prod(block))

    def empty(self, size, dtype):
        return DeviceArray(np.zeros(size, dtype))


# By N and B a thread has 1, 2 or 4 sequences; 512 units make the largest block.
SIZES = ((5, 3), (64, 1024), (64, 2048), (512, 1), (512, 128), (512, 256))


@functools.cache
def launches(dtype):
    """{(kernel, types): most threads of a block} of everything the host code can launch."""
    recorder = Recorder()
    with installed(recorder):
        use_everything(dtype, SIZES)
    return recorder.seen


# ---------------------------------------------------------------------------------------------------- compilation


@dataclass(frozen=True)
class Compiled:
    """What a kernel becomes; ``per_sigmoid`` are instructions per sigmoid of its innermost loops that have any."""

    kernel: str
    sequences: int  # of a thread
    types: tuple
    cc: tuple
    threads: int  # the most of a block that is launched
    bound: int  # and for which it was compiled
    ptx: str
    registers: int
    stack: int
    spilled: int
    shared: int
    instructions: int
    per_sigmoid: tuple


def compile_kernel(kernel, types, cc, threads):
    from numba import cuda

    with mock.patch("numba.cuda.dispatcher.get_current_device", lambda: mock.Mock(compute_capability=cc)):
        ptx, _ = cuda.compile_ptx(kernel.py_func, types, cc=cc, launch_bounds=(kernel.threads, 1))
    log, cubin = _assemble(ptx, f"sm_{cc[0]}{cc[1]}")

    def number(pattern):
        return int(re.search(pattern, log).group(1))

    code = max(_sections(cubin), key=len)  # the kernel; others are divisions it calls
    spilled = number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads")
    shared = sum(int(n) for n in re.findall(r"\.shared .*\[(\d+)\]", ptx))
    return Compiled(
        kernel.py_func.__name__, sequences(kernel), tuple(map(str, types)), cc, threads, kernel.threads, ptx,
        number(r"Used (\d+) registers"), number(r"(\d+) bytes stack frame"), spilled, shared, len(code),
        tuple(_per_sigmoid(code, cc)),
    )  # fmt: skip


def _all_kernels(dtype, cc):
    return [compile_kernel(kernel, types, cc, threads) for (kernel, types), threads in launches(dtype).items()]


def everything(dtype):
    """`Compiled`, of every kernel on every architecture."""
    with ProcessPoolExecutor(os.cpu_count(), get_context("spawn")) as pool:
        found = pool.map(_all_kernels, [dtype] * len(ARCHITECTURES), ARCHITECTURES)
        return [code for codes in found for code in codes]


def why_not():
    """None, or why nothing can be compiled."""
    if device.cuda is None:
        return device.broken
    from numba.cuda.cudadrv import nvvm

    if not nvvm.is_available():
        return f"no NVVM: {device.INSTALL}"
    if shutil.which("ptxas") is None and _nvjitlink() is None:
        return f"neither ptxas nor nvJitLink: {device.INSTALL}"
    return None


def _nvjitlink():
    try:
        from cuda.bindings import nvjitlink

        nvjitlink.version()
    except Exception:  # the bindings' own way to say that the library is not there
        return None
    return nvjitlink


def _assemble(ptx, arch):
    """What the assembler says, and the machine code."""
    if shutil.which("ptxas"):
        with tempfile.TemporaryDirectory() as folder:
            source, cubin = Path(folder) / "k.ptx", Path(folder) / "k.cubin"
            source.write_text(ptx)
            command = ["ptxas", "-v", f"-arch={arch}", "-o", str(cubin), str(source)]
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode == 0:
                return done.stderr, cubin.read_bytes()
            if "Unsupported .version" not in done.stderr or _nvjitlink() is None:  # a ptxas older than NVVM
                raise RuntimeError(done.stderr)
    link, code = _nvjitlink(), ptx.encode()
    handle = link.create(2, [f"-arch={arch}", "-Xptxas=-v"])
    link.add_data(handle, link.InputType.PTX, code, len(code), "kernel")
    link.complete(handle)
    log, cubin = bytearray(link.get_info_log_size(handle)), bytearray(link.get_linked_cubin_size(handle))
    link.get_info_log(handle, log)
    link.get_linked_cubin(handle, cubin)
    link.destroy(handle)
    return log.decode(), bytes(cubin)


def _sections(cubin):
    """The functions of a 64-bit ELF file, as lists of instructions, each two words of 8 bytes."""
    (table,) = struct.unpack_from("<Q", cubin, 40)
    size, count, names = struct.unpack_from("<3H", cubin, 58)
    headers = [struct.unpack_from("<IIQQQQ", cubin, table + k * size) for k in range(count)]
    for name, _, _, _, offset, length in headers:
        if cubin.startswith(b".text.", headers[names][4] + name):
            yield list(struct.iter_unpack("<QQ", cubin[offset : offset + length]))


def _target(k, low, high, cc):
    """Where the branch at k goes."""
    offset = low >> 34 | (high & 0x3FFFF) << 30
    if cc >= (9, 0):
        offset = offset << 8 | low >> 16 & 0xFF
    sign = 1 << (55 if cc >= (9, 0) else 47)
    return k + 1 + ((offset & sign - 1) - (offset & sign)) // 4


def _per_sigmoid(code, cc):
    """Instructions per sigmoid (one 2**x each) of the innermost loops that have sigmoids."""
    is_exp2 = [low & 0xFFF == MUFU and high >> 10 & 0x3F == EX2 for low, high in code]
    ends = [(_target(k, *words, cc), k) for k, words in enumerate(code) if words[0] & 0xFFF == BRANCH]
    loops = [(first, last) for first, last in ends if first < last]  # one instruction that jumps to itself is the end
    for first, last in loops:
        inner = any((a, b) != (first, last) and first <= a and b <= last for a, b in loops)
        if sum(is_exp2[first : last + 1]) and not inner:
            yield (last + 1 - first) / sum(is_exp2[first : last + 1])


def sequences(kernel):
    """How many sequences a thread of a sweep has: R of the function that made it; else 1."""
    function = kernel.py_func
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    return cells["R"].cell_contents if "R" in cells else 1


def main():
    for code in everything("float32"):
        if code.per_sigmoid:
            loops = ", ".join(f"{n:.1f}" for n in sorted(code.per_sigmoid))
            name = "{}, {} to a thread, sm_{}{}".format(code.kernel, code.sequences, *code.cc)
            print(f"{name}: {code.registers} registers, {code.shared} bytes shared, {loops} instructions a sigmoid")


if __name__ == "__main__":
    main()
