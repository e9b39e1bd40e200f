"""Tables of the ICDAR 2013 competition: the PDFs with an even number below --icdar, each with a NAME-str.xml beside it.

Adjacency F1 (Göbel 2012): pairs of cells that lie beside or below one another, by their letters and digits. Recall and
precision are means over documents; false: tables written on pages that have none.
"""

import re, statistics
import xml.etree.ElementTree as ElementTree
from collections import Counter

from .common import TOOLS, Doc, ask, log, markdown_of, options, ratio, show, wanted
from .grid import Cell, adjacent, tables_of

def documents():
    files = sorted(options.icdar.resolve().rglob("*-str.xml")) if options.icdar else []
    even = [file for file in files if int(re.search(r"\d+", file.name)[0]) % 2 == 0]
    pdfs = [file.with_name(file.name.removesuffix("-str.xml") + ".pdf") for file in even]
    return wanted(Doc(pdf, pdf.name, "icdar") for pdf in pdfs if pdf.exists())

def known_tables(doc):
    """(page, cells) of each region of each table."""
    tree = ElementTree.parse(doc.path.with_name(doc.path.stem + "-str.xml"))
    for region in tree.iter("region"):
        cells = []
        for cell in region.iter("cell"):
            row, column = [int(cell.get(f"start-{name}")) for name in ("row", "col")]
            last = [int(cell.get(f"end-{name}") or at) for name, at in (("row", row), ("col", column))]
            text = cell.findtext("content") or ""
            cells.append(Cell(row, column, text, last[0] - row + 1, last[1] - column + 1))
        yield int(region.get("page")), cells

def icdar():
    figures, false, rows = {tool: [] for tool in TOOLS}, Counter(), []
    for doc in documents():
        log("icdar", doc.name)
        known = list(known_tables(doc))
        due, with_table = sum((adjacent(cells) for _, cells in known), Counter()), {page for page, _ in known}
        numbers = list(range(1, len(ask("pdfium", doc)["pages"]) + 1))
        for tool in TOOLS:
            pages = markdown_of(tool, doc, numbers)
            found = [(page, cells) for page in numbers for cells in tables_of(pages.get(page, ""))]
            pairs = sum((adjacent(cells) for _, cells in found), Counter())
            both = (due & pairs).total()
            figures[tool].append((doc.name, both / due.total() if due else 1, both / pairs.total() if pairs else 0))
            false[tool] += sum(page not in with_table for page, _ in found)
    for tool, scores in figures.items():
        if scores:
            recall, precision = [statistics.fmean(score[i] for score in scores) for i in (1, 2)]
            harmonic = ratio(2 * recall * precision, recall + precision)
            rows.append([tool, len(scores), harmonic, recall, precision, false[tool]])
    show("ICDAR 2013", ["tool", "documents", "adjacency F1", "recall", "precision", "false"], rows)
    if options.worst:
        worst = sorted(figures["bindery"], key=lambda score: score[1] + score[2])[:options.worst]
        show("ICDAR 2013, worst of bindery", ["file", "recall", "precision"], list(map(list, worst)))
