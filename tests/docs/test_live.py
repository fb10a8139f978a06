"""The page of docs/live in a browser: networks that run, a hand that pushes, and nothing from elsewhere."""

import importlib
import json
import re

import numpy as np
import pytest
from support import ROOT
from support.browser import NAMES, visit
from support.files import copy_folder

from ltc_np import load
from ltc_np.export.identity import identity

LIVE = ROOT / "docs" / "live"
BROWSERS = pytest.mark.tools(" ".join(NAMES))
READY = "while (!live.pendulum || !live.spiral) { await pause(0.05); }\n"
POINTER = """\
const point = (kind, canvas, x, y) => {
  const box = canvas.getBoundingClientRect();
  canvas.dispatchEvent(new PointerEvent(kind, { pointerId: 1, clientX: box.left + x, clientY: box.top + y }));
};
"""


@pytest.fixture
def page(tmp_path):
    return copy_folder(LIVE, tmp_path / "live") / "networks.html"


@BROWSERS
def test_the_numbers_are_those_of_python(page, rng, example):
    script, want = READY, {}
    for name, least, most in (("pendulum", 0.25, 5), ("spiral", 0.06, 0.3)):  # times that occur in the page
        model = load(LIVE / f"{name}.npz")
        x, dt = rng.normal(size=(50, 2)) * 0.5, rng.uniform(least, most, 50)
        given = json.dumps({"x": x.tolist(), "dt": dt.tolist()})
        script += f"const {name} = await {name}_network.create();\n"
        script += (
            f"const of_{name} = (({{ x, dt }}) => x.map((now, t) => Array.from({name}.step(now, dt[t]))))({given});\n"
        )
        want[name], state = [], None
        for x_t, dt_t in zip(x, dt, strict=True):
            y, state = model.step(x_t, dt=dt_t, state=state)
            want[name].append(y)
    states, forces = rng.normal(size=(20, 4)), rng.normal(size=20) * 5
    given = json.dumps({"states": states.tolist(), "forces": forces.tolist()})
    script += f"const plant = await cart_pole.create(); const {{ states, forces }} = {given};\n"
    script += """
    const moved = states.map((state, n) => {
      plant.state.set(state);
      plant.move(forces[n], 0.03);
      return Array.from(plant.state);
    });
    return { pendulum: of_pendulum, spiral: of_spiral, moved };
    """
    found = visit(page, script, 5)
    for name, numbers in want.items():
        np.testing.assert_allclose(found[name], numbers, atol=1e-5)
    want = example("cart_pole").move(states, forces, np.full(20, 0.03))
    np.testing.assert_allclose(found["moved"], want, rtol=1e-12, atol=1e-12)


@BROWSERS
def test_the_pole_stays_upright_under_pushes(page):
    script = """
    const { view, plant, network } = live.pendulum;
    const canvas = document.getElementById("pendulum");
    const press = (id) => document.getElementById(id).click();
    const log = {};
    await pause(3);
    press("push-left");
    log.pushed = view.push;
    await pause(0.1);
    log.faded = view.push;
    log.speed = plant.state[1];
    await pause(3);
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowRight", cancelable: true }));
    log.key = view.push;
    await pause(3);
    const before = plant.state[0];
    point("pointerdown", canvas, canvas.clientWidth * 0.9, 50);
    await pause(0.15);
    log.pulled = plant.state[0] - before;
    point("pointerup", canvas, canvas.clientWidth * 0.9, 50);
    await pause(4);
    log.angle = plant.state[2];
    log.place = plant.state[0];
    document.getElementById("pendulum-time").value = 40;
    await pause(10);
    Object.assign(log, { falls: view.falls, upright: view.upright, slow: plant.state[2] });
    log.memory = Array.from(network.state);
    log.status = document.getElementById("pendulum-status").textContent;
    return log;
    """
    log = visit(page, READY + POINTER + script, 30)
    assert log["pushed"] == -6
    assert -6 < log["faded"] < -1.5  # 0.9 for each of five times 20 ms leaves -3.5
    assert log["key"] == pytest.approx(6, abs=0.1)
    assert log["pulled"] > 0.01
    assert log["falls"] == 0
    assert log["upright"] > 20
    assert max(abs(log["angle"]), abs(log["slow"])) < np.radians(5)
    assert abs(log["place"]) < 1
    assert np.abs(log["memory"]).max() > 0.01
    assert re.fullmatch(r"Upright for 2\d s, at +-?\d°; fell 0 times so far\.", log["status"])


