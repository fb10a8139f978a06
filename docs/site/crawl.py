"""Read a built site as its readers will: every page in a headless Chromium, from files and without a network.

    python docs/site/crawl.py site

Each page is opened in a wide and in a narrow window, in light and in dark colours.  Listed are errors of scripts and
requests, requests to the network, formulas that are not rendered, what is wider than its window, text with a contrast
below 4.5, and links that lead nowhere; the exit code is then 1.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urldefrag, urlsplit

from browser import NAME, Browser

WINDOWS = ((1280, 900), (390, 844))
LOOK = (Path(__file__).parent / "look.js").read_text(encoding="utf-8")


def crawl(folder):
    """Every fault of the pages of a folder, one text each; and how many pages and formulas there are."""
    folder = Path(folder).resolve()
    pages = sorted(path for path in folder.rglob("*.html") if path.name != "404.html")  # of a server
    with ThreadPoolExecutor(len(WINDOWS)) as pool:  # a browser each
        windows = list(pool.map(lambda window: read(pages, *window), WINDOWS))
    faults = [fault for window in windows for fault in window.faults]
    for window in windows:
        faults += [(page, "", f"dead link: {link}") for page in pages for link in dead(window, page)]
    lines = [f"{page.relative_to(folder)}: {where} {fault}" for page, where, fault in faults]
    return list(dict.fromkeys(lines)), len(pages), windows[0].formulas


class Window(NamedTuple):
    """What has been seen in a window: faults as (page, where, what); of each page its anchors and links; formulas."""

    faults: list
    anchors: dict
    links: dict
    formulas: int


def read(pages, width, height):
    """All pages in a `Window` of this size."""
    faults, anchors, links, formulas = [], {}, {}, 0
    with Browser() as browser:
        tab = browser.tab()
        tab.size(width, height)
        schemes = ["light", "dark"]
        for page in pages:
            tab.open(page.as_uri())
            for scheme in schemes:
                tab.scheme(scheme)
                found = tab.run(LOOK)
                faults += [(page, f"{width} {scheme}", fault) for fault in found["faults"]]
            faults += [(page, f"{width}", fault) for fault in tab.faults()]
            anchors[page], links[page] = set(found["anchors"]), found["links"]
            schemes.reverse()  # the next page begins with the colours of this one's end
            formulas += found["formulas"]
    return Window(faults, anchors, links, formulas)


def dead(window, page):
    """Links of a page to files that are not there, and to places that a page does not have."""
    for link in dict.fromkeys(window.links[page]):
        address, place = urldefrag(link)
        if urlsplit(address).scheme != "file":
            continue
        path = Path(unquote(urlsplit(address).path))
        if not path.is_file() or (place and unquote(place) not in window.anchors.get(path, {unquote(place)})):
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
