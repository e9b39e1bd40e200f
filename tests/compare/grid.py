"""Tables in Markdown or HTML → rows of cells with their spans, and which cells lie beside one another."""

import html.parser, re, unicodedata
from collections import Counter, namedtuple

from .words import plain

Cell = namedtuple("Cell", "row column text down right", defaults=[1, 1])

def tables_of(markdown):
    """The cells of each table, in the order of the page."""
    found = [(at, cells) for at, cells in [*pipe_tables(markdown), *html_tables(markdown)] if cells]
    return [cells for _, cells in sorted(found, key=lambda table: table[0])]

def pipe_tables(markdown):
    lines = markdown.split("\n")
    for i, line in enumerate(lines):
        if i and "|" in lines[i - 1] and "|" in line and re.fullmatch(r"[\s|:-]*-[\s|:-]*", line):
            end = next((j for j in range(i + 1, len(lines)) if "|" not in lines[j]), len(lines))
            rows = [re.sub(r"^\s*\||(?<!\\)\|\s*$", "", row) for row in [lines[i - 1], *lines[i + 1:end]]]
            yield len("\n".join(lines[:i])), [Cell(r, c, bare(cell)) for r, row in enumerate(rows)
                                              for c, cell in enumerate(re.split(r"(?<!\\)\|", row))]

def html_tables(markdown):
    for table in re.finditer(r"<table\b.*?</table>", markdown, re.DOTALL | re.IGNORECASE):
        reader = TableReader()
        reader.feed(table[0])
        yield table.start(), reader.cells()

def bare(cell):
    return " ".join(plain(cell).split())

class TableReader(html.parser.HTMLParser):
    """One HTML table; what stands below a cell that spans rows moves to the right."""
    def __init__(self):
        super().__init__()
        self.rows = []

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            spans = dict(attributes)
            span = [max(1, int(re.sub(r"\D", "", spans.get(name) or "") or 1)) for name in ("rowspan", "colspan")]
            self.rows = self.rows or [[]]
            self.rows[-1].append(["", *span])
        elif tag == "br":
            self.handle_data(" ")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1][0] += data

    def cells(self):
        taken, cells = set(), []
        for row, entries in enumerate(self.rows):
            column = 0
            for text, down, right in entries:
                while (row, column) in taken:
                    column += 1
                taken |= {(row + r, column + c) for r in range(min(down, 1000)) for c in range(min(right, 1000))}
                cells.append(Cell(row, column, " ".join(text.split()), down, right))
        return cells

def texts(cells):
    """Rows of texts, without spans."""
    size = [max((cell[i] for cell in cells), default=-1) + 1 for i in (0, 1)]
    rows = [[""] * size[1] for _ in range(size[0])]
    for cell in cells:
        rows[cell.row][cell.column] = cell.text
    return rows

def normal(text):
    """Letters and digits in lower case; whatever else is one sign."""
    text = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text).lower())
    return re.sub(r"[\W_]+", "_", text)

def adjacent(cells):
    """Pairs of texts that lie beside or below one another, with nothing but empty cells between (Göbel 2012)."""
    place = {}
    for cell in (cell for cell in cells if normal(cell.text)):
        place |= {(cell.row + r, cell.column + c): cell for r in range(cell.down) for c in range(cell.right)}
    rows, columns = [max((at[i] for at in place), default=-1) + 1 for i in (0, 1)]
    pairs = set()
    for (row, column), cell in place.items():
        right = next((place[row, c] for c in range(column + 1, columns) if place.get((row, c), cell) != cell), None)
        below = next((place[r, column] for r in range(row + 1, rows) if place.get((r, column), cell) != cell), None)
        pairs |= {(cell, other, way) for other, way in ((right, "right"), (below, "below")) if other}
    return Counter((normal(cell.text), normal(other.text), way) for cell, other, way in pairs)
