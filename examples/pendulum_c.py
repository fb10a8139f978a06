"""The loop of examples/pendulum.py closed in C: the exported network and the plant as programs for several machines."""

import pathlib
import shutil
import subprocess
from typing import NamedTuple

import cart_pole
import numpy as np

from ltc_np.export import c, fixed

FOLDER = pathlib.Path(__file__).parent / "pendulum_c"
SOURCES = "loop.c", "cart_pole.c"
WARNINGS = "-std=c99", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic"
PLAIN = "CART", "POLE", "HALF", "GRAVITY", "FORCE", "TRACK", "SUBSTEPS", "MEAN", "FALLEN"
NUMBERS = {
    **{name: getattr(cart_pole, name) for name in PLAIN},
    "SCALE_PLACE": cart_pole.SCALE[0],
    "SCALE_ANGLE": cart_pole.SCALE[1],
}


CALIBRATED, CALIBRATION_SEED = 30, 99  # starts of drives by the network, from which a fixed point takes its formats


class Machine(NamedTuple):
    """How a program is made for a machine and run: commands, of which the first words must be installed."""

    compile: tuple[str, ...]
    run: tuple[str, ...]
    is_fixed: bool = False


HOST = Machine(("cc",), ())
CORTEX_M3 = Machine(
    ("arm-none-eabi-gcc", "-mcpu=cortex-m3", "-mthumb", "--specs=rdimon.specs", f"-T{FOLDER / 'cortex_m3.ld'}"),
    (
        "qemu-system-arm", "-M", "mps2-an385", "-nographic", "-monitor", "none", "-serial", "none",
        "-semihosting-config", "enable=on,target=native", "-kernel",
    ),
)  # fmt: skip
MACHINES = {
    "float on this machine": HOST,
    "float on a Cortex-M3 (QEMU)": CORTEX_M3,
    "fixed point on this machine": HOST._replace(is_fixed=True),
    "fixed point on a Cortex-M3 (QEMU)": CORTEX_M3._replace(is_fixed=True),
}


class Ended(NamedTuple):
    """How n drives ended."""

    lengths: np.ndarray  # (n,): samples before the pole or the cart was lost
    tilts: np.ndarray  # (n,): largest angle in the second half
    states: np.ndarray  # (n, 4): the last ones


def missing(machine):
    """What a machine needs and this one has not, or None."""
    needed = machine.compile[:1] + machine.run[:1]
    return next((word for word in needed if shutil.which(word) is None), None)


def numbers():
    """The sizes of the plant for C, pendulum_numbers.h."""
    lines = [f"#define {name} {value!r}" for name, value in ((n, np.asarray(v).item()) for n, v in NUMBERS.items())]
    return "\n".join(["/* Written by examples/pendulum_c.py. */", *lines, ""])


def test_header(state, seconds):
    """Starts (n, 4) and times (n, T) for C, pendulum_test.h: the same bits."""

    def table(name, rows):
        text = ",\n".join("    {" + ", ".join(float(value).hex() for value in row) + "}" for row in rows)
        return f"static const double {name}[{len(rows)}][{len(rows[0])}] = {{\n{text}\n}};\n"

    sizes = f"#define STARTS {len(seconds)}\n#define SAMPLES {len(seconds[0])}\n"
    return sizes + table("starts", state) + table("seconds", seconds)


def export(model, is_fixed, folder):
    """The network as C in a folder, which is returned."""
    if not is_fixed:
        return c.write(model, folder, "pendulum", measure=False).folder
    seen = cart_pole.drive(model, *cart_pole.test_of(CALIBRATED, CALIBRATION_SEED))
    return fixed.write(fixed.quantise(model, seen.x, dt=seen.dt), folder, "pendulum", measure=False).folder


def drive(model, state, seconds, machine, folder):
    """Drive from starts (n, 4) with times (n, T), as `cart_pole.drive` does, by a program with files in ``folder``."""
    folder = pathlib.Path(folder)
    exported = export(model, machine.is_fixed, folder / "exported")
    for name, text in (("pendulum_numbers.h", numbers()), ("pendulum_test.h", test_header(state, seconds))):
        (folder / name).write_text(text, encoding="utf-8")
    program = folder / "pendulum"
    sources = [FOLDER / name for name in SOURCES] + [exported / "pendulum.c"]
    if machine.run:
        sources.append(FOLDER / "cortex_m3.c")
    places = [f"-I{place}" for place in (folder, exported, FOLDER)] + ["-DFIXED"] * machine.is_fixed
    subprocess.run([*machine.compile, *WARNINGS, *places, *map(str, sources), "-o", program, "-lm"], check=True)
    done = subprocess.run([*machine.run, program], check=True, stdout=subprocess.PIPE, text=True)
    rows = np.array([line.split() for line in done.stdout.splitlines()], float)
    if rows.shape != (len(state), 6):
        raise RuntimeError(f"the program must write {len(state)} lines of 6 numbers, wrote {done.stdout[:200]!r}")
    return Ended(rows[:, 0].astype(int), rows[:, 1], rows[:, 2:])


def upright(ended, samples):
    """As `cart_pole.upright`."""
    return (ended.lengths == samples) & (ended.tilts < cart_pole.UPRIGHT)
