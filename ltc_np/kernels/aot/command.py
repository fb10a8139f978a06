"""``python -m ltc_np build-kernels``: the kernels of the CPU as shared libraries, one for each level of processors.

Nothing is written in C: Numba compiles each kernel for the types in `ltc_np.kernels.signatures`, `entry` writes the
functions that Python calls, and a C compiler links the objects.
"""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
from functools import partial

from ...base import files
from ...base.command_line import DONE, Parser, report, run
from ..library import FOLDER, LEVELS, MANIFEST, VARIABLE, Unusable, has_levels, read_manifest
from ..signatures import CALLED, SIGNATURES, of_address
from ..sources import library_hash

ABOUT = """\
Compile the kernels of the CPU into shared libraries, with which calls need no Numba and the first one does not wait.

They are written into the package's folder, where every process finds them, or into another folder for a wheel.  This
needs Numba and a C compiler (cc), which only links, and takes about two minutes a level.

examples:
    python -m ltc_np build-kernels
    python -m ltc_np build-kernels --levels x86-64-v3 --out libraries"""

# What LLVM calls the features that `simd` asks for; all else it knows by the level's name.
FEATURES = {
    "x86-64-v4": "+avx2,+fma,+avx512f,+avx512bw,+avx512cd,+avx512dq,+avx512vl,-prefer-256-bit",
    "x86-64-v3": "+avx2,+fma",
}


def main(argv=None):
    """Build; the exit status."""
    parser = Parser("build-kernels", ABOUT)
    levels = f"of {', '.join(LEVELS)}; default: all of them"
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=list(LEVELS), metavar="LEVEL", help=levels)
    parser.add_argument("--out", type=pathlib.Path, default=FOLDER, metavar="FOLDER", help="default: %(default)s")
    parser.add_output()
    return run(parser, _build, argv)


def _build(args):
    if not has_levels():
        raise OSError("compiled kernels can be built only on Linux and x86-64, and with CPython")
    linker = shutil.which("cc")
    needed = {
        "Numba, which compiles them (`pip install numba`)": importlib.util.find_spec("numba"),
        "a C compiler called cc, which links them": linker,
    }
    missing = [what for what, found in needed.items() if found is None]
    if missing:
        raise ImportError(f"to build kernels there must be {' and '.join(missing)}")
    say = partial(print, file=sys.stderr, flush=True)
    built = build(args.levels, args.out, linker, say=(lambda text: None) if args.quiet else say)
    lines = [f"{args.out / name}.so, {size:,} bytes" for name, size in built.items()]
    report({"folder": str(args.out), "bytes": built}, lines, args.json)
    return DONE


def build(levels, folder, linker, say, kernels=tuple(SIGNATURES)):
    """Write the libraries of these levels and the manifest into the folder; the size of each in bytes.

    Levels are compiled side by side.  Nothing in the folder is touched before all of them are done, and libraries of
    other levels stay.  The manifest is written last: whoever starts meanwhile finds a checksum that does not match.
    """
    sources, levels = library_hash(), list(dict.fromkeys(levels))
    folder.mkdir(parents=True, exist_ok=True)
    files.check_takes_files(folder)  # before minutes of work
    with tempfile.TemporaryDirectory() as place:
        objects = {level: pathlib.Path(place) / level for level in levels}
        running = {level: _start(level, objects[level], kernels) for level in levels}
        try:
            for level, process in running.items():
                _follow(level, process, len(kernels), say)
        finally:
            for process in running.values():
                process.kill()
                process.communicate()
        found = {level: _link(linker, objects[level], kernels) for level in levels}
    if library_hash.__wrapped__() != sources:
        raise OSError("the sources have changed while they were compiled; build again")
    common = {"sources": sources, "made with": _tools(linker)}
    entries = _entries_that_stay(folder) | {
        level: {"sha256": hashlib.sha256(content).hexdigest()} | common for level, content in found.items()
    }
    manifest = {"libraries": dict(sorted(entries.items()))}
    contents = {folder / f"{level}.so": content for level, content in found.items()}
    files.write_all(contents | {folder / MANIFEST: json.dumps(manifest, indent=2).encode() + b"\n"})
    return {level: len(content) for level, content in found.items()}


def _entries_that_stay(folder):
    """What the manifest says of libraries that lie in the folder."""
    try:
        entries = read_manifest(folder) or {}
    except Unusable:  # none of them could be used
        return {}
    return {level: entry for level, entry in entries.items() if (folder / f"{level}.so").is_file()}


def _tools(linker):
    """Versions that decide about the bytes of a library, for those who make it again to compare."""
    found = {name: importlib.metadata.version(name) for name in ("numba", "llvmlite")}
    for name, option in (("cc", "--version"), ("linker", "-Wl,--version")):
        said = _said([linker, option], stderr=subprocess.DEVNULL)  # there cc tells its steps
        found[name] = said.partition("\n")[0]
    return found


def _said(command, **options):
    """What a program writes to standard output; an OSError where it fails."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, **options)
    if done.returncode:
        raise OSError(f"`{' '.join(command[:2])}` ended with exit status {done.returncode}")
    return done.stdout


def _start(level, objects, kernels):
    """The process that compiles a level; it says the name of each kernel that is done."""
    from . import level as compiler  # here, since it needs Numba

    objects.mkdir()
    # Without Numba's other variables, which would make another library of the same sources.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NUMBA_")}
    environment |= {VARIABLE: "numba", "NUMBA_CPU_NAME": level, "NUMBA_CPU_FEATURES": FEATURES[level]}
    command = [sys.executable, "-m", compiler.__name__, str(objects), *kernels]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def _follow(level, process, total, say):
    for count, line in enumerate(process.stdout, 1):
        say(f"{level}: {count} of {total}, {line.strip()}")
    status = process.wait()
    if status:
        raise OSError(f"compiling the kernels for {level} ended with exit status {status}; the reason stands above")


def _link(linker, objects, kernels):
    """The library, as bytes: it needs nothing but what every C library has, and shows only what Python calls."""
    addresses = (of_address(name) for name in kernels if name in CALLED)
    shown = "; ".join(f'"{name}"' for name in (*kernels, *addresses, "ltc_np_python", "ltc_np_probe"))
    (objects / "shown").write_text(f"{{ global: {shown}; local: *; }};")
    names = sorted(path.name for path in objects.glob("*.o"))  # one order, so that the bytes are always the same
    flags = ["-shared", "-nostdlib", "-s", "-Wl,--version-script=shown", "-Wl,--build-id=none", "-Wl,-z,noexecstack"]
    _said([linker, *flags, "-o", "kernels.so", *names], cwd=objects)
    return (objects / "kernels.so").read_bytes()
