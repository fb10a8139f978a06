"""Read a built site as its readers will: every page in a headless Chromium, from files and without a network.

    python docs/site/crawl.py site [--sources 5]

Each page is seen in a wide and in a narrow window, once in light and once in dark colours; pages of sources, which are
made alike, in one of these views each, or with ``--sources 5`` only every fifth of them.  Listed are errors of scripts
and requests, requests to the network, formulas that are not rendered, what is wider than its window, code that scrolls
sideways in the wide one and tables that do in either, text with a contrast below 4.5, figures in colours other than the
page's, and links that lead nowhere; the exit code is then 1.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from browser import NAME, Browser

# Sizes of the window and colours.  A page is seen in two that differ in both: the first and third, or the others.
VIEWS = [((1280, 900), "light"), ((1280, 900), "dark"), ((390, 844), "dark"), ((390, 844), "light")]
SOURCES = "source"  # the folder of their pages
BROWSERS = 2  # at the same time, each with its share of the pages
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")


class Look(NamedTuple):
    """What is seen of a page in one of the `VIEWS`."""

    page: Path
    view: tuple
    faults: list
    links: list
    anchors: list
    formulas: int


def crawl(folder, sources=1):
    """Every fault of the `chosen` pages of a folder, one text each; and how many pages and formulas there are."""
    folder = Path(folder).resolve()
    pages = chosen(folder, sources)
    tours = [(page, tour(page.relative_to(folder), k)) for k, page in enumerate(pages)]
    with ThreadPoolExecutor(BROWSERS) as pool:
        shares = pool.map(read, [tours[k::BROWSERS] for k in range(BROWSERS)])
        looks = [look for share in shares for look in share]
    looks.sort(key=lambda look: (VIEWS.index(look.view), look.page))
    anchors = {look.page: set(look.anchors) for look in looks}
    lines = []
    for look in looks:
        (width, _), scheme = look.view
        faults = [f"{width} {scheme} {fault}" for fault in look.faults]
        faults += [f"dead link: {link}" for link in dead(look, anchors)]
        lines += [f"{look.page.relative_to(folder)}: {fault}" for fault in faults]
    formulas = {look.page: look.formulas for look in looks}
    return list(dict.fromkeys(lines)), len(pages), sum(formulas.values())


def chosen(folder, sources):
    """The pages of a folder; of those of sources, the first of every so many."""
    pages = sorted(path for path in folder.rglob("*.html") if path.name != "404.html")  # of a server
    made_alike = [page for page in pages if page.relative_to(folder).parts[0] == SOURCES]
    left_out = set(made_alike) - set(made_alike[::sources])
    return [page for page in pages if page not in left_out]


def tour(name, k):
    """The views in which the page number ``k`` of a site is seen; a quarter of the pages are loaded in each view."""
    views = [VIEWS[k % 4], VIEWS[(k + 2) % 4]]
    return views[:1] if name.parts[0] == SOURCES else views


def read(tours):
    """Pages with their views, as a list of `Look`; loading takes most of the time, so a page is loaded once."""
    looks = []
    with Browser() as browser:
        tab = browser.tab()
        for page, views in tours:
            for view in views:
                size, scheme = view
                tab.size(*size)
                tab.scheme(scheme)
                if view == views[0]:
                    tab.open(page.as_uri())
                found = tab.run(LOOK)
                looks.append(Look(page, view, **found))
            looks[-1].faults.extend(tab.faults())
    return looks


def dead(look, anchors):
    """Links of a page to files that are not there, and to places that are none of their page's ``anchors``."""
    for link in dict.fromkeys(look.links):
        address, place = urldefrag(link)
        if urlsplit(address).scheme != "file":
            continue
        path = Path(unquote(urlsplit(address).path))
        if not path.is_file() or (place and path in anchors and unquote(place) not in anchors[path]):
            yield link


def main():
    if NAME is None:
        sys.exit("there is no Chromium here: install the package chromium")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("site", help="its folder")
    parser.add_argument("--sources", type=int, default=1, help="read one in so many pages of sources")
    arguments = parser.parse_args()
    start = time.monotonic()
    faults, pages, formulas = crawl(arguments.site, arguments.sources)
    print("\n".join(faults))
    print(f"{pages} pages, {formulas} formulas, {len(faults)} faults, {time.monotonic() - start:.0f} s")
    sys.exit(bool(faults) or not pages)


if __name__ == "__main__":
    main()
