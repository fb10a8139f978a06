"""The pages with sliders in a browser: their numbers are those of the library, and what they ask to try happens."""

import json
import re

import numpy as np
import pytest
from support import ROOT
from support.browser import NAMES, visit
from support.files import copy_folder

from ltc_np import LTCRNN, Wiring, analysis

FOLDER = ROOT / "docs" / "interactive"
# Those that the pages show.
SOLVERS = json.loads(re.search(r"^const SOLVERS = (.*);$", (FOLDER / "ltc.js").read_text("utf-8"), re.MULTILINE)[1])
PAGES = "neuron", "solver", "two_neurons"
BROWSERS = pytest.mark.tools(" ".join(NAMES))
EXACT = {"epsilon": 0.0, "positivity": "clip", "dtype": "float64", "check_stability": "off", "input_mapping": None}
SYNAPSE = {"w": "w", "mu": "mu", "sigma": "sigma", "E": "erev"}  # names in the page, and in the library


@pytest.fixture
def pages(tmp_path):
    """A copy of the folder, which the browser may write into."""
    return copy_folder(FOLDER, tmp_path / "interactive")


def network_of(model):
    """A model's effective parameters as ltc.js has them."""
    p, wiring = model.effective, model.wiring
    found = {name: p[own].tolist() for name, own in {"c": "cm", "g": "gleak", "l": "vleak"}.items()}
    for kind, prefix in (("recurrent", ""), ("sensory", "sensory_")):
        ends = getattr(wiring, f"{prefix}pre"), getattr(wiring, f"{prefix}post")
        columns = {"pre": ends[0], "post": ends[1]} | {name: p[prefix + own] for name, own in SYNAPSE.items()}
        rows = zip(*(column.tolist() for column in columns.values()), strict=True)
        found[kind] = [dict(zip(columns, row, strict=True)) for row in rows]
    return found


@BROWSERS
def test_the_model_in_javascript_is_the_library_s(pages, rng):
    N, I = 3, 2
    edges = [(j, i, rng.choice([-1, 1])) for j in range(N) for i in range(N)]
    wiring = Wiring.from_edges(N, edges, [(k, i, 1) for k in range(I) for i in range(N)], input_dim=I)
    script, want = "const found = {};\n", {}
    for solver in SOLVERS:
        model = LTCRNN(wiring, I, solver=solver, ode_unfolds=3, output_mapping=None, seed=1, **EXACT)
        x, dt, h0 = rng.normal(size=(20, I)), rng.uniform(0, 0.9, 20), rng.normal(size=N)
        given = json.dumps({"network": network_of(model), "x": x.tolist(), "dt": dt.tolist(), "h0": h0.tolist()})
        script += f"""found.{solver} = (({{ network, x, dt, h0 }}) => {{
          let v = h0;
          return x.map((now, t) => {{
            const slopes = ltc.slopes(network, v, now);
            v = ltc.step(network, "{solver}", v, now, dt[t], 3);
            return {{ v, slopes }};
          }});
        }})({given});\n"""
        states = model.trace(x, dt=dt, h0=h0).layers[0].state
        before = np.concatenate([h0[None], states[:-1]])
        want[solver] = states, model.trace(x[:, None], dt=0.0, h0=before)["slope"][:, 0]
    found = visit(pages / "neuron.html", script + "return found;", 3)
    for solver, (states, slopes) in want.items():
        np.testing.assert_allclose([row["v"] for row in found[solver]], states, rtol=1e-11, err_msg=solver)
        np.testing.assert_allclose([row["slopes"] for row in found[solver]], slopes, rtol=1e-10, atol=1e-12)


def numbers(text):
    return [
        float(number.replace("\N{MINUS SIGN}", "-")) for number in re.findall("[-\N{MINUS SIGN}]?\\d+\\.\\d+", text)
    ]


TAUS = {"input": 0.8, "length": 4.0, "w": 3.0, "E": -0.5, "mu": 0.4, "sigma": 6.0, "g": 0.5, "l": 0.3, "c": 2.0}


