"""What is around a release: the scripts of .ci, the workflow, the citation, and what the packages hold."""

import hashlib
import importlib.util
import json
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from support import ROOT

if not (ROOT / ".ci").is_dir():
    pytest.skip("the scripts of .ci are in the checkout only", allow_module_level=True)


def script(name):
    """A script of .ci as a module."""
    spec = importlib.util.spec_from_file_location(f"ci_{name}", ROOT / ".ci" / f"{name}.py")
    sys.modules[spec.name] = module = importlib.util.module_from_spec(spec)  # dataclasses look there
    spec.loader.exec_module(module)
    return module


sys.path.append(str(ROOT / ".ci"))  # where the scripts find each other
release, versions, first_calls = script("release"), script("versions"), script("first_calls")
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
VERSION = release.version_of(ROOT)
CHANGELOG = "# Changelog\n\n## 1.2.0 - 2026-11-27\n\n### Upgrade from 1.1\n\nNothing.\n\n## 1.1.0 - 2026-11-25\n"
CITATION = "version: 1.2.0\ndate-released: 2026-11-27\n"


# ------------------------------------------------------------------------------------------------ what must agree


def test_version_changelog_and_citation_agree():
    texts = [(ROOT / "docs" / name).read_text(encoding="utf-8") for name in ("changelog.md", "CITATION.cff")]
    release.agreed(VERSION, *texts, dry=True)
    assert str(release.agreed("1.2.0", CHANGELOG, CITATION)) == "2026-11-27"


DAY, UPGRADE = "2026-11-27", "### Upgrade from 1.1"


@pytest.mark.parametrize(
    ("changelog", "citation", "message"),
    [
        ("# Changelog\n", CITATION, "no section"),
        (CHANGELOG.replace("1.2.0", "1.3.0"), CITATION, "first section is 1.3.0, ltc_np/base/version.py says 1.2.0"),
        (CHANGELOG.replace(UPGRADE, "### Added"), CITATION, "has no notes `### Upgrade"),
        (CHANGELOG.replace("1.1.0 - ", f"{UPGRADE} ").replace(UPGRADE, "", 1), CITATION, "has no notes `### Upgrade"),
        (CHANGELOG, CITATION.replace("1.2.0", "1.1.0"), "must have the line `version: 1.2.0`"),
        (CHANGELOG.replace(DAY, "unreleased"), CITATION, "must have a date in the place of `unreleased`"),
        (CHANGELOG, "version: 1.2.0\n", "must have the line `date-released: 2026-11-27`"),
        (CHANGELOG, CITATION.replace("-27", "-26"), "must have the line `date-released: 2026-11-27`"),
    ],
)
def test_a_release_is_refused(changelog, citation, message):
    with pytest.raises(release.Refused, match=re.escape(message)):
        release.agreed("1.2.0", changelog, citation)


def test_what_is_left_to_a_human_is_said(monkeypatch):
    monkeypatch.delenv("LTC_NP_REPO_URL", raising=False)
    said = release.next_steps("1.2.0", "0123456789abcdef", None, Path("dist"))
    assert "in the place of `unreleased`" in said and "LTC_NP_REPO_URL" in said
    assert "git tag -s v1.2.0 0123456789ab" in said
    assert "twine upload dist/ltc_np-1.2.0-*.whl dist/ltc_np-1.2.0.tar.gz" in said
    monkeypatch.setenv("LTC_NP_REPO_URL", "https://example.org/x")
    said = release.next_steps("1.2.0", "0123456789abcdef", "2026-11-27", Path("dist"))
    assert "unreleased" not in said and "LTC_NP_REPO_URL" not in said


# ------------------------------------------------------------------------------------------------ packages


def test_packages_hold_what_the_lists_say(tmp_path):
    """Type checkers look for the file py.typed beside the modules, which is in the lists too."""
    wheel = pytest.importorskip(
        "hatchling.builders.wheel", reason='hatchling is not installed: pip install "ltc-np[dev]"'
    )
    sdist = pytest.importorskip("hatchling.builders.sdist")
    listed = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    tracked = [name for name in listed.stdout.splitlines() if (ROOT / name).exists()]
    assert "ltc_np/py.typed" in tracked
    for builder, names in ((wheel.WheelBuilder, release.wheel_names), (sdist.SdistBuilder, release.sdist_names)):
        (built,) = builder(str(ROOT)).build(directory=str(tmp_path), versions=["standard"])
        release.compare(built, release.names_in(Path(built)), names(tracked, VERSION))


