"""Policies of examples/reinforce.py as C, in closed loop with environments: here, and on an emulated Cortex-M4F."""

import pathlib
import subprocess
import tempfile
from typing import NamedTuple

import numpy as np
import pendulum_c

from ltc_np.control import Categorical, acting
from ltc_np.export import c, fixed

FOLDER = pathlib.Path(__file__).parent / "reinforce_c"
CALIBRATION_SEED = 99  # of the episodes from which a fixed point takes its formats
FLOAT_UNIT = "-mcpu=cortex-m4", "-mthumb", "-mfloat-abi=hard", "-mfpu=fpv4-sp-d16"
INSTRUCTIONS = 40  # of a tick: the board runs at 25 MHz, and an instruction takes 1 ns
CORTEX_M4F = pendulum_c.Machine(
    ("arm-none-eabi-gcc", *FLOAT_UNIT, "--specs=rdimon.specs", f"-T{pendulum_c.FOLDER / 'cortex_m3.ld'}"),
    ("qemu-system-arm", "-M", "mps2-an386", "-icount", "shift=0", *pendulum_c.CORTEX_M3.run[3:]),
)
KINDS = "float", "int32", "int16"  # of numbers; integers name the size of weights


class Played(NamedTuple):
    """An episode in each of n environments, up to T steps; what stands behind an end means nothing."""

    returns: np.ndarray  # (n,)
    lengths: np.ndarray  # (n,)
    seen: np.ndarray  # (n, T, D)
    actions: np.ndarray  # (n, T) or (n, T, A)


def play(environments, answer, seed):
    """An episode in each environment; ``answer``: a function of what is seen (n, D), step by step, to actions."""
    now, n = environments.reset(seed), environments.count
    returns, lengths, going, steps = np.zeros(n), np.zeros(n, int), np.ones(n, bool), []
    while going.any():
        actions = answer(now.observations)
        steps.append((now.observations, actions))
        now = environments.step(actions)
        returns += now.rewards * going
        lengths += going
        going &= ~now.ended
    seen, actions = (np.stack(values, axis=1) for values in zip(*steps, strict=True))
    return Played(returns, lengths, seen, actions)


def in_python(policy, environments, distribution):
    """The answers of a policy in Python, for `play`."""
    state, dt = None, elapsed(policy, environments)

    def answer(seen):
        nonlocal state
        y, state = policy.step(seen, dt=dt, state=state)
        return distribution.actions(distribution.mode(np.asarray(y, np.float64)))

    return answer


def elapsed(policy, environments):
    """The elapsed time, which is the same always, so that a step in C takes none; None for a policy without time."""
    return (1.0 if environments.dt is None else environments.dt) if policy.takes_dt else None


def exported(policy, environments, distribution, kind, folder):
    """The policy as C in a folder: its answers are actions, or for choices say how good each is."""
    model = policy if isinstance(distribution, Categorical) else acting(policy, distribution)
    dt = elapsed(policy, environments)
    if kind == "float":
        return c.write(model, folder, "policy", libm=False, dt=dt, measure=False)
    shown = play(environments, in_python(policy, environments, distribution), CALIBRATION_SEED)
    found = fixed.quantise(model, shown.seen, lengths=shown.lengths, every_dt=dt, weights=kind)
    return fixed.write(found, folder, "policy", measure=False)


class Cost(NamedTuple):
    """What a step takes on a microcontroller."""

    flash: int  # bytes of code and tables, with what the linker adds
    memory: int  # bytes of the state, and of temporary numbers
    instructions: float