@BROWSERS
def test_one_neuron(pages):
    """After the sliders have moved: potentials and time constants of `Model.trace`, and the sentence about them."""
    script = f"page.set({json.dumps(TAUS)}); await pause(0.2);"
    found = visit(
        pages / "neuron.html", script + "return { ...shown.course, text: page.get('status').textContent };", 3
    )
    wiring = Wiring.from_edges(1, [], [(0, 0, 1)])
    model = LTCRNN(wiring, 1, solver="exponential", ode_unfolds=1, output_mapping=None, **EXACT)
    for name, own in {"c": "cm", "g": "gleak", "l": "vleak"}.items():
        model.params[own] = TAUS[name]
    for name, own in SYNAPSE.items():
        model.params["sensory_" + own] = TAUS[name]
    t = np.array(found["t"])
    x = np.where((t > 5.01) & (t < 9.01), TAUS["input"], 0.0)
    rest = model([[0.0]], dt=1e6)[0]
    trace = model.trace(x[:, None], dt=0.05, h0=rest)
    np.testing.assert_allclose(found["v"], trace.y[:, 0], rtol=1e-11)
    np.testing.assert_allclose(found["tau"], trace["tau"][:, 0], rtol=1e-11)
    at_rest, open_ = trace["tau"][[0, 140], 0]
    want = [at_rest, open_, 2 / 3.5, 2 / 0.5, trace.y[179, 0]]
    np.testing.assert_allclose(numbers(found["text"]), want, atol=0.00501)


@BROWSERS
def test_what_one_neuron_promises(pages):
    """With weak synapses nothing gets faster, the sign of E changes no time constant, and a common factor nothing."""
    script = """
    const after = async (values) => { page.set(values); await pause(0.1); return shown.course; };
    const usual = shown.course;
    const doubled = await after({ c: 2, g: 0.4, w: 4 });
    const inhibited = await after({ c: 1, g: 0.2, w: 2, E: -1 });
    const weak = await after({ w: 0.1 });
    return { usual, doubled, inhibited, weak };
    """
    found = visit(pages / "neuron.html", script, 3)
    np.testing.assert_allclose(found["doubled"]["v"], found["usual"]["v"], rtol=1e-12)
    np.testing.assert_allclose(found["inhibited"]["tau"], found["usual"]["tau"], rtol=1e-12)
    assert min(found["inhibited"]["v"]) < -0.8
    assert min(found["usual"]["tau"]) < 0.11 * max(found["usual"]["tau"])
    assert min(found["weak"]["tau"]) > 0.6 * max(found["weak"]["tau"])


@BROWSERS
@pytest.mark.parametrize("r, count", [(0.8, 5), (2.5, 3), (3.0, 1)])
def test_solvers(pages, r, count):
    """The table has the numbers of the library's solvers, for a neuron without synapses that are open."""
    start, rest = 0.75, -0.2
    script = f"page.set({{ r: {r}, count: {count}, start: {start}, rest: {rest} }}); await pause(0.2);"
    script += "const rows = {}; for (const row of document.querySelectorAll('tbody tr')) {"
    script += "rows[row.id] = Array.from(row.cells, (cell) => cell.textContent); }"
    found = visit(pages / "solver.html", script + "return { rows, solvers: shown.solvers };", 3)
    exact = rest + (start - rest) * np.exp(-r * count)
    factors = {
        "exponential": np.exp(-r), "semi_implicit": 1 / (1 + r), "euler": 1 - r,
        "rk4": 1 - r + r**2 / 2 - r**3 / 6 + r**4 / 24,
    }  # fmt: skip
    for solver in SOLVERS:
        wiring = Wiring.from_edges(1, [], [(0, 0, 1)])
        model = LTCRNN(wiring, 1, solver=solver, ode_unfolds=count, output_mapping=None, **EXACT)
        for name, value in {"cm": 1.0, "gleak": 1.0, "vleak": rest, "sensory_w": 0.0}.items():
            model.params[name] = value
        last = model([[0.0]], dt=r * count, h0=[start])[0, 0]
        want = [factors[solver], last, abs(last - exact)]
        own = found["solvers"][solver]
        np.testing.assert_allclose([own["factor"], own["last"], own["error"]], want, rtol=1e-11, atol=1e-13)
        cells = found["rows"][solver]
        np.testing.assert_allclose([numbers(cell)[0] for cell in cells[1:4]], want, atol=5.1e-5)
        assert cells[4] == ("yes" if abs(factors[solver]) > 1 else "no"), solver


# Of the sliders of the page, by name: which synapse of the library's list each is.
ORDER = ["itself", "back", "forth"]


def two_neurons(sliders, mu, sigma, c, g, l, sensory):
    """The page's network in the library: synapses 0 to 0, 1 to 0 and 0 to 1, which are in the order of the list."""
    wiring = Wiring.from_edges(2, [(0, 0, 1), (1, 0, -1), (0, 1, 1)], [(0, 0, 1)])
    options = {"solver": sliders["solver"], "ode_unfolds": sliders["unfolds"], "output_mapping": None}
    model = LTCRNN(wiring, 1, **options, **EXACT)
    values = {"cm": c, "gleak": g, "vleak": l, "mu": mu, "sigma": np.multiply(sigma, sliders["steep"])}
    values |= {"w": [sliders[name] for name in ORDER], "erev": [1.0, -1.0, 1.0]}
    values |= dict(zip(("sensory_w", "sensory_mu", "sensory_sigma", "sensory_erev"), sensory, strict=True))
    for name, value in values.items():
        model.params[name] = value
    return model