WHEEL = release.wheel_names(["ltc_np/a.py", "ltc_np/py.typed", "tests/b.py", "docs/c.md"], "1.2.0")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda names: [*names, "tests/b.py"], "there but not wanted: ['tests/b.py']"),
        (lambda names: [*names, "ltc_np/__pycache__/a.cpython-311.pyc"], "not wanted: ['ltc_np/__pycache__"),
        (lambda names: [n for n in names if n != "ltc_np/py.typed"], "not there: ['ltc_np/py.typed']"),
        (lambda names: [*names, "ltc_np/a.py"], "names twice"),
        (lambda names: [*names, *sorted(release.LIBRARIES)], "not wanted: ['ltc_np/kernels/libraries/manifest.json'"),
    ],
)
def test_other_contents_are_seen(change, message):
    release.compare("a wheel", sorted(WHEEL | release.LIBRARIES), WHEEL | release.LIBRARIES)
    release.compare("a wheel", sorted(WHEEL), WHEEL)
    with pytest.raises(release.Refused, match=re.escape(message)):
        release.compare("a wheel", change(sorted(WHEEL)), WHEEL)


@pytest.mark.parametrize("start", ["ltc_np/", "ltc_np-1.2.0/ltc_np/"])
def test_another_kind_of_file_is_seen_though_git_knows_it(start):
    names = {f"{start}a.py", f"{start}data.npz", f"{start}kernels/x86-64-v4.so"}
    with pytest.raises(release.Refused, match=r"files of another kind .*data\.npz', .*v4\.so'"):
        release.compare("a package", sorted(names), names)


