"""Recall: bookmarks that are a Markdown heading on the page they point to. Precision: headings that are a bookmark
anywhere in the document. Numbering does not count.
"""

import re, unicodedata

from .common import TOOLS, add, ask, extras, log, manuals, markdown_of, ratio, show, spread
from .words import plain

NUMBERING = re.compile(r"^\s*(chapter|appendix|part|section)?\s*(第?\d+[章部節]|[a-z]?\d*(\.\d+)*[.:)]?(?=\s|$))")

def title(text):
    """Without numbering, case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", NUMBERING.sub("", unicodedata.normalize("NFKC", text).lower()))

def titles_of(markdown):
    unfenced = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    names = [title(plain(line)) for line in re.findall(r"^ {0,3}#{1,6} +(.*)$", unfenced, flags=re.MULTILINE)]
    return [name for name in names if name]

def heading_counts(pages, sampled, outline):
    """Bookmarks found, bookmarks, headings that are bookmarks, headings."""
    found = {page: titles_of(pages.get(page, "")) for page in sampled}
    due = [name in found[page] for name, page in outline if page in found]
    known = {name for name, _ in outline}
    right = [name in known for names in found.values() for name in names]
    return [sum(due), len(due), sum(right), len(right)]

def headings():
    counted, sums = [], [0] * 4 * len(TOOLS)
    for doc in manuals() + extras():
        log("headings", doc.name)
        answer = ask("pymupdf", doc)
        outline = {(title(name), page) for name, page in answer["outline"] if title(name) and page > 0}
        marked = sorted({page for _, page in outline if page <= len(answer["pages"])})
        sampled = sorted({*spread(len(answer["pages"])), *[marked[i - 1] for i in spread(len(marked))]})
        if marked:
            reads = [markdown_of(tool, doc, sampled) for tool in TOOLS]
            counts = [count for pages in reads for count in heading_counts(pages, sampled, outline)]
            counted.append((doc.name, len(answer["pages"]), counts))
            sums = add(sums, counts)
    rows = [[name, pages, counts[1], *[ratio(counts[i], counts[i + 1]) for i in range(0, len(counts), 2)]]
            for name, pages, counts in [*counted, ("all", "", sums)]]
    tools = [column for tool in TOOLS for column in (f"{tool} recall", "precision")]
    show("Headings", ["manual", "pages", "bookmarks", *tools], rows)
