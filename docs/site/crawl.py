"""Read a built site as its readers will: every page in a headless Chromium, from files and without a network.

    python docs/site/crawl.py site

Each page is seen in a wide and in a narrow window, in light and in dark colours.  Listed are errors of scripts and
requests, requests to the network, formulas that are not rendered, what is wider than its window, text with a contrast
below 4.5, and links that lead nowhere; the exit code is then 1.
"""

import sys
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from browser import NAME, Browser

# Sizes of the window and colours; one of the two changes from each to the next, and from the last to the first.
VIEWS = (((1280, 900), "light"), ((1280, 900), "dark"), ((390, 844), "dark"), ((390, 844), "light"))
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


def crawl(folder):
    """Every fault of the pages of a folder, one text each; and how many pages and formulas there are."""
    folder = Path(folder).resolve()
    pages = sorted(path for path in folder.rglob("*.html") if path.name != "404.html")  # of a server
    with ThreadPoolExecutor(BROWSERS) as pool:
        shares = pool.map(read, [pages[k::BROWSERS] for k in range(BROWSERS)])
        looks = [look for share in shares for look in share]
    lines = []
    for view in VIEWS:
        seen = {look.page: look for look in looks if look.view == view}
        (width, _), scheme = view
        for page, look in seen.items():
            faults = [f"{width} {scheme} {fault}" for fault in look.faults]
            faults += [f"dead link: {link}" for link in dead(look, seen)]
            lines += [f"{page.relative_to(folder)}: {fault}" for fault in faults]
    return list(dict.fromkeys(lines)), len(pages), sum(look.formulas for look in looks if look.view == VIEWS[0])


def read(pages):
    """The pages in every view, as a list of `Look`.

    A page is loaded once and then seen in all views, since loading takes most of the time.  The next page is loaded in
    the view in which this one was seen last, so that a quarter of the pages are loaded in each.
    """
    looks, views = [], deque(VIEWS)
    with Browser() as browser:
        tab = browser.tab()
        for page in pages:
            size, scheme = views[0]
            tab.size(*size)
            tab.scheme(scheme)
            tab.open(page.as_uri())
            for view in views:
                size, scheme = view
                tab.size(*size)
                tab.scheme(scheme)
                found = tab.run(LOOK)
                looks.append(Look(page, view, **found))
            looks[-1].faults.extend(tab.faults())
            views.rotate(1)
    return looks


def dead(look, seen):
    """Links of a page to files that are not there, and to places that a page does not have, where all were ``seen``."""
    for link in dict.fromkeys(look.links):
        address, place = urldefrag(link)
        if urlsplit(address).scheme != "file":
            continue
        path = Path(unquote(urlsplit(address).path))
        if not path.is_file() or (place and path in seen and unquote(place) not in seen[path].anchors):
            yield link


def main():
    if NAME is None:
        sys.exit("there is no Chromium here: install the package chromium")
    start = time.monotonic()
    faults, pages, formulas = crawl(sys.argv[1])
    print("\n".join(faults))
    print(f"{pages} pages, {formulas} formulas, {len(faults)} faults, {time.monotonic() - start:.0f} s")
    sys.exit(bool(faults) or not pages)


if __name__ == "__main__":
    main()
