"""Folders of fixed point: their own test, what a caller sees, the sketch, and the command."""

import re
import subprocess

import numpy as np
import pytest
from support import ROOT, compilers
from support.fixed_point import sequences

from ltc_np import GRU, LTC, AutoNCP, Dense, Model
from ltc_np.export import command, fixed
from ltc_np.export.fixed.arithmetic import HIGHEST, LOWEST, integers
from ltc_np.online import NLMS

MODELS = {"LTC": [LTC(AutoNCP(9, 2)), Dense(2, "tanh")], "GRU": [GRU(5)]}
SANITIZED = ["-O1", "-fsanitize=undefined,address,float-cast-overflow", "-fno-sanitize-recover=all"]
needs_compiler = pytest.mark.tools("gcc clang")


@pytest.fixture(params=MODELS)
def quantised(request, rng):
    model = Model(*MODELS[request.param], input_dim=3, seed=1)
    x, arguments = sequences(model, rng, 4, 50)
    return fixed.quantise(model, x, **arguments)


@needs_compiler
@pytest.mark.parametrize("compiler", compilers.HOST)
@pytest.mark.parametrize("unroll", [False, True])
def test_its_own_test_allows_no_difference(quantised, compiler, unroll, tmp_path):
    folder = fixed.write(quantised, tmp_path / "c", "net", unroll=unroll, measure=False).folder
    command = compiler, *compilers.WARNINGS, *SANITIZED, "net.c", "net_test.c", "-o", tmp_path / "test"
    compilers.run(*command, cwd=folder)
    assert compilers.run(tmp_path / "test") == "net: largest error 0, allowed 0\n"
    text = (folder / "net_test.c").read_text()
    first = text.index("outputs[STEPS]")
    at = text.index("{{", first) if "{{" in text[first:] else text.index("{", text.index("=", first) + 4)
    (folder / "net_test.c").write_text(text[: at + 1] + "1 + " + text[at + 1 :])
    compilers.run(*command, cwd=folder)
    assert compilers.status(tmp_path / "test") == 1


CALLER = """
#define NET_REAL
#include "net.h"
#include <stdio.h>
#include <math.h>
int main(void)
{
    double v;
    while (scanf("%lf", &v) == 1) {
        printf("%ld %.17g\\n", (long)net_x_from_real(v), net_y_to_real((int32_t)(long)net_x_from_real(v)));
    }
    return 0;
}
"""


@needs_compiler
def test_real_numbers_become_the_integers_of_numpy(quantised, rng, tmp_path):
    folder = fixed.write(quantised, tmp_path / "c", "net", measure=False).folder
    (folder / "caller.c").write_text(CALLER)
    compilers.run(compilers.HOST[0], *compilers.WARNINGS, *SANITIZED, "caller.c", "-o", tmp_path / "caller", cwd=folder)
    places = quantised.places["x"]
    halves = (rng.integers(-1000, 1000, 50) + 0.5) / 2.0**places
    v = np.concatenate([rng.standard_normal(200), halves, [0, -0.0, 1e300, -1e300, np.inf, -np.inf]])
    text = "\n".join(map(repr, v.tolist()))
    done = subprocess.run([tmp_path / "caller"], input=text, capture_output=True, text=True, check=True).stdout
    found = np.array([line.split() for line in done.splitlines()], float)
    wanted = integers(v, places)
    np.testing.assert_array_equal(found[:, 0], wanted)
    np.testing.assert_array_equal(found[:, 1], wanted / 2.0 ** quantised.places["y"])
    assert {LOWEST, HIGHEST} <= {*wanted}


FROM_PAGE = """
#include <stdio.h>
int main(void)
{
    for (int n = -2048; n < 2048; n++) {
        if (x_of_sample((int16_t)n) != controller_x_from_real(n / 2048.0)) {
            return 1;
        }
        if (n >= 0 && dt_of_ticks(n) != controller_dt_from_real(n / 1024.0)) {
            return 2;
        }
    }
    const double x[3] = {0.5, -0.25, 1};
    controller_reset(&state);
    printf("%.17g\\n", control(x, 0.5));
    printf("%.17g\\n", control(x, 0.25));
    return 0;
}
"""


@needs_compiler
def test_the_page_s_c(rng, tmp_path):
    """What docs/fixed_point.md tells callers to write converts as the header does, and steps as the model does."""
    page = (ROOT / "docs" / "fixed_point.md").read_text(encoding="utf-8")
    _, *blocks = re.findall(r"^```c\n(.*?)^```", page, re.MULTILINE | re.DOTALL)  # the first are lines of a header
    model = Model(*MODELS["LTC"], input_dim=3, seed=1)
    x, arguments = sequences(model, rng, 4, 50)
    quantised = fixed.quantise(model, x, **arguments)
    folder = fixed.write(quantised, tmp_path / "c", "controller", measure=False).folder
    (tmp_path / "main.c").write_text("".join(blocks) + FROM_PAGE)
    sources = tmp_path / "main.c", folder / "controller.c"
    compilers.run(compilers.HOST[0], *compilers.WARNINGS, *SANITIZED, f"-I{folder}", *sources, "-o", tmp_path / "main")
    found = [float(number) for number in compilers.run(tmp_path / "main").split()]
    x, dt = np.tile([[0.5, -0.25, 1]], (2, 1)), [0.5, 0.25]
    np.testing.assert_array_equal(found, quantised(x, dt=dt)[:, 0])


