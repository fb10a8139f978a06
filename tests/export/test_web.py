"""Models as scripts of web pages: the numbers of the page are those of `step`."""

import json
import shutil

import numpy as np
import pytest
from support.browser import NAMES, visit

from ltc_np import GRU, LTC, LTCRNN, AutoNCP, Dense, Model
from ltc_np.export import web
from ltc_np.export.command import main as export

CLANG = pytest.mark.tools("clang", "wasm-ld")
PAGE = '<!DOCTYPE html>\n<html><head></head><body><script src="network.js"></script></body></html>\n'
RUN = """\
const { inputs, dt } = %s;
const network = await example.create();
const run = () => inputs.map((x, t) => Array.from(network.step(x, dt[t])));
const first = run();
const state = Array.from(network.state);
network.reset();
const again = run();
const other = await example.create();
const refused = [];
for (const [x, time] of [[inputs[0].slice(1), 1], [inputs[0], -1], [inputs[0], NaN]]) {
  try { other.step(x, time); } catch (error) { refused.push(String(error)); }
}
return { first, state, again, refused, sizes: [example.inputs, example.outputs, example.states] };
"""

MODELS = {
    "an LTC with elapsed time": lambda: LTCRNN(AutoNCP(19, 3), input_dim=2, seed=0),
    "layers without": lambda: Model(GRU(5, input_dim=2), Dense(3, "tanh"), seed=0),
    "an LTC with output weights": lambda: Model(
        LTC(AutoNCP(8, 2), input_dim=2, solver="exponential"), Dense(2), seed=0
    ),
}


@CLANG
@pytest.mark.tools(" ".join(NAMES))
@pytest.mark.parametrize("name", MODELS)
def test_the_page_s_numbers_are_those_of_step(name, tmp_path, rng):
    model = MODELS[name]()
    web.write(model, tmp_path / "network.js", "example")
    (tmp_path / "page.html").write_text(PAGE)
    x, dt = rng.normal(size=(40, 2)), rng.exponential(size=40)
    dt[3] = 0
    found = visit(tmp_path / "page.html", RUN % json.dumps({"inputs": x.tolist(), "dt": dt.tolist()}), 5)
    want, state = [], None
    for x_t, dt_t in zip(x, dt, strict=True):
        y, state = model.step(x_t, **({"dt": dt_t} if model.takes_dt else {}), state=state)
        want.append(y)
    np.testing.assert_allclose(found["first"], want, atol=1e-5)
    np.testing.assert_allclose(found["state"], state, atol=1e-5)
    assert found["again"] == found["first"]
    assert found["sizes"] == [2, model.output_size, model.state_size]
    assert found["refused"] == [
        "RangeError: x must have 2 numbers, got 1",
        "RangeError: dt must be at least 0, got -1",
        "RangeError: dt must be at least 0, got NaN",
    ]


@CLANG
def test_the_script_says_what_it_is(tmp_path):
    model = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0)
    web.write(model, tmp_path / "network.js", "example")
    text = (tmp_path / "network.js").read_text()
    assert text.startswith("/* example: one time step of a recurrent network, as WebAssembly inside this script.\n")
    assert "AutoNCP(units=8" in text
    assert all(len(line) <= 120 for line in text.splitlines())
    assert [path.name for path in tmp_path.iterdir()] == ["network.js"]
    web.write(model, tmp_path / "network.js", "example")
    assert (tmp_path / "network.js").read_text() == text


@CLANG
@pytest.mark.parametrize("name", ["network", "step", "x", "state", "memory"])
def test_no_name_meets_one_of_the_script_s_own(name, tmp_path):
    """``network`` is the name of docs/live.md."""
    web.write(LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0), tmp_path / "network.js", name)
    assert f"globalThis.{name} = {{" in (tmp_path / "network.js").read_text()


@pytest.mark.slow
def test_what_is_missing_is_named_and_nothing_written(tmp_path, monkeypatch):
    model = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0)
    (tmp_path / "network.js").write_text("former")
    which = shutil.which
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))  # where no clang-NN is either
    for tool in (web.COMPILER, web.LINKER):
        monkeypatch.setattr(shutil, "which", lambda name, tool=tool: None if name == tool else which(name) or "there")
        with pytest.raises(FileNotFoundError, match=f"there is no {tool} here: install clang and lld"):
            web.write(model, tmp_path / "network.js", "example")
    with pytest.raises(ValueError, match="`name` must be a C identifier"):
        web.write(model, tmp_path / "network.js", "no name")
    with pytest.raises(FileNotFoundError, match="must lie in an existing folder"):
        web.write(model, tmp_path / "nowhere" / "network.js")
    assert (tmp_path / "network.js").read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["network.js"]


@CLANG
def test_tools_with_versions_in_their_names(tmp_path, monkeypatch):
    """As Debian's packages have them: the newest is taken, by its number, and it writes the same script."""
    model = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0)
    web.write(model, tmp_path / "plain.js", "example")
    tools = tmp_path / "tools"
    tools.mkdir()
    for tool in (web.COMPILER, web.LINKER):
        for name in (f"{tool}-9", f"{tool}-scan-build", f"{tool}-14.0"):
            (tools / name).write_text("#!/bin/sh\nexit 1\n")
            (tools / name).chmod(0o755)
        (tools / f"{tool}-10").symlink_to(shutil.which(tool))
    monkeypatch.setenv("PATH", str(tools))
    web.write(model, tmp_path / "versions.js", "example")
    assert (tmp_path / "versions.js").read_bytes() == (tmp_path / "plain.js").read_bytes()


@CLANG
def test_the_command_writes_the_same_script(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0)
    model.save("model.npz")
    web.write(model, "own.js", "example")
    export(["model.npz", "network.js", "--name", "example"])
    assert (tmp_path / "network.js").read_bytes() == (tmp_path / "own.js").read_bytes()
    assert capsys.readouterr().out == f"network.js: {(tmp_path / 'own.js').stat().st_size} bytes\n"


def test_the_command_refuses_what_scripts_have_not(capsys):
    for option in (["--double"], ["--no-libm"], ["--unroll"], ["--dt", "0"], ["--fixed"]):
        assert export(["model.npz", "network.js", *option]) == 2
        assert "has no effect on a script, FILE.js, which has the options --name" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["document", "location", "function", "name"])
def test_names_that_a_page_has_are_refused(name, tmp_path):
    """`globalThis.location = ...` would lead away from the page."""
    with pytest.raises(ValueError, match=f"`name` must be no word of JavaScript .* got '{name}'"):
        web.write(LTCRNN(AutoNCP(8, 1), input_dim=2, seed=0), tmp_path / "network.js", name)
    assert list(tmp_path.iterdir()) == []


@CLANG
def test_c_that_does_not_compile_is_refused(tmp_path):
    (tmp_path / "bad.c").write_text("int f(void) { return missing(); }\n")
    with pytest.raises(ValueError, match=r"`sources` must be C that clang compiles: .*missing"):
        web.compiled([tmp_path / "bad.c"], ["f"], [])
