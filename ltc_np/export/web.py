"""A model for web pages: its C compiled to WebAssembly, inside one script that loads nothing else."""

from __future__ import annotations

import base64
import os
import pathlib
import shutil
import subprocess
import tempfile
import textwrap
from collections.abc import Iterable

from ..base import files
from ..base.types import PathLike
from ..model import Model, check_model
from . import c
from .c.names import identifier
from .c.templates import filled
from .identity import identity

COMPILER, LINKER = "clang", "wasm-ld"
OPTIONS = "-std=c99", "-O2", "--target=wasm32", "-nostdlib", "-ffreestanding", "-Wl,--no-entry", "-Wl,--strip-all"

# What the script calls: the sequence that runs, and arrays for a step's numbers.  All that the export defines has an
# underscore behind its name, so these names, which have none, are free whatever the export is called.
CALLS = """\
#include "@name.h"

static @name_state state;
static float x[@inputs], y[@outputs];

float *states(void)
{
    return state.values;
}

float *inputs(void)
{
    return x;
}

float *outputs(void)
{
    return y;
}

void begin(void)
{
    @name_reset(&state);
}

@returns step(float dt)
{
    @step
}
"""
DUE = ",\n                         or null where none falls due"
FUNCTIONS = "states", "inputs", "outputs", "begin", "step"

SCRIPT = """\
/* @name: one time step of a recurrent network, as WebAssembly inside this script.

@about

   @name.create() gives a promise of a network with a state of its own:
     reset()             begin a sequence
     step(x, dt)         @inputs numbers x, the time dt since the step before: a Float32Array of @outputs numbers@due
     state               a Float32Array of @states numbers, which may be changed */
"use strict";
globalThis.@name = {
  inputs: @inputs,
  outputs: @outputs,
  states: @states,
  async create() {
    const bytes = Uint8Array.from(atob(this.code), (letter) => letter.charCodeAt(0));
    const { instance } = await WebAssembly.instantiate(bytes);
    const { memory, states, inputs, outputs, begin, step } = instance.exports;
    const x = new Float32Array(memory.buffer, inputs(), this.inputs);
    const y = new Float32Array(memory.buffer, outputs(), this.outputs);
    begin();
    return {
      state: new Float32Array(memory.buffer, states(), this.states),
      reset: begin,
      step(values, dt = 1) {
        if (values.length !== x.length) {
          throw new RangeError(`x must have ${x.length} numbers, got ${values.length}`);
        }
        if (!(dt >= 0)) {
          throw new RangeError(`dt must be at least 0, got ${dt}`);
        }
        x.set(values);
        @answer
      },
    };
  },
  code:
@code,
};
"""


# Words of JavaScript that C does not have, and what a page has already and keeps, or goes elsewhere by.
TAKEN = """
    arguments await debugger document eval finally frames function history in instanceof interface let location name
    navigator null opener package parent self status super top undefined var window with yield
"""


def _checked(name: str) -> str:
    """``name``, if C, JavaScript and a page leave it free."""
    if identifier(name) in TAKEN.split():
        raise ValueError(f"`name` must be no word of JavaScript and nothing that each page has, got {name!r}")
    return name


