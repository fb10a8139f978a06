"""What tests of the documentation share: the built site, and scripts of figures."""

import importlib
import importlib.util
import os
import pathlib
import subprocess
import sys

import pytest
from support import ROOT


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The folder of the built site; the variable LTC_NP_SITE names one that has been built of these pages."""
    if "LTC_NP_SITE" in os.environ:
        return pathlib.Path(os.environ["LTC_NP_SITE"])
    for module in ("material", "mkdocstrings_handlers", "pymdownx"):
        if importlib.util.find_spec(module) is None:
            pytest.skip(f'needs {module}: pip install -e ".[docs]"')
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-f", "docs/mkdocs.yml", "-d", folder]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1", "LTC_NP_REPO_URL": "https://example.org/some/ltc_np"}
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    if "npm could not fetch" in done.stderr or "npm, which is not installed" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def figure(monkeypatch):
    """Imports a script of docs/scripts/figures by its name; what it draws is closed afterwards."""
    pyplot = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "scripts" / "figures"))
    yield importlib.import_module
    pyplot.close("all")