class Program:
    """A program that plays a policy in ``count`` environments, as a context; a call is a step of all of them.

    Attributes
    ----------
    instructions : float
        Of a step on average, when the program has ended; 0 on this machine.
    """

    def __init__(self, exported, kind, distribution, count, machine, folder):
        self.program, self.count, self.machine, self.instructions = folder / "played", count, machine, 0.0
        self.chooses = isinstance(distribution, Categorical)
        options = [f"-DCOUNT={count}", f"-I{exported}", *["-DFIXED"] * (kind != "float")]
        if self.chooses:
            options += ["-DCHOICES", f"-DFIRST={distribution.start}"]
        sources = [FOLDER / "loop.c", exported / "policy.c"]
        if machine.run:
            options.append("-DEMULATED")
            sources.append(FOLDER / "cortex_m4f.c")
        command = *machine.compile, *pendulum_c.WARNINGS, *options, *map(str, sources), "-lm", "-o", str(self.program)
        subprocess.run(command, check=True)

    def __enter__(self):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen([*self.machine.run, str(self.program)], stdin=pipe, stdout=pipe, text=True)
        return self

    def __call__(self, seen):
        rows = [" ".join(f"{value:.9g}" for value in row) for row in seen]
        self._say("1", *rows)
        answers = [self.process.stdout.readline().split() for _ in rows]
        return np.array(answers, int)[:, 0] if self.chooses else np.array(answers, float)

    def _say(self, *lines):
        self.process.stdin.writelines(line + "\n" for line in lines)
        self.process.stdin.flush()

    def __exit__(self, failed, *error):
        if failed is None:
            self._say("0")
            ticks, steps = map(float, self.process.stdout.readline().split())
            self.instructions = INSTRUCTIONS * ticks / steps
        else:
            self.process.kill()
        self.process.communicate()


def in_c(policy, environments, distribution, kind, machine, seed):
    """(`Played`, `Cost`) of a policy as C."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        export = exported(policy, environments, distribution, kind, folder / "c")
        with Program(export.folder, kind, distribution, environments.count, machine, folder) as program:
            played = play(environments, program, seed)
        size = flash(export.folder / "policy.c", folder / "flash") if machine.run else 0
    return played, Cost(size, export.state_bytes + export.stack_bytes, program.instructions)


def flash(source, output):
    """Bytes of code and tables for a Cortex-M4F, compiled for size, with what the linker adds."""
    options = "-std=c99", "-Os", "-ffunction-sections", "-fdata-sections", *FLOAT_UNIT, "-nostartfiles"
    kept = "-Wl,--gc-sections,-e,policy_step,-u,policy_reset"
    subprocess.run(["arm-none-eabi-gcc", *options, kept, str(source), "-lm", "-o", str(output)], check=True)
    told = subprocess.run(["arm-none-eabi-size", str(output)], check=True, stdout=subprocess.PIPE, text=True).stdout
    return sum(map(int, told.splitlines()[1].split()[:2]))


def apart(played, policy, environments, distribution):
    """How far actions are at most from those that Python takes of what was seen; of choices, how many differ."""
    answer = in_python(policy, environments, distribution)
    wanted = np.stack([answer(seen) for seen in played.seen.swapaxes(0, 1)], axis=1)
    going = np.arange(wanted.shape[1]) < played.lengths[:, None]
    differ = np.abs(played.actions - wanted)[going]
    return int(np.count_nonzero(differ)) if isinstance(distribution, Categorical) else float(differ.max())


def table(policy, environments, distribution, seed):
    """Markdown: the same episodes by Python, by C on this machine, and by C on an emulated microcontroller."""
    python = play(environments, in_python(policy, environments, distribution), seed).returns.mean()
    lines = [
        "| policy | return | actions apart | flash, bytes | memory, bytes | instructions |",
        "|---|---|---|---|---|---|",
        f"| Python | {python:.2f} | | | | |",
    ]
    for place, machine in {"here": pendulum_c.HOST, "Cortex-M4F": CORTEX_M4F}.items():
        for kind in KINDS:
            lacking = pendulum_c.missing(machine)
            if lacking:
                lines.append(f"| {kind}, {place} | not run: there is no {lacking} | | | | |")
                continue
            played, cost = in_c(policy, environments, distribution, kind, machine, seed)
            told = f"{played.returns.mean():.2f} | {apart(played, policy, environments, distribution):.1g}"
            sizes = f"{cost.flash:,} | {cost.memory:,} | {cost.instructions:,.0f} |" if machine.run else "| | |"
            lines.append(f"| {kind}, {place} | {told} | {sizes}")
    return "\n".join(lines)