def write(model: Model, path: PathLike, name: str = "model") -> None:
    """Write a model as one JavaScript file for web pages, which works without a network and from a file.

    The script defines an object ``name`` with a function ``create()``; its first lines say more.  Numbers are float,
    and equal to `Model.step`'s to 1e-5.

    Parameters
    ----------
    model : Model
        Causal, of layers that `ltc_np.export.c` can write.
    path : str or Path
        Of the script; replaced if it is there.
    name : str
        An identifier of C and JavaScript, and none that each page has, such as ``document``.

    Raises
    ------
    TypeError, ValueError
        Of arguments; nothing is written then.
    OSError
        There is no clang or no wasm-ld, or the file cannot be written.

    Examples
    --------
    >>> from ltc_np import LTCRNN, AutoNCP
    >>> from ltc_np.export import web
    >>> web.write(LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0), "network.js", "network")  # doctest: +SKIP
    """
    check_model("model", model)
    name, path = _checked(name), pathlib.Path(path)
    files.check_writable(path)
    sizes = {"inputs": model.input_size, "outputs": model.output_size, "states": model.state_size}
    with tempfile.TemporaryDirectory() as temporary:
        folder = c.write(model, pathlib.Path(temporary) / "exported", name, libm=False, measure=False).folder
        takes_dt = f"#define {name.upper()}_TAKES_DT 1" in (folder / f"{name}.h").read_text(encoding="utf-8")
        strided = model.layer_stack.stride > 1
        step = f"{'return ' * strided}{name}_step(&state, x, {'dt, ' if takes_dt else ''}y);"
        calls = pathlib.Path(temporary) / "calls.c"
        calls.write_text(
            filled(CALLS, {"name": name, "step": step, "returns": "int" if strided else "void", **sizes}),
            encoding="utf-8",
        )
        code = compiled([calls, folder / f"{name}.c"], FUNCTIONS, [folder])
    about = "\n".join(
        textwrap.fill(f"{key}: {value}", 116, initial_indent="   ", subsequent_indent="     ")
        for key, value in identity(model).items()
    )
    texts = {
        "about": about.replace("*/", "* /"),
        "code": quoted(code),
        "due": DUE if strided else "",
        "answer": "return step(dt) ? y.slice() : null;" if strided else "step(dt);\n        return y.slice();",
    }
    script = filled(SCRIPT, {"name": name, **texts, **sizes})
    files.write(path, lambda file: file.write(script.encode("utf-8")))


def compiled(
    sources: Iterable[PathLike], functions: Iterable[str], folders: Iterable[PathLike], taken: Iterable[str] = ()
) -> bytes:
    """C compiled to one WebAssembly module that exports ``functions`` and its memory.

    Parameters
    ----------
    sources : paths
    functions : names
    folders : paths
        Where headers are.
    taken : names
        Functions that the page hands over, from its object ``env``.

    Raises
    ------
    FileNotFoundError
        There is no clang or no wasm-ld.
    ValueError
        The compiler refuses the sources, with what it says.
    """
    compiler, linker = map(program, (COMPILER, LINKER))
    with tempfile.TemporaryDirectory() as temporary:
        allowed, target = pathlib.Path(temporary) / "taken", pathlib.Path(temporary) / "module.wasm"
        allowed.write_text("\n".join(taken), encoding="utf-8")
        command = [
            compiler,
            *OPTIONS,
            *(() if shutil.which(LINKER) else (f"-fuse-ld={linker}",)),  # clang itself finds the plain name
            f"-Wl,--allow-undefined-file={allowed}",
            *(f"-Wl,--export={name}" for name in functions),
            *(f"-I{folder}" for folder in folders),
            *map(str, sources),
            "-o",
            str(target),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise ValueError(f"`sources` must be C that {COMPILER} compiles: {done.stderr.strip()}")
        return target.read_bytes()


def program(tool: str) -> str:
    """The path of a tool, or of the newest one whose name ends in a version, as those of Debian's packages may do.

    Raises
    ------
    FileNotFoundError
        There is neither.
    """
    found = shutil.which(tool)
    if found is None:
        files = (path for folder in os.get_exec_path() for path in pathlib.Path(folder).glob(f"{tool}-*"))
        versions = {int(end): path for path in files if (end := path.name[len(tool) + 1 :]).isdecimal()}
        if not versions:
            raise FileNotFoundError(f"there is no {tool} here: install clang and lld, as `apt install clang lld` does")
        found = str(versions[max(versions)])
    return os.path.abspath(found)


def quoted(code: bytes) -> str:
    """Bytes in base 64 as a JavaScript string of several lines."""
    text = base64.b64encode(code).decode("ascii")
    return " +\n".join(f'    "{line}"' for line in textwrap.wrap(text, 112))
