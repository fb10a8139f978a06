"""Mutation testing: small wrong changes of the sources, one at a time, each of which the named tests must notice.

    python tests/mutation/run.py [--only PATTERN] [--numpy] [--readme] [--jobs 2] [--list]

The changes stand in tests/mutation/list/*.diff; docs/contributing.md says how to add one.  They are made in copies of
the tree in a temporary folder, never in the checkout.  First the named tests run on the sources as they are and must
pass; then each change is made, its tests run, and it is taken back.  A change is

* caught: a named test fails; or hung: its tests run into the time limit, which is caught too;
* SURVIVED: they all pass, so a test is missing;
* GONE: its text is no longer in the file, once;
* BROKEN: the named tests did not run, so the change says nothing about them;
* equivalent: the list gives the reason why no test can see it, and nothing runs.

With ``--readme`` only tests that the README's command runs count: the named ones among them, or, where a change names
none of these, all that the command runs of the files with the named ones.

The exit status is 1 when one survived, is gone or is broken.
"""

import argparse
import concurrent.futures
import contextlib
import dataclasses
import fnmatch
import functools
import hashlib
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

HERE = pathlib.Path(__file__).parent
ROOT = HERE.parents[1]
LISTS = HERE / "list"
CAUGHT, HUNG, SURVIVED, GONE, BROKEN, EQUIVALENT = "caught", "hung", "SURVIVED", "GONE", "BROKEN", "equivalent"
BAD = (SURVIVED, GONE, BROKEN)
# Sources whose text is part of the key of compiled kernels: a changed one gets a cache of its own, so that what was
# compiled for the others stays.
COMPILED = (
    "ltc_np/kernels/c*",
    "ltc_np/kernels/losses.py",
    "ltc_np/kernels/numpy/linoss.py",
    "ltc_np/kernels/numpy/ssm.py",
    "ltc_np/base/[ablp]*.py",
)
WARM = HERE / "warm.py"
PYTEST = ["-x", "-q", "-p", "no:cacheprovider"]
CI = ["-m", "not (gpu or product or sweep or fuzz)"]  # what `.ci/run` runs; without it, what the README's command does
NO_TEST = 5  # pytest's exit status where none was selected


@dataclasses.dataclass
class Mutation:
    """A change of whole lines of a file, that the tests must catch, or the reason why none can."""

    name: str
    file: str = ""
    why: str = ""
    tests: tuple[str, ...] = ()
    equivalent: str = ""
    old: str = ""
    new: str = ""
    list: str = ""

    def applied(self, text):
        """The changed text, or None where the old lines do not stand in it exactly once."""
        text = "\n" + text
        old = "\n" + self.old
        return text.replace(old, "\n" + self.new)[1:] if text.count(old) == 1 else None


def parse(text, name=""):
    """The mutations of a list: each a line ``=== name``, lines ``key: value``, a line ``@@``, then those of a diff.

    Keys are the fields of `Mutation`; a line that begins with two spaces goes on with the value above.  ``tests`` are
    pytest's names of tests, one a line.
    """
    found, key = [], ""
    for line in text.splitlines():
        if line.startswith("=== "):
            found.append(Mutation(line[4:].strip(), list=name))
            key = ""
        elif not found or line.startswith("#"):
            continue
        elif line == "@@" or key == "@@":
            key = "@@"
            found[-1].old += f"{line[1:]}\n" if line[:1] in ("-", " ") else ""
            found[-1].new += f"{line[1:]}\n" if line[:1] in ("+", " ") else ""
        elif line.startswith("  "):
            _put(found[-1], key, line)
        elif line:
            key, _, value = line.partition(":")
            _put(found[-1], key, value)
    return found


def _put(mutation, key, value):
    if key == "tests":
        mutation.tests += (value.strip(),) if value.strip() else ()
    else:
        setattr(mutation, key, f"{getattr(mutation, key)} {value.strip()}".strip())


def listed(folder=LISTS):
    """All mutations of the lists."""
    return [m for path in sorted(folder.glob("*.diff")) for m in parse(path.read_text("utf-8"), path.name)]


