"""What the site adds to MkDocs: formulas without a network, pages of sources, and colours for sessions of Python."""

import re
import sys
from pathlib import Path

import griffe
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, InclusionLevel

sys.path.insert(0, str(Path(__file__).parent))
import sources
import vendor

SESSION = re.compile(r"^( *)```python\n(?=\1>>> )", re.MULTILINE)
READ_BY_TESTS = re.compile(r"^```(?:floors|walk)\b.*$", re.MULTILINE)  # text with names for tests/test_house.py
FIRST_ANSWERS = "how_do_i.md"  # users' words, which the search finds before others
INTERNAL = ("decisions/", "architecture.md")  # which the search does not find
DOCUMENTED = re.compile(r"^::: ([\w.]+)$", re.MULTILINE)


def on_config(config):
    """Without an address of the repository (LTC_NP_REPO_URL) there is nothing to edit."""
    if not config.repo_url:
        config.edit_uri = ""
    return config


def on_files(files, config):
    """Add what other projects give, and a page for each source file that some page leads to."""
    try:
        vendored = vendor.files()
    except vendor.VendorError as error:
        raise PluginError(str(error)) from None
    for path, content in vendored.items():
        files.append(File.generated(config, f"assets/{path}", content=content))
    paths, names = set(), set()
    for file in files.documentation_pages():
        paths |= sources.linked(file.content_string, file.src_uri)
        names |= set(DOCUMENTED.findall(file.content_string))
    for path in sorted(paths | documented_files(names)):
        file = File.generated(config, sources.page_of(path), content=sources.page(path))
        file.inclusion = InclusionLevel.NOT_IN_NAV
        files.append(file)
    return files


def documented_files(names):
    """Source files of public names and of their public members."""
    if not names:
        return set()
    package = griffe.load("ltc_np", search_paths=[sources.ROOT], allow_inspection=False)
    return {
        file.relative_to(sources.ROOT).as_posix()
        for name in names
        for file in files_of(package[name.removeprefix("ltc_np.")])
    }


def files_of(thing):
    """Where a module, a class or a function is written, and where its public members are."""
    yield thing.filepath
    if thing.is_module or thing.is_class:
        public = thing.exports if thing.is_module and thing.exports is not None else thing.all_members
        for name in public:
            member = thing.all_members[name]
            ours = not member.is_alias or member.target_path.startswith("ltc_np.")
            if ours and not name.startswith("_") and not member.is_module:
                yield from files_of(member)


def on_page_markdown(markdown, page, config, files):
    """Lead links to pages of sources, tell Pygments which blocks are sessions, and the search what counts."""
    if page.file.src_uri == FIRST_ANSWERS:
        page.meta["search"] = {"boost": 10}
    elif page.file.src_uri.startswith(INTERNAL):
        page.meta["search"] = {"exclude": True}
    markdown = READ_BY_TESTS.sub("```text", sources.rewritten(markdown, page.file.src_uri))
    return SESSION.sub(r"\1```pycon\n", markdown)
