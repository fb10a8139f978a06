"""Exports that run on emulated microcontrollers: their own test, the instructions of a step, and its stack."""

import pathlib
import re
import shutil
from typing import NamedTuple

import numpy as np
import pytest
from support import ROOT, compilers

from ltc_np import GRU, LSTM, LTC, Adam, AutoNCP, CfC, Dense, LrcSSM, Model
from ltc_np.export import c, fixed
from ltc_np.online import NLMS, RLS

pytestmark = pytest.mark.slow

HERE = pathlib.Path(__file__).parent / "targets"


class Target(NamedTuple):
    """A processor: how to compile and link for it, how QEMU plays it, and how many instructions a tick of it is."""

    compiler: str
    flags: str
    qemu: str
    sources: tuple[str, ...]
    instructions: int


def cortex(cpu, board, flash, ram, instructions):
    """A Cortex-M on a board of Arm, with newlib."""
    memory = f"-Wl,--defsym=FLASH_START={flash},--defsym=RAM_START={ram}"
    flags = f"-mthumb {cpu} -nostartfiles --specs=rdimon.specs -T {HERE}/arm.ld {memory}"
    return Target("arm-none-eabi-gcc", flags, f"qemu-system-arm -M {board}", ("arm.c",), instructions)


def risc_v(bits, march, mabi):
    """A RISC-V with picolibc."""
    places = {"flash": "0x80000000", "flash_size": "0x200000", "ram": "0x80200000", "ram_size": "0x200000"}
    defined = ",".join(f"--defsym=__{name}={value}" for name, value in places.items())
    flags = (
        f"-march={march} -mabi={mabi} -mcmodel=medany --specs=picolibc.specs --oslib=semihost --crt0=semihost "
        f"-Wl,{defined} -T picolibc.ld"
    )
    return Target("riscv64-unknown-elf-gcc", flags, f"qemu-system-riscv{bits} -M virt -bios none", ("riscv.c",), 1)


HARD = "-mfloat-abi=hard -mfpu=fpv4-sp-d16"
TARGETS = {
    "Cortex-M3": cortex("-mcpu=cortex-m3", "mps2-an385", "0x0", "0x20000000", 40),
    "Cortex-M4F": cortex(f"-mcpu=cortex-m4 {HARD}", "mps2-an386", "0x0", "0x20000000", 40),
    "Cortex-M33": cortex("-mcpu=cortex-m33+nofp", "mps2-an505", "0x10000000", "0x38000000", 50),
    "RV32IMAC": risc_v(32, "rv32imac_zicsr", "ilp32"),
    "RV32IMAFC": risc_v(32, "rv32imafc_zicsr", "ilp32f"),
}
# One instruction takes a nanosecond; what a program prints goes to the standard output.
EMULATION = (
    "-icount shift=0 -display none -serial none -monitor none -chardev stdio,id=out "
    "-semihosting-config enable=on,target=native,chardev=out"
)


def missing(target):
    """Why a target cannot be tried here, or None."""
    lacking = [tool for tool in (target.compiler, target.qemu.split()[0]) if not shutil.which(tool)]
    return f"{' and '.join(lacking)} not installed" if lacking else None


def built(target, folder, main, output, *flags):
    """The program of an export and a main for a target."""
    sources = [folder / "net.c", main, *(HERE / source for source in target.sources)]
    options = ["-std=c99", "-O2", f"-I{folder}", f"-I{HERE}", "-ffunction-sections", "-Wl,--gc-sections", *flags]
    compilers.run(target.compiler, *options, *sources, *target.flags.split(), "-lm", "-o", output)
    return output


def emulated(target, program):
    """What a program prints on its target; it must return 0."""
    command = [*target.qemu.split(), *EMULATION.split(), "-kernel", program]
    return compilers.run(*command, timeout=120)


INPUTS = 32
NETWORKS = {
    "NCP": [LTC(AutoNCP(19, 1))],
    "CfC": [CfC(16, backbone_units=16), Dense(1)],
    "GRU": [GRU(16), Dense(1)],
    "LSTM": [LSTM(16), Dense(1)],
}


@pytest.fixture(params=TARGETS)
def target(request):
    found = TARGETS[request.param]
    if missing(found):
        pytest.skip(missing(found))
    return found


@pytest.mark.parametrize("options", [{"libm": False}, {"dtype": "float64"}, {"unroll": True}], ids=str)
def test_its_own_test_passes(target, options, tmp_path):
    model = Model(LTC(AutoNCP(19, 1)), Dense(2, "tanh"), input_dim=5, seed=0)
    folder = c.write(model, tmp_path / "c", "net", measure=False, **options).folder
    program = built(target, folder, folder / "net_test.c", tmp_path / "test.elf")
    assert emulated(target, program).startswith("net: largest error ")


