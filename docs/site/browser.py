"""A headless Chromium, driven over two pipes by its DevTools protocol; needs nothing but Python and the browser."""

import fcntl
import json
import os
import select
import shutil
import signal
import tempfile
import time

NAMES = "chromium", "chromium-browser", "google-chrome"
NAME = next((name for name in NAMES if shutil.which(name)), None)
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe",
    "--host-resolver-rules=MAP * ~NOTFOUND",  # there is no network
)  # fmt: skip


class BrowserError(RuntimeError):
    """The browser has ended, does not answer, or refuses a command."""


class Browser:
    """One process; use it in ``with``."""

    def __enter__(self):
        self.profile = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
        commands, self.write = os.pipe()
        self.read, answers = os.pipe()
        # The protocol's pipes are the descriptors 3 and 4: ours get other numbers first.
        theirs = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (commands, answers)]
        actions = [(os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(theirs, (3, 4), strict=True)]
        actions += [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
        command = [NAME, *OPTIONS, f"--user-data-dir={self.profile.name}", "about:blank"]
        self.process = os.posix_spawnp(NAME, command, os.environ, file_actions=actions)
        for end in (commands, answers, *theirs):
            os.close(end)
        self.number, self.rest, self.events = 0, b"", []
        return self

    def __exit__(self, *_):
        os.close(self.write)
        os.close(self.read)
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        self.profile.cleanup()

    def message(self, seconds):
        """The next message of the browser."""
        end = time.monotonic() + seconds
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.read], [], [], max(0, end - time.monotonic()))
            received = os.read(self.read, 1 << 20) if ready else b""
            if not received:
                raise BrowserError(f"{NAME} " + ("has ended" if ready else f"has not answered in {seconds} s"))
            self.rest += received
        line, _, self.rest = self.rest.partition(b"\0")
        return json.loads(line)

    def call(self, method, session=None, seconds=60, **parameters):
        """Send a command and give its result; events that come before it are kept."""
        self.number += 1
        command = {"id": self.number, "method": method, "params": parameters}
        os.write(self.write, json.dumps(command | ({"sessionId": session} if session else {})).encode() + b"\0")
        while True:
            message = self.message(seconds)
            if message.get("id") != self.number:
                self.events.append(message)
            elif "error" in message:
                raise BrowserError(f"{method}: {message['error']['message']}")
            else:
                return message["result"]

    def tab(self):
        """A new tab."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        return Tab(self, self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"])


class Tab:
    """One page at a time, with everything that goes wrong in it."""

    def __init__(self, browser, session):
        self.browser, self.session, self.colours = browser, session, None
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def size(self, width, height):
        """Give the window a size."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)

    def scheme(self, scheme):
        """Let the system ask for "light" or "dark" colours."""
        if scheme == self.colours:
            return
        self.colours = scheme
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.run("new Promise((go) => requestAnimationFrame(() => requestAnimationFrame(() => go())))")  # it knows

    def open(self, url, seconds=60):
        """Go to an address, and wait until it is loaded."""
        self.browser.events.clear()
        answer = self.call("Page.navigate", url=url)
        if "errorText" in answer:
            raise BrowserError(f"{url}: {answer['errorText']}")
        events = self.browser.events
        while not any(event["method"] == "Page.loadEventFired" for event in events):
            events.append(self.browser.message(seconds))

    def run(self, script):
        """The value of an expression, which may be a promise; as if the reader had asked for it."""
        options = {"awaitPromise": True, "returnByValue": True, "userGesture": True}
        answer = self.call("Runtime.evaluate", expression=script, **options)
        if "exceptionDetails" in answer:
            raise BrowserError(json.dumps(answer["exceptionDetails"])[:500])
        return answer["result"].get("value")

    def faults(self):
        """What went wrong since the page was opened: console, scripts, requests; and requests to the network."""
        addresses = {}
        for event in self.browser.events:
            found = event.get("params", {})
            match event["method"]:
                case "Runtime.consoleAPICalled" if found["type"] in ("error", "assert", "warning"):
                    said = [str(part.get("value", part.get("description"))) for part in found["args"]]
                    yield f"console: {' '.join(said)}"
                case "Runtime.exceptionThrown":
                    details = found["exceptionDetails"]
                    said = details.get("exception", {}).get("description", details["text"])
                    yield f"exception: {' '.join(said.split())}"
                case "Log.entryAdded" if found["entry"]["level"] in ("error", "warning"):
                    yield f"log: {found['entry']['text']} {found['entry'].get('url', '')}"
                case "Network.requestWillBeSent":
                    address = addresses[found["requestId"]] = found["request"]["url"]
                    if not address.startswith(("file:", "data:", "blob:", "about:")):
                        yield f"asked the network for {address}"
                case "Network.loadingFailed" if not found.get("canceled"):
                    yield f"failed request: {addresses.get(found['requestId'], '?')} {found['errorText']}"
