"""Pages in a headless Chromium, from files, with what they write and whatever goes wrong."""

import html
import json
import re
import shutil
import subprocess
import tempfile

NAMES = "chromium", "chromium-browser", "google-chrome"
BROWSER = next((name for name in NAMES if shutil.which(name)), None)

# Before all scripts: frames by the clock that the browser turns, WebAssembly compiled at once (that clock does
# not wait for another thread to do it), the same random numbers every time, nothing from the network, a list of faults.
HEAD = """\
<meta http-equiv="Content-Security-Policy"
  content="default-src file: data: 'unsafe-inline' 'wasm-unsafe-eval'; connect-src 'none'">
<script>
const faults = [];
addEventListener("error", (event) => faults.push(`error: ${event.message}`));
addEventListener("unhandledrejection", (event) => faults.push(`rejected: ${event.reason}`));
addEventListener("securitypolicyviolation", (event) => faults.push(`asked for ${event.blockedURI}`));
window.requestAnimationFrame = (draw) => setTimeout(() => draw(performance.now()), 16);
WebAssembly.instantiate = async (bytes, imports) => {
  const module = new WebAssembly.Module(bytes);
  return { module, instance: new WebAssembly.Instance(module, imports) };
};
let seed = 1;
Math.random = () => { seed = (seed * 48271) % 2147483647; return seed / 2147483647; };
const pause = (seconds) => new Promise((go) => setTimeout(go, 1000 * seconds));
</script>
"""
# After all scripts: what the test does; its value is written into the page.
TAIL = """\
<pre id="found"></pre>
<script>
(async () => {
  let value = null;
  try {
    value = await (async () => { %s })();
  } catch (error) {
    faults.push(`test: ${error}`);
  }
  const sources = performance.getEntriesByType("resource").map((entry) => entry.name);
  document.getElementById("found").textContent = JSON.stringify({ value, faults, sources });
})();
</script>
"""


def visit(page, script, seconds, allowed=()):
    """Open a page of a copied folder, run ``script`` (the body of an async function) in it, and give its value.

    Parameters
    ----------
    page : pathlib.Path
        Of HTML with a head and a body; a copy beside it is opened.
    script : str
        JavaScript; what it returns must be plain data.
    seconds : float
        Of the page's clock, which does not wait while nothing happens.
    allowed : texts
        What faults and lines of the console may hold.
    """
    text = page.read_text(encoding="utf-8")
    text = text.replace("<head>", "<head>\n" + HEAD, 1).replace("</body>", TAIL % script + "</body>", 1)
    copy = page.with_name(f"visited_{page.name}")
    copy.write_text(text, encoding="utf-8")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
            "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--window-size=1000,900",
            f"--virtual-time-budget={round(1000 * seconds)}", "--enable-logging=stderr", "--dump-dom", copy.as_uri(),
        ]  # fmt: skip
        done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    written = re.search(r'<pre id="found">(.*?)</pre>', done.stdout, re.DOTALL)
    assert written and written[1], (
        f"the page has written nothing in {seconds} s:\n{done.stdout[-500:]}\n{done.stderr[-2000:]}"
    )
    found = json.loads(html.unescape(written[1]))
    console = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    wrong = [text for text in found["faults"] + console if not any(known in text for known in allowed)]
    assert not wrong, wrong
    elsewhere = [name for name in found["sources"] if not name.startswith(("file:", "data:"))]
    assert not elsewhere, elsewhere
    return found["value"]