# ------------------------------------------------------------------------------------------------ compiled kernels


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small project with the build of this one, and with files in the place of compiled kernels."""
    pytest.importorskip("hatchling", reason='hatchling is not installed: pip install "ltc-np[dev]"')
    for variable in ("LTC_NP_WHEEL", "LTC_NP_REPO_URL"):
        monkeypatch.delenv(variable, raising=False)
    root = tmp_path / "tree"
    real = ["pyproject.toml", ".gitignore", "README.md", "LICENSE", "docs/scripts/build_hooks.py"]
    real += ["ltc_np/base/version.py", "ltc_np/kernels/sources.py"]
    stubs = [
        "base/activations",
        "base/blas",
        "base/layout",
        "base/polynomials",
        "kernels/codes",
        "kernels/losses",
        "kernels/numpy/linoss",
        "kernels/numpy/ssm",
        "kernels/library",
    ]
    stubs += ["kernels/calls", "kernels/signatures", "kernels/cpu/ltc"]
    for name in (*real, *(f"ltc_np/{stub}.py" for stub in stubs)):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copyfile if name in real else lambda _, to: to.write_text("x = 1\n"))(ROOT / name, root / name)
    spec = importlib.util.spec_from_file_location("sources_of_tree", root / "ltc_np/kernels/sources.py")
    sources = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sources)
    folder = root / "ltc_np/kernels/libraries"
    folder.mkdir()
    entries = {}
    for level in ("x86-64-v3", "x86-64-v4"):
        (folder / f"{level}.so").write_bytes(level.encode())
        entries[level] = {"sources": sources.library_hash(), "sha256": hashlib.sha256(level.encode()).hexdigest()}
    (folder / "left-over.so").write_bytes(b"of another build")
    (folder / "manifest.json").write_text(json.dumps({"libraries": entries}))
    return root


def built(root, kind="wheel"):
    from hatchling.builders.sdist import SdistBuilder
    from hatchling.builders.wheel import WheelBuilder

    builder = {"wheel": WheelBuilder, "sdist": SdistBuilder}[kind]
    (path,) = builder(str(root)).build(directory=str(root / "dist"), versions=["standard"])
    return Path(path)


LINUX = {"sys_platform": "linux", "platform_machine": "x86_64", "extra": ""}


def required(wheel, **system):
    """Names of what pip would install with a wheel on this system, without extras."""
    from packaging.requirements import Requirement  # pytest needs it

    lines = re.findall(r"^Requires-Dist: (.*)$", release.metadata_of(wheel), re.MULTILINE)
    found = [Requirement(line) for line in lines]
    return {one.name for one in found if one.marker is None or one.marker.evaluate(LINUX | system)}


def test_a_release_has_a_wheel_with_compiled_kernels_and_one_for_other_systems(tree, monkeypatch):
    monkeypatch.setenv("LTC_NP_WHEEL", "compiled")
    compiled = built(tree)
    monkeypatch.setenv("LTC_NP_WHEEL", "pure")
    pure = built(tree)
    head = f"ltc_np-{VERSION}-py3-none"
    assert compiled.name == f"{head}-manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64.whl"
    assert pure.name == f"{head}-any.whl"
    assert set(release.names_in(compiled)) - set(release.names_in(pure)) == release.LIBRARIES
    assert set(release.names_in(pure)) < set(release.names_in(compiled))
    for wheel, words in ((compiled, "Root-Is-Purelib: false"), (pure, "Root-Is-Purelib: true")):
        with zipfile.ZipFile(wheel) as file:
            assert words in file.read(f"ltc_np-{VERSION}.dist-info/WHEEL").decode()
    # Resolvers for all systems, such as uv and Poetry, read any one of them.
    assert release.metadata_of(compiled) == release.metadata_of(pure)
    assert required(compiled) == {"numpy"} and required(compiled, extra="jit") == {"numpy", "numba"}
    for system in ({"sys_platform": "darwin"}, {"sys_platform": "win32"}, {"platform_machine": "aarch64"}):
        assert required(pure, **system) == {"numpy", "numba"}, system


def test_what_is_no_wheel_of_a_release_needs_numba_and_has_no_libraries(tree):
    wheel, sdist = built(tree), built(tree, "sdist")
    assert wheel.name.endswith("-py3-none-any.whl") and required(wheel) == {"numpy", "numba"}
    assert "numba" in required(wheel, extra="test")
    for package in (wheel, sdist):
        assert not [name for name in release.names_in(package) if "/libraries/" in name]


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("ltc_np/kernels/cpu/ltc.py", "made of other sources"),
        ("ltc_np/kernels/libraries/x86-64-v3.so", "x86-64-v3.so is damaged"),
        ("ltc_np/kernels/libraries/manifest.json", "No such file"),
    ],
)
def test_no_wheel_gets_libraries_that_do_not_fit(file, message, tree, monkeypatch):
    monkeypatch.setenv("LTC_NP_WHEEL", "compiled")
    (tree / file).unlink() if file.endswith("json") else (tree / file).write_bytes(b"y = 2\n")
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        built(tree)


def test_an_unknown_kind_of_wheel_is_refused(tree, monkeypatch):
    monkeypatch.setenv("LTC_NP_WHEEL", "fast")
    with pytest.raises(ValueError, match="LTC_NP_WHEEL must be compiled, pure, or not set, got 'fast'"):
        built(tree)


def test_wheels_are_checked(tmp_path, monkeypatch):
    def wheel(name, metadata="Name: ltc-np"):
        with zipfile.ZipFile(tmp_path / name, "w") as file:
            file.writestr("ltc_np-1.dist-info/METADATA", metadata)
        return tmp_path / name

    def packages(*wheels):
        return release.Packages(None, *wheels, None)

    audit = tmp_path / "auditwheel"
    audit.write_text("#!/bin/sh\necho The wheel requires no external shared libraries!\n")
    audit.chmod(0o755)
    compiled, pure = wheel("a.whl"), wheel("b.whl")
    release.check_wheels(tmp_path, packages(compiled, pure))
    with pytest.raises(release.Refused, match="must have the same metadata"):
        release.check_wheels(tmp_path, packages(compiled, wheel("c.whl", "Name: other")))
    monkeypatch.setattr(release, "LARGEST", 100)
    with pytest.raises(release.Refused, match=r"a.whl has \d+ bytes, more than 100"):
        release.check_wheels(tmp_path, packages(compiled, pure))
    audit.write_text("#!/bin/sh\necho It requires libm.so.6\n")
    with pytest.raises(release.Refused, match="auditwheel: It requires libm"):
        release.check_wheels(tmp_path, packages(compiled, pure))


def test_first_calls_know_nothing_of_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("LTC_NP_KERNELS", "numpy")
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    code = "import os, time; open('said', 'w').write(' '.join(os.environ)); time.sleep(0.3)"
    command = f'{shlex.quote(sys.executable)} -c "{code}"'  # a bare machine may have no other program
    seconds, processor = first_calls.measure(command, tmp_path, 3)
    assert seconds > 0.3 > processor >= 0
    names = set((tmp_path / "said").read_text().split())
    assert {"PATH", "HOME"} <= names and not {"LTC_NP_KERNELS", "OPENBLAS_NUM_THREADS", "PYTHONPATH"} & names
    with pytest.raises(OSError, match="exit 3\nno kernels"):
        first_calls.measure("echo no kernels; exit 3", tmp_path)
    command = first_calls.main_command(Path("/dist/a.whl"))
    assert '"/dist/a.whl[plot]" && .venv/bin/python examples/spiral.py' in command and "python3 " not in command


def test_the_bill_of_materials_has_what_was_installed(tmp_path):
    def item(name, needs, digest="a" * 64, **licence):
        meta = {"name": name, "version": "1.2.0" if name == "ltc-np" else "9.0", "requires_dist": needs, **licence}
        return {"metadata": meta, "download_info": {"archive_info": {"hashes": {"sha256": digest}}}}

    wheel = tmp_path / "w.whl"
    wheel.write_bytes(b"a wheel")
    report = [item("ltc-np", ["numpy>=1.24", 'pytest; extra == "test"'], license_expression="Apache-2.0")]
    report += [item("NumPy", ['ltc-np; extra == "test"'], "b" * 64, license="BSD\nCopyright (c) and so on")]
    made = release.bill({"install": report}, wheel, "1.2.0", "2026-11-27T00:00:00Z")
    mine, (numpy,) = made["metadata"]["component"], made["components"]
    assert mine["purl"] == "pkg:pypi/ltc-np@1.2.0" and mine["licenses"] == [{"expression": "Apache-2.0"}]
    assert mine["hashes"] == [{"alg": "SHA-256", "content": release.sha256(wheel)}]
    assert numpy["name"] == "numpy" and numpy["hashes"][0]["content"] == "b" * 64
    assert numpy["licenses"] == [{"license": {"name": "BSD"}}]  # the first line, where nothing else tells
    assert made["dependencies"][0] == {"ref": mine["bom-ref"], "dependsOn": [numpy["bom-ref"]]}
    assert made["dependencies"][1] == {"ref": numpy["bom-ref"], "dependsOn": []}  # an extra is no dependency
    assert made == release.bill({"install": report}, wheel, "1.2.0", "2026-11-27T00:00:00Z")
    with pytest.raises(release.Refused, match="pip has installed 1.2.0"):
        release.bill({"install": report}, wheel, "1.3.0", "2026-11-27T00:00:00Z")


@pytest.mark.parametrize(
    ("meta", "names"),
    [
        ({"license_expression": "MIT", "license": "other", "classifier": ["License :: OSI Approved"]}, None),
        ({"license": "Apache 2.0", "classifier": ["License :: OSI Approved :: MIT License"]}, ["Apache 2.0"]),
        ({"license": "=====\nBSD", "classifier": ["License :: OSI Approved :: BSD License"]}, ["BSD License"]),
        ({"license": "UNKNOWN", "classifier": ["License :: OSI Approved :: MIT License"]}, ["MIT License"]),
        ({"classifier": [f"License :: OSI Approved :: {name}" for name in ("A", "B")] + ["Topic :: C"]}, ["A", "B"]),
        ({"license": " \nBSD\nCopyright", "classifier": ["License :: OSI Approved"]}, ["BSD"]),
        ({"license": "UNKNOWN"}, ["NOASSERTION"]),
        ({"license": "", "classifier": []}, ["NOASSERTION"]),
        ({}, ["NOASSERTION"]),
    ],
)
def test_the_bill_says_every_licence_that_the_metadata_know(meta, names):
    wanted = [{"expression": "MIT"}] if names is None else [{"license": {"name": name}} for name in names]
    assert release.licences(meta) == wanted


def test_the_page_of_the_package_has_links_that_work_elsewhere(monkeypatch):
    pytest.importorskip("hatchling", reason='hatchling is not installed: pip install "ltc-np[dev]"')
    monkeypatch.delenv("LTC_NP_WHEEL", raising=False)
    spec = importlib.util.spec_from_file_location("build_hooks", ROOT / "docs/scripts/build_hooks.py")
    page = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(page)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for address in ("", "https://example.org/someone/ltc_np/"):
        monkeypatch.setenv("LTC_NP_REPO_URL", address)
        metadata = {"version": "1.2.0"}
        page.Metadata(str(ROOT), {"dependencies": ["numpy"]}).update(metadata)
        assert metadata["dependencies"] == ["numpy"]
        text = metadata["readme"]["text"]
        if not address:
            assert "urls" not in metadata and text == readme
            continue
        assert set(metadata["urls"]) == {"Source", "Documentation", "Changelog", "Issues"}
        assert metadata["urls"]["Changelog"] == f"{address}blob/v1.2.0/docs/changelog.md"
        links = re.findall(r"\]\(([^)]+)\)", text)
        assert len(links) == readme.count("](") > 10 and all(link.startswith("https://") for link in links)
        pictures = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", text)
        assert len(pictures) == readme.count("![") > 0
        assert {link for link in links if link.startswith(f"{address}raw/v1.2.0/docs/images/")} == {*pictures}
    for name in page.PAGES.values():
        assert (ROOT / name).is_file()


# ------------------------------------------------------------------------------------------------ versions of Python


def test_the_project_names_the_versions_that_are_tested():
    named = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', PROJECT)
    assert named == [*versions.LOWEST]
    assert f'requires-python = ">={named[0]}"' in PROJECT
    declared = dict(re.findall(r'"(numpy|numba)>=([\d.]+)"', PROJECT))
    assert {name: version.rpartition(".")[0] for name, version in versions.LOWEST[named[0]].items()} == declared


def test_pythons_are_found_on_the_path_and_in_pyenv(tmp_path):
    def python(path, says):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/sh\n{says}\n")
        path.chmod(0o755)
        return str(path)

    first = python(tmp_path / "bin/python3.10", "echo 3.10.1")
    python(tmp_path / "bin/python3.11", "exit 127")  # a shim of pyenv without its Python
    python(tmp_path / "bin/python3.12", "echo 3.11.9")
    python(tmp_path / "pyenv/versions/3.10.9/bin/python", "echo 3.10.9")
    second = python(tmp_path / "pyenv/versions/3.11.7/bin/python", "echo 3.11.7")
    environ = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "pyenv")}
    assert versions.interpreters(environ=environ) == {"3.10": first, "3.11": second}
    assert versions.interpreters(["3.14"], environ) == {}


def test_every_python_runs_with_the_newest_and_the_lowest():
    legs = versions.legs({"3.11": "a", "3.13": "b"})
    assert [leg.name for leg in legs] == [
        "Python 3.11, lowest", "Python 3.11, newest", "Python 3.13, lowest", "Python 3.13, newest",
        "Python 3.13, without Numba",
    ]  # fmt: skip
    assert [leg.whole for leg in legs] == [True, False, False, True, False]
    few = versions.legs({"3.11": "a", "3.12": "c", "3.13": "b"}, quick=True)
    assert [leg.name for leg in few] == ["Python 3.11, lowest", "Python 3.13, newest", "Python 3.13, without Numba"]
    assert not any(leg.whole for leg in few)
    assert legs[2].dependencies == versions.LOWEST["3.13"]
    for part in {*versions.QUICK, *release.TESTS}:
        assert not part.startswith("tests/") or (ROOT / part.partition("::")[0]).exists()
    for leg in legs:
        leg.versions, leg.outcome = "numpy 2", "3 passed"
    written = versions.figures(legs, ["3.14"])
    assert written["Python 3.13, without Numba (numpy 2)"] == "3 passed" and len(written) == 6
    assert written["Python that was not there, and so not tested"] == "3.14"
    path, _, name = versions.HELP.partition("::")
    assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8")


# ------------------------------------------------------------------------------------------------ what runs it


@pytest.mark.parametrize("arguments", [["quick"], ["long", "long"], ["--help"]])
def test_an_unknown_job_is_refused(arguments):
    done = subprocess.run(["bash", str(ROOT / ".ci/run"), *arguments], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"usage: .ci/run [long], got: {' '.join(arguments)}\n"


def test_the_workflow_runs_the_same_with_pinned_actions_and_few_rights():
    yaml = pytest.importorskip("yaml", reason='PyYAML is not installed: pip install "ltc-np[dev]"')
    text = (ROOT / ".github/workflows/ci.yml").read_text(encoding="utf-8")
    workflow = yaml.safe_load(text)
    events = workflow[True]  # YAML 1.1 reads `on` so
    assert set(events) == {"push", "pull_request", "schedule", "workflow_dispatch"}
    assert events["push"] == {"branches": ["main"]}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert "permissions" not in job
        for step in job["steps"]:
            assert "uses" not in step or re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step
    steps = workflow["jobs"]["ci"]["steps"]
    assert steps[0]["with"]["persist-credentials"] is False
    assert sorted(steps[1]["with"]["python-version"].split()) == sorted(versions.LOWEST)
    assert steps[-1]["run"] == '.ci/run "${JOB:-ordinary}"'  # no expression is pasted into a shell
    assert events["workflow_dispatch"]["inputs"]["job"]["options"] == ["ordinary", "long"]


def test_the_citation_is_plain_and_complete():
    yaml = pytest.importorskip("yaml", reason='PyYAML is not installed: pip install "ltc-np[dev]"')
    citation = yaml.safe_load((ROOT / "docs/CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors", "version", "license", "type"} <= set(citation)
    assert citation["license"] == re.search(r'^license = "(.*)"$', PROJECT, re.MULTILINE)[1]
    assert all(work["authors"] and work["title"] and work["year"] for work in citation["references"])
    assert isinstance(citation["version"], str)
