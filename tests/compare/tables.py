"""Tables on pages made for this. Cell F1: overlap of (row, column, text) after aligning the table that matches best; a
table not found, or one too many, is all wrong. Found: with half of its cells. False: too many.
"""

import random
from collections import defaultdict

from .common import CACHE, TOOLS, Doc, add, ask, markdown_of, ratio, show
from .grid import tables_of, texts

KINDS = ["ruled", "horizontal", "unruled", "multi-line", "numbers", "gaps", "two a page", "beside text", "no table"]
WORDS = "paper thread needle board glue linen press knife spine gilding fold sheet cover leather stamp awl".split()
PROSE = "The binder keeps a list of what is in the shop and what has to be bought before the next book is begun. "

def known_cells(kind, rng):
    """Rows of cells, the first row being the head; a cell may have several lines."""
    def cell(column):
        words = [rng.choice(WORDS) for _ in range(3)]
        if kind == "gaps" and column and rng.random() < 0.3:
            return ""
        if kind == "multi-line" and column == 1:
            return "\n".join(f"{word} and {rng.choice(WORDS)}" for word in words[:rng.randint(1, 3)])
        if column > 1 or kind == "numbers" and column:
            return f"{rng.uniform(1, 20000):,.2f}" if column % 2 else str(rng.randint(1, 9999))
        return " ".join(words[column:2])
    columns = range(3 if kind == "beside text" else rng.randint(3, 6))
    rows = [[cell(column) for column in columns] for _ in range(rng.randint(4, 10))]
    return [[rng.choice(WORDS).title() for _ in columns], *rows]

def table_style(rules, rng):
    body, rule = ((0, 0), (-1, -1)), (0.5, "black")
    edges = [(f"LINE{side}", (0, y), (-1, y), *rule) for side, y in (("ABOVE", 0), ("BELOW", 0), ("BELOW", -1))]
    padding = [(f"{side}PADDING", *body, rng.choice([2, 4, 6])) for side in ("TOP", "BOTTOM", "LEFT", "RIGHT")]
    text = [("VALIGN", *body, "TOP"), ("ALIGN", (2, 0), (-1, -1), "RIGHT"), ("FONTSIZE", *body, rng.choice([8, 10]))]
    return text + padding + {"grid": [("GRID", *body, *rule)], "lines": edges, "": []}[rules]

def make_tables(path):
    """Writes the PDF, three pages of each kind. Of each page: its kind and tables."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table
    styles, story, known = getSampleStyleSheet(), [], []
    def prose(sentences):
        return Paragraph(PROSE * sentences, styles["BodyText"])
    for number in range(3 * len(KINDS)):
        kind, rng = KINDS[number // 3], random.Random(number)
        rules = {"ruled": "grid", "horizontal": "lines", "unruled": ""}.get(kind, ("grid", "lines", "")[number % 3])
        tables = [known_cells(kind, rng) for _ in range({"two a page": 2, "no table": 0}.get(kind, 1))]
        blocks = [Table(rows, style=table_style(rules, rng), hAlign="LEFT") for rows in tables]
        if kind == "beside text":
            blocks = [Table([[prose(6), blocks[0]]], [170, 280], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])]
        if kind == "no table":  # text in two columns, a list of contents, both
            columns = [Table([[prose(10), prose(10)]], [225, 225])]
            lines = [Paragraph(f"{i}. {word.title()} {'.' * (40 + i)} {9 * i}") for i, word in enumerate(WORDS, 1)]
            blocks = [columns, lines, columns + lines][number % 3]
        story += [Paragraph(f"Stock list {number + 1}", styles["Heading1"]), prose(3)]
        for block in blocks:
            story += [Spacer(1, 10), block, Spacer(1, 10), prose(2)] if tables else [block]
        story.append(PageBreak())
        known.append([kind, [[[" ".join(cell.split()) for cell in row] for row in rows] for rows in tables]])
    SimpleDocTemplate(path, invariant=1).build(story)
    return known

def cells(rows):
    """(row, column, text) of the cells that are not empty; empty rows and columns do not count."""
    rows = [row for row in rows if any(row)]
    columns = sorted({c for row in rows for c, cell in enumerate(row) if cell})
    return {(r, columns.index(c), cell) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell}

def overlap(known, found):
    """Cells that agree when the found table is shifted as suits it best."""
    shifts = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    return max(len(known & {(r + down, c + right, cell) for r, c, cell in found}) for down, right in shifts)

def table_counts(known, found):
    """Cells that agree, cells known and found, tables known, tables found, tables too many."""
    known, found = [[cells(rows) for rows in tables] for tables in (known, found)]
    best = [max([(overlap(k, f), j) for j, f in enumerate(found)], default=(0, 0)) for k in known]
    whole = [2 * same >= len(k) for (same, _), k in zip(best, known)]
    surplus = len(found) - len({j for same, j in best if same})
    return [sum(same for same, _ in best), sum(map(len, known + found)), len(known), sum(whole), surplus]

def tables():
    doc = Doc(CACHE / "tables.pdf", "tables", "made")
    doc.path.touch()
    known, counts, rows = ask("tables", doc, fresh=True)["pages"], defaultdict(lambda: [0] * 5), []
    numbers = list(range(1, len(known) + 1))
    reads = [markdown_of(tool, doc, numbers) for tool in TOOLS]
    for number, (kind, due) in zip(numbers, known):
        for tool, read in enumerate(reads):
            found = [texts(table) for table in tables_of(read.get(number, ""))]
            for row in (kind, "all"):
                counts[row, tool] = add(counts[row, tool], table_counts(due, found))
    for kind in [*KINDS, "all"]:
        figures = [counts[kind, tool] for tool in range(len(TOOLS))]
        flat = [value for agreed, whole, _, *more in figures for value in (ratio(2 * agreed, whole), *more)]
        rows.append([kind, figures[0][2], *flat])
    head = [column for tool in TOOLS for column in (f"{tool} cell F1", "found", "false")]
    show("Tables", ["kind", "tables", *head], rows)