def in_fixed_point(network, folder, weights):
    """(quantised, export) of a network, calibrated with 8 sequences of 50 steps."""
    model, rng = Model(*NETWORKS[network], input_dim=INPUTS, seed=0), np.random.default_rng(0)
    x, dt = rng.standard_normal((8, 50, INPUTS)), rng.exponential(size=(8, 50))
    quantised = fixed.quantise(model, x, dt=dt if model.takes_dt else None, weights=weights)
    return quantised, fixed.write(quantised, folder, "net", measure=False)


@pytest.mark.parametrize("network", NETWORKS)
def test_fixed_point_has_the_same_bits(target, network, tmp_path):
    """Its test allows no difference from what NumPy computes."""
    folder = in_fixed_point(network, tmp_path / "c", "int32")[1].folder
    program = built(target, folder, folder / "net_test.c", tmp_path / "test.elf")
    assert emulated(target, program) == "net: largest error 0, allowed 0\n"


def test_a_test_that_fails_says_so(target, tmp_path):
    model = Model(LTC(AutoNCP(9, 1)), input_dim=5, seed=0)
    folder = c.write(model, tmp_path / "c", "net", measure=False).folder
    text = (folder / "net_test.c").read_text()
    (folder / "net_test.c").write_text(text.replace("bound = ", "bound = -"))
    program = built(target, folder, folder / "net_test.c", tmp_path / "test.elf")
    with pytest.raises(AssertionError, match="net: largest error"):
        emulated(target, program)


def measured(target, folder, tmp_path, *flags):
    """(instructions, bytes of stack) of a step; with the flag -DLEARN of learning."""
    program = built(target, folder, HERE / "count.c", tmp_path / "count.elf", "-Os", *flags)
    ticks, stack = map(int, emulated(target, program).split())
    return ticks * target.instructions // 50, stack


# ----------------------------------------------------------------------------------------------------- what it learns


LEARNING = [LTC(AutoNCP(19, 8)), Dense(2)]


def learning(rule, folder, kind="float"):
    """An export of a network of 19 neurons whose readout learns, in float or, of any other kind, in fixed point."""
    model, rng = Model(*LEARNING, input_dim=INPUTS, seed=0), np.random.default_rng(0)
    if kind == "float":
        return c.write(model, folder, "net", libm=False, learn=rule, measure=False)
    x, dt = rng.standard_normal((8, 50, INPUTS)), rng.exponential(size=(8, 50))
    return fixed.write(fixed.quantise(model, x, dt=dt, learn=rule), folder, "net", measure=False)


@pytest.mark.parametrize(
    ("rule", "kind"),
    [(NLMS(0.5), "float"), (RLS(0.98), "float"), (NLMS(0.5), "fixed"), (Adam(0.003), "float")],
    ids=["NLMS", "RLS", "fixed", "exact"],
)
def test_it_learns_as_python_does(rule, kind, target, tmp_path):
    """Its own test learns from 28 targets; answers within 1e-5 of those in float64, or the same bits."""
    folder = learning(rule, tmp_path / "c", kind).folder
    program = built(target, folder, folder / "net_test.c", tmp_path / "test.elf")
    largest, allowed = map(float, re.findall(r"largest error (\S+), allowed (\S+)", emulated(target, program))[0])
    assert largest <= (0 if kind == "fixed" else 1e-5) and allowed < 3e-5