@BROWSERS
def test_a_network_that_is_not_told_the_time_lets_the_pole_fall(page):
    script = """
    document.getElementById("pendulum-told").click();
    const slider = document.getElementById("pendulum-time");
    slider.value = 70;
    slider.dispatchEvent(new Event("input"));
    const { view } = live.pendulum;
    const texts = new Set();
    for (let k = 0; k < 300; k++) {
      await pause(0.1);
      texts.add(document.getElementById("pendulum-status").textContent.split(" ").slice(0, 2).join(" "));
    }
    const value = document.getElementById("pendulum-time-value").textContent;
    return { falls: view.falls, texts: Array.from(texts), value };
    """
    found = visit(page, READY + script, 40)
    assert found["falls"] >= 1
    assert "It fell;" in found["texts"]
    assert found["value"] == "70 ms"


@BROWSERS
def test_the_spiral_goes_to_the_circle_from_where_it_is_put(page):
    script = """
    const { view, network } = live.spiral;
    const canvas = document.getElementById("spiral");
    const radii = {};
    const r = () => Math.hypot(...view.point);
    await pause(12);
    radii.alone = r();
    const unit = canvas.clientWidth / 2.8;
    point("pointerdown", canvas, canvas.clientWidth / 2 + 0.3 * unit, canvas.clientHeight / 2 - 0.4 * unit);
    await pause(0.5);
    radii.held = view.point;
    point("pointerup", canvas, 0, 0);
    await pause(10);
    radii.after = r();
    document.getElementById("shake").click();
    await pause(10);
    radii.shaken = r();
    const before = view.point;
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", cancelable: true }));
    radii.key = [view.point[0] - before[0], view.point[1] - before[1]];
    document.getElementById("spiral-again").click();
    radii.again = r();
    document.getElementById("spiral-time").value = 150;
    await pause(12);
    radii.slow = r();
    radii.turns = [view.turned, view.since / numbers.spiral.TURN];
    radii.status = document.getElementById("spiral-status").textContent;
    return radii;
    """
    found = visit(page, READY + POINTER + script, 60)
    np.testing.assert_allclose(found["held"], [0.3, 0.4], atol=1e-6)
    np.testing.assert_allclose(found["key"], [0, 0.1], atol=0.15)  # the circle lies within the reach of 1.3
    assert found["again"] == pytest.approx(0.05)
    for when in ("alone", "after", "shaken", "slow"):
        assert found[when] == pytest.approx(1, abs=0.1), when
    own, exact = found["turns"]
    assert exact > 5
    assert own == pytest.approx(exact, rel=0.2)  # slow steps are near the end of what it has learnt
    words = r"Distance from the middle \d\.\d\d; turned \d+\.\d times, the exact solution \d+\.\d times\."
    assert re.fullmatch(words, found["status"])


@BROWSERS
def test_nothing_is_wider_than_a_phone(page):
    script = """
    document.body.style.width = "360px";
    await pause(0.5);
    const canvases = Array.from(document.querySelectorAll("canvas"), (canvas) => canvas.clientWidth);
    const wide = Array.from(document.querySelectorAll("main *")).filter((e) => e.getBoundingClientRect().right > 360);
    return { canvases, wide: wide.map((element) => element.outerHTML) };
    """
    found = visit(page, READY + script, 5)
    assert not found["wide"]
    assert all(300 < width < 360 for width in found["canvases"])


@BROWSERS
def test_a_browser_without_webassembly_is_told(page):
    text = page.read_text(encoding="utf-8")
    page.write_text(
        text.replace("<title>", "<script>window.WebAssembly = undefined;</script><title>"), encoding="utf-8"
    )
    script = "await pause(0.5); const { hidden, textContent } = document.getElementById('trouble'); "
    script += "return [hidden, textContent];"
    hidden, told = visit(page, script, 5, allowed=["Cannot read properties of undefined (reading 'instantiate')"])
    assert not hidden
    assert told.startswith("The networks cannot run here: ")
    with pytest.raises(AssertionError, match="instantiate"):  # and what is not allowed is found
        visit(page, script, 5)