def test_files_say_what_they_are(quantised, tmp_path):
    export = fixed.write(quantised, tmp_path / "c", "net", measure=False)
    header = (export.folder / "net.h").read_text()
    for name, places in quantised.places.items():
        assert f"#define NET_{name.upper()}_PLACES {places}\n" in header
    assert ("NET_DT_PLACES" in header) == quantised.program.takes_dt
    assert "Numbers are integers of 32 bits" in header
    assert f"within {export.error:.1e}" in header
    assert quantised.report.memory == (export.table_bytes, export.state_bytes, export.stack_bytes, 0)
    sketch = (export.folder / "arduino" / "net" / "net.ino").read_text()
    assert sketch.index("#define NET_REAL") < sketch.index('#include "net.h"')
    assert "x[i] = net_x_from_real(0);" in sketch
    assert "Serial.print(net_y_to_real(y[i]));" in sketch


def test_only_what_was_quantised_is_written(tmp_path):
    with pytest.raises(TypeError, match="`quantised` must be what `quantise` gives, got Model"):
        fixed.write(Model(GRU(2), input_dim=1), tmp_path / "c")
    assert not (tmp_path / "c").exists()


# ------------------------------------------------------------------------------------------------------------ command


@pytest.fixture
def saved(tmp_path, rng):
    """Arguments of the command, and what they stand for."""
    model = Model(LTC(AutoNCP(9, 2)), input_dim=3, seed=1)
    model.save(tmp_path / "model.npz")
    x, arguments = sequences(model, rng, 4, 20)
    np.savez(tmp_path / "data.npz", x=x, **arguments)
    return ["model.npz", "out", "--fixed", "--calibration", "data.npz"], model, x, arguments


@pytest.mark.slow
def test_command(saved, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, model, x, kwargs = saved
    command.main([*arguments, "--name", "net", "--int16", "--headroom", "4"])
    printed = capsys.readouterr().out
    report = fixed.quantise(model, x, **kwargs, weights="int16", headroom=4).report
    assert str(report) in printed
    assert (tmp_path / "out" / "net.h").is_file()


@pytest.mark.slow
def test_command_that_learns(tmp_path, rng, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = Model(LTC(AutoNCP(9, 2)), Dense(1), input_dim=3, seed=1)
    model.save("model.npz")
    x, arguments = sequences(model, rng, 4, 20)
    np.savez("data.npz", x=x, **arguments)
    options = ["--learn", "nlms", "--rate", "0.5"]
    assert command.main(["model.npz", "out", "--fixed", "--calibration", "data.npz", *options]) == 0
    fixed.write(fixed.quantise(model, x, **arguments, learn=NLMS(0.5)), "same")
    assert (tmp_path / "out" / "model.c").read_text() == (tmp_path / "same" / "model.c").read_text()


@pytest.mark.slow
def test_command_of_one_elapsed_time_without_tables(saved, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    arguments, model, x, _ = saved
    np.savez("data.npz", x=x)
    command.main([*arguments, "--dt", "0.25", "--unroll"])
    fixed.write(fixed.quantise(model, x, every_dt=0.25), "same", unroll=True)
    for file in ("model.h", "model.c"):
        assert (tmp_path / "out" / file).read_text() == (tmp_path / "same" / file).read_text()
    assert "#define MODEL_TAKES_DT 0" in (tmp_path / "out" / "model.h").read_text()
    assert "model_source" not in (tmp_path / "out" / "model.c").read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a[:2] + a[3:], "--calibration has no effect on C in float or double, which has the options"),
        (lambda a: a[:3], "--fixed needs --calibration FILE"),
        (lambda a: [*a, "--double"], "--double has no effect on C in fixed point, which has the options"),
        (lambda a: [*a[:-1], "model.npz"], "`calibration` must hold x, and dt and lengths if wanted, got model.npz"),
        (lambda a: [*a[:-1], "text.npz"], "`numpy.savez` writes it, got text.npz: not a file of named arrays (.npz)"),
        (lambda a: [*a[:-1], "objects.npz"], "got objects.npz: damaged: x.npy has an unknown header: objects of"),
        (lambda a: [*a[:-1], "x.npy"], "`numpy.savez` writes it, got x.npy: no file of named arrays (.npz): it holds"),
        (lambda a: [*a[:-1], "none.npz"], "No such file"),
        (lambda a: [*a, "--headroom", "0"], "`headroom` must be a finite number >= 1"),
    ],
)
def test_command_says_in_one_line_what_is_wrong(change, message, saved, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.npz").write_text("no arrays")
    np.save(tmp_path / "x.npy", np.zeros((2, 2)))
    np.savez(tmp_path / "objects.npz", x=np.array([None]))
    assert command.main(change(saved[0])) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line and "pickle" not in line
    assert not (tmp_path / "out").exists()