@pytest.mark.parametrize(
    ("rule", "kind", "most"),
    [(NLMS(0.5), "float", 2.0), (NLMS(0.5), "fixed", 2.0), (RLS(0.98), "float", 3.0), (Adam(0.003), "float", 1.0)],
    ids=["NLMS", "fixed", "RLS", "exact"],
)
def test_what_learning_costs(rule, kind, most, target, request, tmp_path):
    """In instructions, beside a step; the stack is small, too."""
    folder = learning(rule, tmp_path / "c", kind).folder
    step, _ = measured(target, folder, tmp_path)
    learn, stack = measured(target, folder, tmp_path, "-DLEARN")
    if request.node.callspec.params["target"] == "Cortex-M4F":
        name = type(rule).__name__ + (", fixed point" if kind == "fixed" else "")
        printed = re.search(rf"^\| {name} \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE).groups()
        np.testing.assert_allclose([int(n.replace(",", "")) for n in printed], [step, learn], rtol=0.15)
    print(f"{type(rule).__name__} {kind} {request.node.callspec.params['target']}: {learn:,} beside {step:,}, {stack}")
    assert 0 < learn <= most * step
    assert stack < 512


def test_an_lrc_ssm_learns_as_python_does(target, tmp_path):
    """All of it; a step with its traces takes less than twice a step without."""
    model = Model(LrcSSM(16), Dense(2), input_dim=4, seed=0)
    plain = c.write(model, tmp_path / "a", "net", libm=False, measure=False).folder
    folder = c.write(model, tmp_path / "c", "net", libm=False, learn=Adam(0.003), measure=False).folder
    program = built(target, folder, folder / "net_test.c", tmp_path / "test.elf")
    largest, allowed = map(float, re.findall(r"largest error (\S+), allowed (\S+)", emulated(target, program))[0])
    assert largest <= 1e-5 and allowed < 3e-5
    assert measured(target, folder, tmp_path)[0] < 2 * measured(target, plain, tmp_path)[0]


def flash(target, folder, tmp_path):
    """Bytes of code and tables of a step with all that the linker adds: what it takes in an application."""
    kept = ["-nostartfiles", "-Wl,--gc-sections,-e,net_step,-u,net_reset"]
    options = [flag for flag in target.flags.split() if flag.startswith(("-m", "--specs=pico"))]
    command = [target.compiler, "-std=c99", "-Os", "-ffunction-sections", "-fdata-sections", *options, *kept]
    compilers.run(*command, folder / "net.c", "-lm", "-o", tmp_path / "flash.elf")
    sizes = compilers.run(target.compiler.replace("gcc", "size"), tmp_path / "flash.elf")
    text, data, _ = map(int, sizes.splitlines()[1].split()[:3])
    return text + data


PAGE = (ROOT / "docs" / "export_c.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (\w+) \| ([\w-]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)
# (network, target): flash, state and stack, instructions of a step, as the page has them
PRINTED = {(row[0], row[1]): tuple(int(number.replace(",", "")) for number in row[2:]) for row in ROW.findall(PAGE)}


def test_the_page_has_every_network_on_every_target():
    assert set(PRINTED) == {(network, target) for network in NETWORKS for target in TARGETS}


@pytest.mark.parametrize("network", NETWORKS)
def test_figures_of_the_page(network, target, request, tmp_path):
    """Within 15 %, since other versions of the compilers write other code."""
    model = Model(*NETWORKS[network], input_dim=INPUTS, seed=0)
    export = c.write(model, tmp_path / "c", "net", libm=False, measure=False)
    instructions, stack = measured(target, export.folder, tmp_path)
    found = flash(target, export.folder, tmp_path), export.state_bytes + stack, instructions
    print(f"| {network} | {request.node.callspec.params['target']} | " + " | ".join(f"{n:,}" for n in found) + " |")
    np.testing.assert_allclose(PRINTED[network, request.node.callspec.params["target"]], found, rtol=0.15)


@pytest.mark.parametrize("target", [name for name in TARGETS if name.startswith("Cortex")], indirect=True)
def test_an_ncp_of_19_neurons_is_small(target, tmp_path):
    """In float, without math.h: below 8 KB of flash and half a KB of memory, with what the linker adds."""
    export = c.write(
        Model(*NETWORKS["NCP"], input_dim=INPUTS, seed=0), tmp_path / "c", "net", libm=False, measure=False
    )
    assert flash(target, export.folder, tmp_path) < 8192
    assert export.state_bytes + measured(target, export.folder, tmp_path)[1] < 512


FIXED_PAGE = (ROOT / "docs" / "fixed_point.md").read_text(encoding="utf-8")
FIXED_ROW = re.compile(
    r"^\| (\w+) \| (float|int32|int16) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d.e-]*) ?\|$", re.MULTILINE
)
FIXED = {row[:2]: (*(int(n.replace(",", "")) for n in row[2:5]), row[5]) for row in FIXED_ROW.findall(FIXED_PAGE)}


def test_the_page_of_fixed_point_has_every_network():
    assert set(FIXED) == {(network, kind) for network in NETWORKS for kind in ("float", "int32", "int16")}
    for network in NETWORKS:
        assert FIXED[network, "float"][:3] == PRINTED[network, "Cortex-M3"]


@pytest.mark.parametrize("weights", ["int32", "int16"])
@pytest.mark.parametrize("network", NETWORKS)
def test_figures_of_the_page_of_fixed_point(network, weights, tmp_path):
    """Within 15 %, as those of float; the error is that of NumPy, and the same everywhere."""
    target = TARGETS["Cortex-M3"]
    if missing(target):
        pytest.skip(missing(target))
    quantised, export = in_fixed_point(network, tmp_path / "c", weights)
    instructions, stack = measured(target, export.folder, tmp_path)
    found = flash(target, export.folder, tmp_path), export.state_bytes + stack, instructions
    error = max(each.relative for each in quantised.report.errors)
    print(f"| {network} | {weights} | " + " | ".join(f"{n:,}" for n in found) + f" | {error:.1e} |")
    *printed, printed_error = FIXED[network, weights]
    np.testing.assert_allclose(printed, found, rtol=0.15)
    np.testing.assert_allclose(float(printed_error), error, rtol=0.15)