class Tree:
    """A copy of the tree that is changed, and run in."""

    def __init__(self, root, folder, limit, options, marks):
        self.folder, self.cache, self.limit, self.warm = folder / "tree", folder / "cache", limit, None
        self.options, self.marks = options, marks
        # Compiled kernels would not fit a changed source, and the warning of that would look like a caught fault.
        made = (".git", ".venv*", ".*cache", ".hypothesis", "__pycache__", "*.egg-info", "libraries")
        skip = shutil.ignore_patterns(*made, "node_modules", "site")
        shutil.rmtree(self.folder, ignore_errors=True)
        shutil.copytree(root, self.folder, ignore=skip)

    def run(self, tests, cache=None, limit=None):
        """Exit status and output of pytest, or None where it ran into the time limit."""
        output = self.folder.parent / "output"
        if self.warm is None or self.warm.poll() is not None:
            self.start()
        order = {"arguments": [*PYTEST, *self.marks, *tests], "cache": str(cache or self.cache), "output": str(output)}
        print(json.dumps(order), file=self.warm.stdin, flush=True)
        pid, late = int(self.warm.stdout.readline()), threading.Event()

        def stop():
            late.set()
            end(pid)

        timer = threading.Timer(limit or threading.TIMEOUT_MAX, stop)
        timer.start()
        try:
            status = int(self.warm.stdout.readline())
        finally:
            timer.cancel()
            end(pid)  # what a test has started must not outlive it
        return (None, "the time limit") if late.is_set() else (status, output.read_text(encoding="utf-8"))

    def start(self):
        """The process that runs pytest, in the copy."""
        environment = os.environ | {
            "PYTHONPATH": str(self.folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "MPLBACKEND": "Agg",
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",  # to load them takes longer than most of the tests
        }
        command = [sys.executable, "-B", str(WARM), *self.options]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self.warm = subprocess.Popen(command, cwd=self.folder, env=environment, **pipes)

    def close(self):
        if self.warm is not None:
            self.warm.stdin.close()
            self.warm.wait()
            self.warm.stdout.close()

    def why_not(self, tests):
        """What the tests say where they do not pass on the sources as they are; None where they do."""
        if not tests:
            return None
        status, output = self.run(tests)
        return output if status not in (0, NO_TEST) else None

    def judge(self, mutation):
        """What becomes of a mutation, and what pytest said."""
        if mutation.equivalent:
            return EQUIVALENT, mutation.equivalent
        path = self.folder / mutation.file
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        changed = mutation.applied(text)
        if changed is None:
            return GONE, f"the text is no longer once in {mutation.file}"
        compiled = any(fnmatch.fnmatch(mutation.file, pattern) for pattern in COMPILED)
        times = path.stat()
        with tempfile.TemporaryDirectory() as own:
            path.write_text(changed, encoding="utf-8")
            try:
                status, output = self.run(mutation.tests, own if compiled else None, self.limit)
            finally:
                path.write_text(text, encoding="utf-8")
                os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # kernels' caches look at it
        return {None: HUNG, 0: SURVIVED, 1: CAUGHT, NO_TEST: SURVIVED}.get(status, BROKEN), output


def end(group):
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


def of_the_readme(mutation, names):
    """A mutation with those tests that the README's command has by these names: its own, or all of their files."""
    own = [test for test in mutation.tests if any(name == test or name.startswith(f"{test}[") for name in names)]
    files = dict.fromkeys(test.partition("::")[0] for test in mutation.tests)
    return dataclasses.replace(mutation, tests=tuple(own or files))


def marks_of_the_readme(root=ROOT):
    """``-m`` and the marks of the README's command, which a test that is named would run without."""
    return ["-m", re.search(r"-m '([^']*)'", (root / "pyproject.toml").read_text(encoding="utf-8"))[1]]


def names_of_the_readme(root=ROOT):
    """The names of all tests of the README's command."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q"]
    said = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
    return {line.partition("@")[0] for line in said.splitlines() if "::" in line}


def groups(mutations):
    """Lists of mutations with tests in the same file, for which these run once on the sources as they are."""
    found = {}
    for mutation in mutations:
        found.setdefault("" if mutation.equivalent else mutation.tests[0].partition("::")[0], []).append(mutation)
    return sorted(found.values(), key=len, reverse=True)


class Caught:
    """What was caught in runs before, and in how many seconds: tried again only if its file or its tests are others."""

    def __init__(self, root, folder):
        self.root, self.path, self.lock = root, folder / "caught.json", threading.Lock()
        self.known = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def seal(self, mutation):
        files = [mutation.file, *(test.partition("::")[0] for test in mutation.tests)]
        texts = [path.read_bytes() if (path := self.root / name).is_file() else b"" for name in files]
        return hashlib.sha256(repr((mutation, texts)).encode()).hexdigest()

    def add(self, mutation, seconds):
        with self.lock:
            self.known[self.seal(mutation)] = seconds
            self.path.write_text(json.dumps(self.known), encoding="utf-8")


def run(mutations, *, root=ROOT, folder, jobs=2, limit=600, options=(), marks=CI, say=print):
    """Judge all of them: (mutation, verdict, seconds) each; copies of the tree are made in ``folder``."""
    folder.mkdir(exist_ok=True)
    waiting, caught = queue.SimpleQueue(), Caught(root, folder)
    known = {mutation.name: caught.known.get(caught.seal(mutation)) for mutation in mutations}
    for group in groups([mutation for mutation in mutations if known[mutation.name] is None]):
        waiting.put(group)

    def one(tree, mutation, broken):
        start = time.monotonic()
        verdict, output = (BROKEN, broken) if broken and not mutation.equivalent else tree.judge(mutation)
        seconds = time.monotonic() - start
        if verdict == CAUGHT:
            caught.add(mutation, seconds)
        lines = [f"{verdict:10} {seconds:5.1f} s  {mutation.name}"]
        if verdict in BAD:
            lines += [f"    {line}" for line in (f"{mutation.file}: {mutation.why}", *mutation.tests)]
            lines.append(output[-1500:])
        say("\n".join(lines))
        return mutation, verdict, seconds

    def work(k):
        found = []
        with (
            contextlib.closing(Tree(root, folder / str(k), limit, options, marks)) as tree,
            contextlib.suppress(queue.Empty),
        ):
            while True:
                group = waiting.get_nowait()
                broken = tree.why_not(list(dict.fromkeys(test for m in group for test in m.tests)))
                found += [one(tree, mutation, broken) for mutation in group]
        return found

    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        found = [result for part in pool.map(work, range(jobs)) for result in part]
    return found + [(m, CAUGHT, known[m.name]) for m in mutations if known[m.name] is not None]


def figures(results):
    """What has become of each list, for docs/trust.md."""
    found = {}
    for name in dict.fromkeys(mutation.list for mutation, _, _ in results):
        own = [(verdict, seconds) for mutation, verdict, seconds in results if mutation.list == name]
        verdicts, times = zip(*own, strict=True)
        counts = {verdict: verdicts.count(verdict) for verdict in (CAUGHT, HUNG, EQUIVALENT, *BAD)}
        words = [f"{len(own)} tried", *(f"{count} {verdict}" for verdict, count in counts.items() if count)]
        found[name] = f"{', '.join(words)}; {sum(times):,.0f} s"
    return found


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", default="*", help="those whose name, file or list matches this")
    parser.add_argument("--jobs", type=int, default=2, help="how many run at the same time")
    parser.add_argument("--limit", type=int, default=600, help="seconds that the tests of one may take")
    parser.add_argument("--folder", type=pathlib.Path, help="keep what is known here, to go on from it in the next run")
    parser.add_argument("--numpy", action="store_true", help="only those that need no Numba, which is hidden: quick")
    parser.add_argument("--readme", action="store_true", help="only by tests that the README's command runs")
    parser.add_argument("--list", action="store_true", help="print the mutations and run nothing")
    parser.add_argument("--write-trust", action="store_true", help="write the figures into docs/trust.md")
    options = parser.parse_args(arguments)
    if options.jobs < 1:
        parser.error(f"--jobs must be at least 1, got {options.jobs}")
    pattern = f"*{options.only}*"
    chosen = [m for m in listed() if any(fnmatch.fnmatch(text, pattern) for text in (m.name, m.file, m.list))]
    if options.numpy:
        chosen = [m for m in chosen if not any(fnmatch.fnmatch(m.file, compiled) for compiled in COMPILED[:1])]
    if not chosen:
        parser.error(f"no mutation has a name, a file or a list that matches {options.only!r}")
    if options.list:
        for m in chosen:
            print(f"{m.name}\n    {m.file}: {m.why}\n    {m.equivalent or ' '.join(m.tests)}")
        return 0
    with tempfile.TemporaryDirectory(prefix="mutation-") as scratch:
        folder = options.folder or pathlib.Path(scratch)
        say, warm = functools.partial(print, flush=True), ["--numpy"] if options.numpy else []
        marks = CI
        if options.readme:
            say("which tests the README's command has")
            names, marks = names_of_the_readme(), marks_of_the_readme()
            chosen = [of_the_readme(mutation, names) for mutation in chosen]
        how = {"jobs": options.jobs, "limit": options.limit, "options": warm, "marks": marks}
        say("first the named tests run on the sources as they are, and kernels are compiled")
        results = run(chosen, folder=folder, say=say, **how)
    found = figures(results)
    for name, words in found.items():
        print(f"{name}: {words}")
    bad = [f"{verdict}: {mutation.name}" for mutation, verdict, _ in results if verdict in BAD]
    print("\n".join(bad or ["every one is caught, or equivalent"]))
    if options.write_trust:
        names = {mutation.name for mutation in chosen}
        write(found, {mutation.list for mutation in listed() if mutation.name not in names}, options)
    return int(bool(bad))


def write(found, cut, options):
    """Write the figures of the lists that were tried as a whole; those of ``cut`` were not."""
    sys.path[:0] = [str(ROOT), str(HERE.parent)]
    from support.trust import Trust

    chosen = [] if options.only == "*" else [f"--only {options.only}"]
    chosen += ["--numpy"] * options.numpy + ["--readme"] * options.readme
    command = ["python tests/mutation/run.py", *chosen, "--write-trust"]
    by = ", by the README's command" if options.readme else ""
    whole = {f"`{name}`{by}": words for name, words in found.items() if name not in cut}
    Trust(" ".join(command)).record("mutations", whole)


if __name__ == "__main__":
    sys.exit(main())