NETWORKS = {
    "example": ([0.1, 0.0, 0.25], [9, 2, 4], [1, 0.5], [0.5, 0.25], [0.2, -0.4], [0.5, 1, 4, 1]),
    "oscillator": ([0.1, 0.2, 0.1], [9, 9, 9], 1, 0.4, -0.3, [0.5, 0.5, 4, 1]),
}
MAPPED = {"example": lambda x: 2 * x + 0.5, "oscillator": lambda x: x}
BEGUN = {
    "example": {"input": 0.5, "itself": 0, "back": 1, "forth": 0.5, "steep": 1},
    "oscillator": {"input": 0.5, "itself": 3, "back": 2.5, "forth": 2, "steep": 1},
}


def curvature(model):
    """A bound of the second derivative of any neuron's slope along an axis, where potentials and E are within 1 of 0.

    Of a synapse's w sigmoid(sigma v) (E - v): a sigmoid's second derivative is at most 1 / (6 sqrt(3)), its first 1/4.
    """
    p = model.effective
    each = p["w"] * (p["sigma"] ** 2 * 2 / (6 * np.sqrt(3)) + 2 * p["sigma"] / 4)
    return (np.bincount(model.wiring.post, each) / p["cm"]).max()


@BROWSERS
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    "change", [{}, {"input": 0.9, "steep": 1.5, "forth": 1.5, "solver": "rk4", "dt": 0.4, "unfolds": 3}]
)
def test_two_neurons(pages, name, change):
    """The way is that of the library's network, and the curves lie where its neurons stand still."""
    script = f"page.get('{name}').click(); page.set({json.dumps(change)}); await pause(0.3);"
    script += "return { ...shown, start: state.start };"
    found = visit(pages / "two_neurons.html", script, 3)
    sliders = {"solver": "semi_implicit", "dt": 0.2, "unfolds": 2} | BEGUN[name] | change
    model, x = two_neurons(sliders, *NETWORKS[name]), MAPPED[name](sliders["input"])
    steps = round(40 / sliders["dt"])
    trace = model.trace(np.full((steps, 1), x), dt=sliders["dt"], h0=found["start"])
    np.testing.assert_allclose(found["way"][1:], trace.layers[0].state, rtol=1e-9, atol=1e-9)
    allowed = (1 / 30) ** 2 / 8 * curvature(model)  # a curve is made of straight lines within cells of 1/30
    plane = analysis.nullclines(model, (0, 1), [x], points=61)
    for k, wanted in enumerate((plane.first_still, plane.second_still)):
        points = np.array(found["still"][k]).reshape(-1, 2)
        slopes = model.trace(np.full((len(points), 1, 1), x), dt=0.0, h0=points)["slope"][:, 0, k]
        assert np.abs(slopes).max() < allowed
        nearest = np.linalg.norm(points[:, None] - wanted[None], axis=2).min(axis=0)
        assert nearest.max() < 1 / 60, "a piece of the curve is missing"


def test_the_example_is_that_of_the_chapter():
    text = (ROOT / "docs" / "maths" / "ltc_example.md").read_text(encoding="utf-8")
    for line in (
        '"cm": [1.0, 0.5], "gleak": [0.5, 0.25], "vleak": [0.2, -0.4]',
        '"mu": [0.0, 0.25], "sigma": [2.0, 4.0]',
        '"sensory_w": [0.5], "sensory_mu": [1.0],',
        '"sensory_sigma": [4.0], "sensory_erev": [1.0],',
    ):
        assert line in text
    assert '"input_w": [2.0], "input_b": [0.5]' in text


