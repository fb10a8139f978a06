"""The bibliography: what an entry has, that pages use it, and that a citation's year is that of its entry."""

import re

from support import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "maths" / "bibliography.md"
CITATION = re.compile(r"\[([^\[\]]+)\]\((?:[\w./]*/)?bibliography\.md#([a-z]+(\d{4})[a-z]?)\)")
OLD = {"Lapicque1907", "Nesterov1983", "Tieleman2012"}  # nothing to link to


def entries(text):
    """Heading -> text of an entry, in one line."""
    parts = re.split(r"^### (.*)$", text, flags=re.MULTILINE)[1:]
    return {
        key: " ".join(body.partition("\n## ")[0].split()) for key, body in zip(parts[::2], parts[1::2], strict=True)
    }


def faults_of(key, entry):
    """What an entry lacks: authors, a title, the year of its heading, a link, and what of it is used."""
    year = re.fullmatch(r"[A-Z]\w+?(\d{4})[a-z]?", key)
    surname = re.match(r"[A-Za-z]+?(?=\d)", key)
    head, here, used = entry.partition(" Here: ")
    if not year or year[1] not in head:
        yield "year"
    if not surname or surname[0].lower() not in head.partition(" *")[0].lower().replace(" ", ""):
        yield "first author"
    if not re.search(r"\. \*[^*]+\*\. ", head):
        yield "title"
    if key not in OLD and not re.search(r"\]\(https://\S+\)", head):
        yield "link"
    if not here or not used.endswith("."):
        yield "use"


def wrong_years(text):
    """Citations whose text names another year than their entry's heading."""
    return [
        words
        for words, _, year in CITATION.findall(text)
        if re.findall(r"\b(?:19|20)\d\d\b", words) not in ([], [year])
    ]


def test_entries():
    found = entries(PAGE.read_text(encoding="utf-8"))
    assert len(found) > 60
    faults = {key: list(faults_of(key, entry)) for key, entry in found.items()}
    assert not {key: lacks for key, lacks in faults.items() if lacks}


def test_every_entry_is_cited():
    cited = {key for page in DOCS.glob("**/*.md") for _, key, _ in CITATION.findall(page.read_text(encoding="utf-8"))}
    assert {key.lower() for key in entries(PAGE.read_text(encoding="utf-8"))} == cited


def test_citations_have_the_year_of_their_entry():
    for page in DOCS.glob("**/*.md"):
        assert not wrong_years(page.read_text(encoding="utf-8")), page.name


def test_faults_are_found():
    """A check that finds nothing is to be trusted only if it can find something."""
    good = "A. Doe, B. Poe. *A title*. Venue 3, 2001. [arXiv 1](https://arxiv.org/abs/1). Here: theorem 1."
    assert not list(faults_of("Doe2001", good))
    assert list(faults_of("Doe2002", good)) == ["year"]
    assert list(faults_of("Poem2001", good)) == ["first author"]
    assert list(faults_of("Doe2001", good.replace("*", ""))) == ["title"]
    assert list(faults_of("Doe2001", good.replace("https://", ""))) == ["link"]
    assert list(faults_of("Doe2001", good.partition(" Here")[0])) == ["use"]
    cite = "[Doe 2001](bibliography.md#doe2001) and [Doe et al. (2003)](../maths/bibliography.md#doe2002b)"
    assert wrong_years(cite) == ["Doe et al. (2003)"]