def test_pages_ask_for_nothing_and_have_a_text_without_javascript():
    html = (LIVE / "networks.html").read_text(encoding="utf-8")
    assert 'href="../live.html"' in html
    assert "needs JavaScript and WebAssembly" in re.search(r"<noscript>(.*?)</noscript>", html, re.S)[1]
    for file in LIVE.glob("*.*"):
        if file.suffix in (".html", ".js", ".css"):
            text = file.read_text(encoding="utf-8")
            assert not re.search(r"https?:|fetch\(|XMLHttpRequest|WebSocket|import\s*\(|@import|url\(", text), file.name
    controls = re.findall(r'<(?:canvas|input)[^>]*id="([\w-]+)"', html)
    assert len(controls) == 7
    for name in controls:  # each has a name that a screen reader says
        tag = re.search(rf'<(?:canvas|input)[^>]*id="{name}"[^>]*>', html)[0]
        assert "aria-label=" in tag or f'for="{name}"' in html or re.search(rf"<label[^>]*>{re.escape(tag)}", html), (
            name
        )


def test_scripts_are_made_of_the_networks_beside_them():
    for name in ("pendulum", "spiral"):
        model = load(LIVE / f"{name}.npz")
        assert identity(model)["sha256"] in (LIVE / f"{name}_network.js").read_text(encoding="utf-8")


@pytest.fixture
def spiral(monkeypatch):
    """The script that trains the spiral's network."""
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "scripts"))
    return importlib.import_module("live_spiral")


def test_the_exact_spiral_is_a_solution(spiral, rng):
    """Its derivative is that of the page, by differences; and two steps are one."""
    points, seconds, h = rng.normal(size=(50, 2)), rng.uniform(0, 3, 50), 1e-6
    found = spiral.flow(points, seconds)
    slope = (spiral.flow(points, seconds + h) - spiral.flow(points, seconds - h)) / (2 * h)
    (x, y), r = found.T, np.hypot(*found.T)
    radial = np.sum(slope * found, axis=1) / r
    np.testing.assert_allclose(radial, spiral.GROWTH * r * (1 - r**2), atol=1e-7)
    np.testing.assert_allclose((x * slope[:, 1] - y * slope[:, 0]) / r**2, 2 * np.pi / spiral.TURN, rtol=1e-7)
    np.testing.assert_allclose(spiral.flow(found, seconds / 3), spiral.flow(points, 4 * seconds / 3), rtol=1e-10)
    np.testing.assert_allclose(spiral.flow(points, np.zeros(50)), points)


def test_the_spiral_s_network_errs_as_the_page_says(spiral):
    model = load(LIVE / "spiral.npz")
    x, seconds, y, counts = spiral.lessons(100, np.random.default_rng(1))
    error = np.sqrt(((model(x, dt=seconds / spiral.UNIT) - y) ** 2).sum(-1)[counts > 0].mean())
    said = re.search(
        r"its error after one step is (0\.\d+) \(root mean\s+square\)",
        (ROOT / "docs" / "live.md").read_text(encoding="utf-8"),
    )
    assert f"{error:.3f}" == said[1]
    still = np.hypot(*(x - y)[counts > 0].T)
    assert error < 0.1 * np.sqrt((still**2).mean())  # of a network that says what it is given


@BROWSERS
def test_what_a_page_asks_for_elsewhere_is_found(tmp_path):
    """A check that finds nothing is to be trusted only if it can find something."""
    page = tmp_path / "page.html"
    page.write_text("<!DOCTYPE html>\n<html><head></head><body></body></html>\n")
    assert visit(page, "return 3;", 3) == 3
    for script in (
        "new Image().src = 'https://example.org/a.png'; await pause(0.5);",
        "await fetch('https://example.org/').catch(() => null); await pause(0.5);",
        "console.log('a word');",
    ):
        with pytest.raises(AssertionError, match=r"asked for https://example\.org|a word"):
            visit(page, script, 3)