@BROWSERS
def test_what_two_neurons_promise(pages):
    """An oscillator goes on, without its own synapse it comes to rest; a long Euler step leaves the equation; a hand
    and the arrow keys move the beginning."""
    script = """
    const after = async (values) => { page.set(values); await pause(0.2); return shown.way; };
    const text = () => page.get("status").textContent;
    const log = { example: text() };
    page.get("oscillator").click();
    log.circle = await after({});
    log.moves = text();
    log.spiral = await after({ itself: 0 });
    log.still = text();
    const usual = await after({ solver: "rk4", dt: 2, unfolds: 6 });
    const euler = await after({ solver: "euler", dt: 2, unfolds: 1 });
    log.away = Math.max(...euler.map((v, n) => Math.hypot(v[0] - usual[n][0], v[1] - usual[n][1])));
    const canvas = page.get("plane");
    const box = canvas.getBoundingClientRect();
    const [left, top] = plane.at(0.25, -0.75);
    canvas.dispatchEvent(new PointerEvent("pointerdown", { clientX: box.left + left, clientY: box.top + top }));
    log.tapped = state.start;
    canvas.dispatchEvent(new KeyboardEvent("keydown", { key: "ArrowUp", cancelable: true }));
    log.key = state.start;
    return log;
    """
    log = visit(pages / "two_neurons.html", script, 6)
    assert log["example"].endswith("stands still.") and log["still"].endswith("stands still.")
    assert log["moves"].endswith("still moves.")
    circle = np.array(log["circle"])
    assert np.ptp(circle[-40:, 0]) > 0.5, "in the last fifth of the time it goes around"
    assert np.ptp(np.array(log["spiral"])[-40:], axis=0).max() < 1e-3
    assert log["away"] > 0.3
    np.testing.assert_allclose([log["tapped"], log["key"]], [[0.25, -0.75], [0.25, -0.7]], atol=1e-9)


@BROWSERS
@pytest.mark.parametrize("name", PAGES)
def test_nothing_is_wider_than_a_phone(pages, name):
    script = """
    document.body.style.width = "390px";
    window.dispatchEvent(new Event("resize"));
    await pause(0.3);
    const outside = (element) => element.getBoundingClientRect().right > 390 && !element.closest(".scroll table");
    const canvases = Array.from(document.querySelectorAll("canvas"), (each) => each.clientWidth);
    return { canvases, wide: Array.from(document.querySelectorAll("main *")).filter(outside).map((e) => e.outerHTML) };
    """
    found = visit(pages / f"{name}.html", script, 3)
    assert not found["wide"]
    assert all(340 < width < 390 for width in found["canvases"])


@pytest.mark.parametrize("name", PAGES)
def test_pages_ask_for_nothing_and_say_what_they_show(name):
    html = (FOLDER / f"{name}.html").read_text(encoding="utf-8")
    assert "needs JavaScript" in re.search(r"<noscript>(.*?)</noscript>", html, re.S)[1]
    for tag in re.findall(r"<canvas[^>]*>", html):
        assert 'role="img"' in tag and "aria-label=" in tag and 'aria-describedby="status"' in tag
    controls = re.findall(r'<(?:input|select)[^>]*id="(\w+)"', html)
    assert len(controls) > 3
    for control in controls:
        assert f'<label for="{control}">' in html
    files = set(re.findall(r'(?:src|href)="([^"]+)"', html)) - {"data:,"}
    chapters = {file for file in files if file.startswith("../")}
    assert chapters and all((FOLDER / re.sub(r"\.html(#.*)?$", ".md", file)).is_file() for file in chapters), chapters
    assert all((FOLDER / file).is_file() for file in files - chapters), files
    for file in FOLDER.iterdir():
        text = file.read_text(encoding="utf-8")
        assert not re.search(r"https?:|fetch\(|XMLHttpRequest|WebSocket|import\s*\(|@import|url\(", text), file.name


def luminance(colour):
    parts = np.array([int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)])
    return np.dot([0.2126, 0.7152, 0.0722], np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4))


def test_text_stands_out_in_light_and_dark():
    """Contrast of 4.5 of all colours that text has, by the definition of WCAG 2."""
    css = (FOLDER / "page.css").read_text(encoding="utf-8")
    palettes = [dict(re.findall(r"--(\w+): (#\w{6});", part)) for part in re.findall(r":root \{(.*?)\}", css, re.S)]
    assert len(palettes) == 2
    for palette in palettes:
        for name in ("ink", "blue", "red", "green", "purple"):
            bright, dark = sorted([luminance(palette[name]), luminance(palette["paper"])], reverse=True)
            assert (bright + 0.05) / (dark + 0.05) >= 4.5, (name, palette[name])


def test_pages_are_linked_from_the_chapters():
    for name, chapter in {"neuron": "ltc.md", "solver": "ltc_solvers.md", "two_neurons": "ltc_example.md"}.items():
        assert f"(../interactive/{name}.html)" in (ROOT / "docs" / "maths" / chapter).read_text(encoding="utf-8")
        assert f"(interactive/{name}.html)" in (ROOT / "docs" / "live.md").read_text(encoding="utf-8")
