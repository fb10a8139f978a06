"""What hatchling asks for whenever it builds: the page of the project, its dependencies, and the compiled kernels.

A package index shows the README with links that work there, and the project's addresses.  The address of the
repository comes from LTC_NP_REPO_URL, as in docs/mkdocs.yml; without it the package names no addresses and the README
is as it stands.

LTC_NP_WHEEL says which wheel of a release is built.  "compiled" is for Linux on x86-64 and has the libraries that
`python -m ltc_np build-kernels` has written into the package's folder, so it needs no Numba there.  "pure" is for all
other systems and has the same metadata, since uv and Poetry read those of one wheel for all systems.  Without it a
wheel has no libraries, whatever lies in the folder, and needs Numba everywhere, as the sdist and a checkout do.
"""

import hashlib
import importlib.util
import json
import os
import re
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {"Documentation": "docs/index.md", "Changelog": "docs/changelog.md"}
LIBRARIES = "ltc_np/kernels/libraries"
# The libraries need memset and memmove of any C library, exp, log and log1p of the mathematical one, which Python has
# loaded, and nothing of one version of Python.  The first name, which means the same as the second, is the one that
# `pip install --platform` and older programs know.
TAG = "py3-none-manylinux2014_x86_64.manylinux_2_17_x86_64.musllinux_1_1_x86_64"


def addresses(repository, version):
    """{label: address} of the project's pages in the repository."""
    pages = {label: f"{repository}/blob/v{version}/{page}" for label, page in PAGES.items()}
    return {"Source": repository, **pages, "Issues": f"{repository}/issues"}


def absolute_links(text, repository, version):
    """Markdown whose links into the repository have its address; pictures are fetched as files, not as pages."""
    text = re.sub(r"(!\[[^\]]*\]\()(?!https?:)", rf"\g<1>{repository}/raw/v{version}/", text)
    return re.sub(r"(\]\()(?!https?:|#|mailto:)", rf"\g<1>{repository}/blob/v{version}/", text)


def wanted():
    """Which wheel of a release is built, or None."""
    word = os.environ.get("LTC_NP_WHEEL") or None
    if word not in (None, "compiled", "pure"):
        raise ValueError(f"LTC_NP_WHEEL must be compiled, pure, or not set, got {word!r}")
    return word


def libraries(root):
    """Names of the files of the compiled kernels, which must be whole and made of the sources in this tree."""
    folder = Path(root, LIBRARIES)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location("sources", folder.parent / "sources.py")
    sources = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sources)
    for name, entry in manifest["libraries"].items():
        if entry["sources"] != sources.library_hash():
            raise ValueError(f"{LIBRARIES}/{name}.so was made of other sources: python -m ltc_np build-kernels")
        if hashlib.sha256((folder / f"{name}.so").read_bytes()).hexdigest() != entry["sha256"]:
            raise ValueError(f"{LIBRARIES}/{name}.so is damaged: python -m ltc_np build-kernels")
    return ["manifest.json", *(f"{name}.so" for name in sorted(manifest["libraries"]))]


class Metadata(MetadataHookInterface):
    def update(self, metadata):
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("LTC_NP_REPO_URL", "").rstrip("/")
        if repository:
            readme = absolute_links(readme, repository, metadata["version"])
            metadata["urls"] = addresses(repository, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
        metadata["dependencies"] = self.config["dependencies" if wanted() is None else "dependencies-of-wheels"]


class Kernels(BuildHookInterface):
    def initialize(self, version, build_data):
        if wanted() == "compiled":
            build_data |= {"pure_python": False, "tag": TAG}
            build_data["artifacts"] += [f"/{LIBRARIES}/{name}" for name in libraries(self.root)]
