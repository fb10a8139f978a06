"""What a package index shows of this project: its addresses, and the README with links that work there.

hatchling calls this whenever it builds.  The address of the repository comes from LTC_NP_REPO_URL, as in
docs/mkdocs.yml; without it the package names no addresses and the README is as it stands.
"""

import os
import re
from pathlib import Path

from hatchling.metadata.plugin.interface import MetadataHookInterface

PAGES = {"Documentation": "docs/index.md", "Changelog": "docs/changelog.md"}


def addresses(repository, version):
    """{label: address} of the project's pages in the repository."""
    pages = {label: f"{repository}/blob/v{version}/{page}" for label, page in PAGES.items()}
    return {"Source": repository, **pages, "Issues": f"{repository}/issues"}


def absolute_links(text, repository, version):
    """Markdown whose links into the repository have its address."""
    return re.sub(r"(\]\()(?!https?:|#|mailto:)", rf"\g<1>{repository}/blob/v{version}/", text)


class ProjectPage(MetadataHookInterface):
    def update(self, metadata):
        readme = Path(self.root, "README.md").read_text(encoding="utf-8")
        repository = os.environ.get("LTC_NP_REPO_URL", "").rstrip("/")
        if repository:
            readme = absolute_links(readme, repository, metadata["version"])
            metadata["urls"] = addresses(repository, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": readme}
