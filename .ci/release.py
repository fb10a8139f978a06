#!/usr/bin/env python3
"""Everything of a release up to the upload, which stays a human's.

    python3 .ci/release.py [--dry] [--output dist] [--tests "tests/base tests/data"]

It works on a clone of the last commit, so nothing that is only in this folder gets into a package.  `--dry` allows
changes that are not committed, a section of the changelog without a date, and a tag that exists; all else is done as
for a release.

A release has an sdist and two wheels: one for Linux on x86-64 with compiled kernels, and one for all other systems.
Compiling the kernels needs Linux on x86-64 and a C compiler, and takes minutes, twice.
"""

import argparse
import contextlib
import datetime
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import uuid
import zipfile
from pathlib import Path
from typing import NamedTuple

import first_calls
import versions

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ["build", "hatchling>=1.27", "twine>=6", "auditwheel>=6", "numba", "cyclonedx-python-lib[json-validation]>=9"]
# What the sdist has besides the files that git knows below these.
IN_SDIST = ["ltc_np", "tests", "examples", "docs", "README.md", "LICENSE", "pyproject.toml", ".gitignore"]
IN_DIST_INFO = ["METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"]
KINDS = {".py", ".typed"}  # of the files of the package; another kind must be thought about, and then added here
LIBRARIES = {f"ltc_np/kernels/libraries/{name}" for name in ("manifest.json", "x86-64-v3.so", "x86-64-v4.so")}
LARGEST = 5e6  # bytes of a wheel
# Run against the installed wheels, where they need nothing but NumPy, Numba, pytest and hypothesis.
TESTS = ["tests/base", "tests/cells/test_golden.py", "tests/data", "tests/losses", "tests/metrics", "tests/optim"]
TESTS += ["tests/wirings", "tests/test_io.py", "tests/test_recipe.py", "tests/test_tutorial.py"]
TESTS += ["tests/protocol/test_files.py", "tests/protocol/test_gradients.py"]
LATEST = re.compile(r"^## (\d+\.\d+\.\d+) - (\S+)\n(.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)
SCHEMA = """
import sys
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(open(sys.argv[1], encoding="utf-8").read())
sys.exit(str(error) if error else 0)
"""


class Refused(Exception):
    """What must be put right before a release, in one line."""


def say(*command, **options):
    """What a command says; Refused if it fails."""
    done = subprocess.run([*map(str, command)], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)
    if done.returncode:
        raise Refused(f"{' '.join(map(str, command))[:300]}\n{done.stdout[-6000:]}")
    return done.stdout.strip()


def need(right, message):
    if not right:
        raise Refused(message)


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# ------------------------------------------------------------------------------------------------ what must agree


def version_of(root):
    return re.search(r'^__version__ = "(.*)"$', (root / "ltc_np/base/version.py").read_text(encoding="utf-8"), re.M)[1]


def agreed(version, changelog, citation, dry=False):
    """The date of the release; version, changelog and citation say the same."""
    found = LATEST.search(changelog)
    need(found, "docs/changelog.md has no section `## VERSION - DATE`")
    need(found[1] == version, f"the changelog's first section is {found[1]}, ltc_np/base/version.py says {version}")
    need("### Upgrade" in found[3], f"the changelog's section {version} has no notes `### Upgrade from ...`")
    cited = re.search(r"^version: (.*)$", citation, re.MULTILINE)
    need(cited and cited[1] == version, f"docs/CITATION.cff must have the line `version: {version}`")
    if found[2] == "unreleased":
        need(dry, f"the changelog's section {version} must have a date in the place of `unreleased`")
        return None
    date = datetime.date.fromisoformat(found[2])
    cited = re.search(r"^date-released: (.*)$", citation, re.MULTILINE)
    need(cited and cited[1] == found[2], f"docs/CITATION.cff must have the line `date-released: {date}`")
    return date


def check_tree(version, dry):
    """The commit that is released."""
    changed = say("git", "status", "--porcelain", cwd=ROOT)
    need(dry or not changed, f"commit or remove what is not committed:\n{changed}")
    need(dry or not say("git", "tag", "--list", f"v{version}", cwd=ROOT), f"the tag v{version} exists")
    return say("git", "rev-parse", "HEAD", cwd=ROOT)


# ------------------------------------------------------------------------------------------------ packages


def wheel_names(tracked, version):
    """What a wheel without compiled kernels must hold, no more and no less."""
    return {name for name in tracked if name.startswith("ltc_np/")} | {
        f"ltc_np-{version}.dist-info/{name}" for name in IN_DIST_INFO
    }


def sdist_names(tracked, version):
    """What the sdist must hold, no more and no less."""
    kept = {name for name in tracked if name.split("/")[0] in IN_SDIST}
    return {f"ltc_np-{version}/{name}" for name in (*kept, "PKG-INFO")}


def compare(what, found, wanted):
    """Refused if the names differ, or if one of the package has a kind that nobody has thought about."""
    need(len(found) == len(set(found)), f"{what} holds names twice")
    missing, more = sorted(wanted - set(found)), sorted(set(found) - wanted)
    need(not missing and not more, f"{what}: not there: {missing[:9]}; there but not wanted: {more[:9]}")
    ours = {name for name in found if re.match(r"(ltc_np-[^/]*/)?ltc_np/", name)} - LIBRARIES
    odd = sorted(name for name in ours if Path(name).suffix not in KINDS)
    need(not odd, f"{what}: files of another kind than {sorted(KINDS)}: {odd[:9]}")


def names_in(package):
    if package.suffix == ".whl":
        with zipfile.ZipFile(package) as file:
            return file.namelist()
    with tarfile.open(package) as file:
        return [member.name for member in file.getmembers() if not member.isdir()]


class Packages(NamedTuple):
    """What a commit gives: an sdist, and three wheels: with compiled kernels, for other systems, as of a checkout."""

    sdist: Path
    compiled: Path
    pure: Path
    local: Path


def build(tools, commit, folder):
    """The `Packages` of a commit, and what git knows of it; the wheel made from the sdist is that from a clone."""
    clone = folder / "clone"
    say("git", "clone", "-q", "--no-hardlinks", ROOT, clone)
    say("git", "checkout", "-q", commit, cwd=clone)
    epoch = say("git", "log", "-1", "--format=%ct", commit, cwd=clone)
    env = {name: value for name, value in os.environ.items() if name != "LTC_NP_WHEEL"} | {"SOURCE_DATE_EPOCH": epoch}

    def made(kind, *which, **variables):
        command = [tools / "python", "-m", "build", "--no-isolation", *which, "-o", folder / kind, clone]
        say(*command, env=env | variables)
        (wheel,) = (folder / kind).glob("*.whl")
        return wheel

    local = made("from_sdist")
    (sdist,) = (folder / "from_sdist").glob("*.tar.gz")
    need(
        sha256(made("from_clone", "--wheel")) == sha256(local),
        "the wheel made from the sdist is not the one made from the checkout",
    )
    say(tools / "python", "-m", "ltc_np", "build-kernels", cwd=clone)
    compiled, pure = (made(kind, "--wheel", LTC_NP_WHEEL=kind) for kind in ("compiled", "pure"))
    return Packages(sdist, compiled, pure, local), say("git", "ls-files", cwd=clone).splitlines()


def metadata_of(wheel):
    with zipfile.ZipFile(wheel) as file:
        (name,) = (name for name in file.namelist() if name.endswith(".dist-info/METADATA"))
        return file.read(name).decode()


def check_wheels(tools, packages):
    """The compiled wheel fits every Linux that its name says, and what resolvers read of the two wheels is the same."""
    need(metadata_of(packages.compiled) == metadata_of(packages.pure), "the two wheels must have the same metadata")
    audited = say(tools / "auditwheel", "show", packages.compiled)
    need("requires no external shared libraries" in audited, f"auditwheel: {audited}")
    size = packages.compiled.stat().st_size
    need(size <= LARGEST, f"{packages.compiled.name} has {size} bytes, more than {LARGEST:.0f}")


# ------------------------------------------------------------------------------------------------ the installed package


def size_of(folder):
    """Bytes of the files in an environment's packages, without pip and what only was compiled there."""
    (packages,) = folder.glob("lib/python*/site-packages")
    skipped = ("pip", "setuptools", "_distutils_hack", "pkg_resources")
    return sum(
        path.stat().st_size
        for top in packages.iterdir()
        if not top.name.startswith(skipped)
        for path in ([top] if top.is_file() else top.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    )


def environment(env, *arguments, python=sys.executable):
    """Makes an environment, in which pip installs; the folder of its programs."""
    say(python, "-m", "venv", env)
    pip = [env / "bin/python", "-m", "pip", "install", "-q", "--no-compile", "--disable-pip-version-check"]
    say(*pip, *arguments)
    return env / "bin"


def test(python, folder, selection):
    """The last line of pytest, run in a folder that has tests and no package."""
    say(python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "pytest", "hypothesis")
    where = say(python, "-c", "import ltc_np; print(ltc_np.__file__)", cwd=folder)
    need(str(python.parents[1]) in where, f"what would be tested is not what was installed: {where}")
    pytest = [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not (slow or fuzz)"]
    said = say(*pytest, *selection, cwd=folder)
    need(re.search(r"\d+ passed", said), f"no test ran: {said[-500:]}")
    return said.splitlines()[-1]


# ------------------------------------------------------------------------------------------------ what goes with it


def licences(meta):
    """Those that a package's metadata name, as CycloneDX wants them.

    A license may be a text of many lines, whose first one is seldom its name; classifiers tell it then.
    """
    if meta.get("license_expression"):
        return [{"expression": meta["license_expression"]}]
    told = (meta.get("license") or "").strip()
    lines = [] if told == "UNKNOWN" else told.splitlines()
    classified = [name.split(" :: ")[-1] for name in meta.get("classifier", ()) if name.startswith("License :: ")]
    classified = [name for name in classified if name != "OSI Approved"]  # which does not say what was approved
    names = lines if len(lines) == 1 else classified or lines[:1] or ["NOASSERTION"]
    return [{"license": {"name": name[:100]}} for name in names]


def bill(report, wheel, version, stamp):
    """A CycloneDX 1.6 bill of materials of the wheel and of what pip installed with it, from pip's own report."""
    parts, needs = [], {}
    for item in report["install"]:
        meta, found = item["metadata"], item["download_info"]["archive_info"]["hashes"]["sha256"]
        name = re.sub(r"[-_.]+", "-", meta["name"]).lower()
        ours = name == "ltc-np"
        part = {
            "type": "library",
            "bom-ref": f"pkg:pypi/{name}@{meta['version']}",
            "name": name,
            "version": meta["version"],
            "purl": f"pkg:pypi/{name}@{meta['version']}",
            "hashes": [{"alg": "SHA-256", "content": sha256(wheel) if ours else found}],
            "licenses": licences(meta),
        }
        parts.append((ours, part))
        wanted = [r for r in meta.get("requires_dist", ()) if "extra ==" not in r]
        needs[part["bom-ref"]] = {re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", r)[0]).lower() for r in wanted}
    refs = {part["name"]: part["bom-ref"] for _, part in parts}
    (mine,) = (part for ours, part in parts if ours)
    need(mine["version"] == version, f"pip has installed {mine['version']}")
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, sha256(wheel))}",
        "version": 1,
        "metadata": {"timestamp": stamp, "component": mine},
        "components": [part for ours, part in parts if not ours],
        "dependencies": [
            {"ref": ref, "dependsOn": sorted(refs[name] for name in names if name in refs)}
            for ref, names in needs.items()
        ],
    }


class Steps:
    """Says what has been done, one line a step."""

    def __init__(self):
        self.figures = {}

    @contextlib.contextmanager
    def __call__(self, what):
        print(f"... {what}", flush=True)
        yield
        print(f"    done: {what}", flush=True)


def try_compiled(wheel, scratch, folder, selection):
    """The wheel with compiled kernels, with the newest and the lowest NumPy alone, in every Python here; figures."""
    found = {}
    own = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for version, python in (versions.interpreters() | {own: sys.executable}).items():
        env = scratch / f"compiled-{version}"
        programs = environment(env, wheel, python=python)
        need("numba" not in say(programs / "pip", "list"), "the wheel with compiled kernels has brought Numba")
        info = say(programs / "ltc-np", "info")
        kernels = re.search(r"^kernels: compiled, (.*)$", info, re.MULTILINE)
        need(kernels, f"Python {version} runs other kernels than the compiled ones:\n{info}")
        if version == own:
            found |= {"compiled wheel: installed, with NumPy alone": f"{size_of(env) / 1e6:.0f} MB"}
            found |= first_calls.figures(programs / "python", wheel, scratch)
        said = test(programs / "python", folder, selection if version == own else versions.QUICK)
        found |= {f"compiled wheel: tests with NumPy alone, Python {version}, {kernels[1]}": said}
        lowest = f"numpy=={versions.LOWEST[version]['numpy']}"
        say(programs / "pip", "install", "-q", "--no-compile", "--disable-pip-version-check", lowest)
        said = test(programs / "python", folder, versions.QUICK)
        found |= {f"compiled wheel: tests with {lowest} alone, Python {version}": said}
    return found


def release(given, scratch):
    """All steps; the figures of docs/trust.md."""
    step, figures = Steps(), {}
    version = version_of(ROOT)
    with step("version, changelog and citation agree; the tree is clean"):
        commit = check_tree(version, given.dry)
        texts = ((ROOT / name).read_text(encoding="utf-8") for name in ("docs/changelog.md", "docs/CITATION.cff"))
        date = agreed(version, *texts, given.dry)
    with step("tools"):
        tools = environment(scratch / "tools", *TOOLS)
        citation = environment(scratch / "citation", "cffconvert")  # it needs another jsonschema than the rest
        say(citation / "cffconvert", "--validate", "-i", ROOT / "docs/CITATION.cff")
    with step("kernels, sdist and wheels, twice; the wheel from the sdist is that from the checkout"):
        packages, tracked = build(tools, commit, scratch / "first")
        again, _ = build(tools, commit, scratch / "second")
        for one, other in zip(packages, again, strict=True):
            need(sha256(one) == sha256(other), f"two builds of {one.name} differ")
        sdist, compiled, pure, local = packages
        for what, package in (("compiled wheel", compiled), ("wheel for other systems", pure), ("sdist", sdist)):
            names = names_in(package)
            figures |= {f"size of the {what}": f"{package.stat().st_size / 1e6:.2f} MB, {len(names)} files"}
        figures |= {"builds of kernels, wheels and sdist that differ from the first, of two": 0}
    with step("their contents are those of the lists"):
        wanted = wheel_names(tracked, version)
        for package, names in ((compiled, wanted | LIBRARIES), (pure, wanted), (local, wanted)):
            compare(package.name, names_in(package), names)
        compare(sdist.name, names_in(sdist), sdist_names(tracked, version))
    with step("twine check --strict, auditwheel, metadata"):
        say(tools / "twine", "check", "--strict", sdist, compiled, pure)
        check_wheels(tools, packages)
    with step("the wheel of the sdist in a fresh environment, tests of the sdist in a folder without the package"):
        with tarfile.open(sdist) as file:
            file.extractall(scratch / "sdist", **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
        (folder,) = (scratch / "sdist").iterdir()
        shutil.rmtree(folder / "ltc_np")
        whole = environment(scratch / "whole", local)
        figures |= {"installed, with NumPy and Numba": f"{size_of(scratch / 'whole') / 1e6:.0f} MB"}
        figures |= {"tests of the sdist against the installed wheel": test(whole / "python", folder, given.tests)}
    with step("the wheel with NumPy alone"):
        bare = environment(scratch / "bare", "--no-deps", local, "numpy")
        figures |= {"installed, with NumPy alone": f"{size_of(scratch / 'bare') / 1e6:.0f} MB"}
        figures |= {"the same tests with NumPy alone": test(bare / "python", folder, given.tests)}
    with step("the wheel with compiled kernels and NumPy alone, in every Python"):
        figures |= try_compiled(compiled, scratch, folder, given.tests)
    with step("bill of materials, checksums"):
        given.output.mkdir(parents=True, exist_ok=True)
        stamp = datetime.datetime.fromtimestamp(
            int(say("git", "log", "-1", "--format=%ct", commit, cwd=ROOT)), datetime.timezone.utc
        ).strftime("%Y-%m-%dT%H:%M:%SZ")
        files = [Path(shutil.copy(package, given.output)) for package in (sdist, compiled, pure)]
        for wheel, extra in ((compiled, ""), (pure, "[jit]")):
            report = scratch / f"{wheel.name}.json"
            environment(
                scratch / f"bill{extra}", "--dry-run", "--ignore-installed", "--report", report, f"{wheel}{extra}"
            )
            made = bill(json.loads(report.read_text(encoding="utf-8")), wheel, version, stamp)
            files.append(given.output / f"{wheel.stem}.cdx.json")
            files[-1].write_text(json.dumps(made, indent=2) + "\n", encoding="utf-8")
            say(tools / "python", "-c", SCHEMA, files[-1])
        lines = "".join(f"{sha256(path)}  {path.name}\n" for path in files)
        (given.output / "SHA256SUMS").write_text(lines, encoding="utf-8")
    print(f"\n{lines}\nin {given.output}: what stands in SHA256SUMS.  Nothing has been uploaded or tagged.")
    print("\n".join(f"{what}: {figure}" for what, figure in figures.items()))
    print(next_steps(version, commit, date, given.output))
    return figures


def next_steps(version, commit, date, output):
    """What is left to a human, as commands."""
    lines = []
    if date is None:
        lines += [
            f"write the day in the place of `unreleased` in docs/changelog.md ({version}), and as `date-released` in "
            "docs/CITATION.cff; commit; run this again without --dry"
        ]
    if not os.environ.get("LTC_NP_REPO_URL"):
        lines += [
            "if there is a public repository: LTC_NP_REPO_URL=ADDRESS, for links on the package's page; run again"
        ]
    lines += [
        f"git tag -s v{version} {commit[:12]} -m 'ltc_np {version}' && git push origin v{version}",
        f"twine upload {output}/ltc_np-{version}-*.whl {output}/ltc_np-{version}.tar.gz",
        f"attach {output}/ltc_np-{version}-*.cdx.json and {output}/SHA256SUMS to the release of the tag",
        f"pip install ltc-np=={version} on another machine",
    ]
    return "\nNext, by hand:\n" + "\n".join(f"{k}. {line}" for k, line in enumerate(lines, 1))


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dry", action="store_true", help="allow what only a real release must have")
    parser.add_argument("--output", type=Path, default=ROOT / "dist", help="default: dist")
    parser.add_argument("--tests", type=str.split, default=TESTS, help="what pytest runs against the installed wheel")
    parser.add_argument("--write-trust", action="store_true", help="write the figures to docs/trust.md; needs ltc_np")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        try:
            figures = release(given, Path(name))
        except Refused as refused:
            sys.exit(f"no release: {refused}")
    if given.write_trust:
        sys.path.insert(0, str(ROOT / "tests"))
        from support.trust import Trust

        Trust(shlex.join(["python", ".ci/release.py", *(arguments or sys.argv[1:])])).record("release", figures)


if __name__ == "__main__":
    main()
