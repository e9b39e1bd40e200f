#!/usr/bin/env python3
"""Writes sample.pdf beside this file: twelve pages with headings, two columns, a table and a picture.

Needs nothing but Python 3. The output is the same on every run.
"""

import pathlib
import zlib

# Advance widths of Helvetica for the codes 32 to 126, thousandths of the font size (Adobe Core 14 metrics).
WIDTHS = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
]
PAGE_W, PAGE_H, MARGIN = 595, 842, 64

CHAPTERS = [
    ("Sheets", "A book begins as sheets. Each sheet is printed on both sides and folded, and the fold decides which "
     "pages will lie beside each other. A sheet folded once has four pages, folded twice eight, folded three times "
     "sixteen. The printer therefore places the pages on the sheet in an order that looks wrong until it is folded."),
    ("Gathering", "Folded sheets are called sections. Gathering means to lay them in order, the first below and the last "
     "on top, and to check the order by the marks on their backs. A section that is missing or doubled shows at once as "
     "a gap or a step in the line of marks, which is why the check is made before any thread is cut."),
    ("Sewing", "The sections are sewn one to the next, through the fold, around cords or tapes. The thread must be tight "
     "enough to hold and loose enough to let the book open. When a thread breaks the work does not begin again: the "
     "sections already sewn stay sewn, and a knot joins the new thread to the old one."),
    ("Rounding", "After sewing the back is flat and a little thicker than the fore edge. It is warmed, glued thinly and "
     "hammered round, so that the swelling of the thread finds room. A round back keeps its shape for a hundred years; "
     "a flat one sinks in after ten."),
    ("Covers", "Boards are cut a few millimetres larger than the pages, to protect their edges. The cords are laced into "
     "the boards and the joint is left free, because every opening of the book moves it. Cloth or leather covers all, "
     "and the end papers cover what is left to see."),
    ("Repair", "A good binding can be taken apart again. Animal glue gives way to warm water, thread can be cut, and the "
     "sections come out as they went in. What was bound with hot plastic cannot be repaired; it can only be cut, and "
     "each cut takes a little of the margin."),
]
TABLE = [
    ("Fold", "Pages", "Sheets for 320 pages", "Common name"),
    ("once", "4", "80", "folio"),
    ("twice", "8", "40", "quarto"),
    ("three times", "16", "20", "octavo"),
    ("four times", "32", "10", "sextodecimo"),
]


def width(text, size):
    return sum(WIDTHS[ord(c) - 32] for c in text) * size / 1000


def wrap(text, size, room):
    line, lines = "", []
    for word in text.split():
        longer = f"{line} {word}".strip()
        if width(longer, size) > room and line:
            lines.append(line)
            longer = word
        line = longer
    return lines + [line]


def escape(text):
    return text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")


class Page:
    def __init__(self):
        self.ops = []
        self.y = PAGE_H - MARGIN

    def line(self, text, x, size, bold=False):
        self.ops.append(f"BT /F{2 if bold else 1} {size} Tf {x:.2f} {self.y:.2f} Td ({escape(text)}) Tj ET")

    def heading(self, text, size):
        self.y -= size * 1.6
        self.line(text, MARGIN, size, bold=True)
        self.y -= size

    def paragraph(self, text, x=MARGIN, room=PAGE_W - 2 * MARGIN, size=11):
        for text_line in wrap(text, size, room):
            self.y -= size * 1.35
            self.line(text_line, x, size)
        self.y -= size * 0.8

    def columns(self, texts, size=10):
        gap, top = 24, self.y
        room = (PAGE_W - 2 * MARGIN - gap) / 2
        bottoms = []
        for column, paragraphs in enumerate(texts):
            self.y = top
            for text in paragraphs:
                self.paragraph(text, MARGIN + column * (room + gap), room, size)
            bottoms.append(self.y)
        self.y = min(bottoms)

    def table(self, rows, size=10):
        room = (PAGE_W - 2 * MARGIN) / len(rows[0])
        row_height, top = 22, self.y - 10
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                self.y = top - number * row_height - 15
                self.line(cell, MARGIN + column * room + 6, size, bold=number == 0)
        bottom = top - len(rows) * row_height
        for number in range(len(rows) + 1):
            y = top - number * row_height
            self.ops.append(f"0.5 w {MARGIN} {y:.2f} m {PAGE_W - MARGIN} {y:.2f} l S")
        for column in range(len(rows[0]) + 1):
            x = MARGIN + column * room
            self.ops.append(f"0.5 w {x:.2f} {top:.2f} m {x:.2f} {bottom:.2f} l S")
        self.y = bottom - 20

    def picture(self, height=220):
        self.y -= height + 10
        self.ops.append(f"q {PAGE_W - 2 * MARGIN} 0 0 {height} {MARGIN} {self.y:.2f} cm /Im1 Do Q")
        self.y -= 12

    def footer(self, number):
        self.y = MARGIN / 2
        self.line(f"The Small Book of Binding - {number}", MARGIN, 8)


def pages():
    title = Page()
    title.y -= 180
    title.heading("The Small Book of Binding", 28)
    title.paragraph("Twelve pages about how sheets become a book, written as a sample for software that reads PDFs.")
    contents = Page()
    contents.heading("Contents", 20)
    for number, (name, _) in enumerate(CHAPTERS):
        contents.paragraph(f"{number + 1} {name}, page {number + 3}")
    result = [title, contents]
    for number, (name, text) in enumerate(CHAPTERS):
        page = Page()
        page.heading(f"{number + 1} {name}", 20)
        page.paragraph(text)
        page.heading("Notes from the bench", 15)
        follow = CHAPTERS[(number + 1) % len(CHAPTERS)][1]
        page.paragraph(f"Whoever has done it once knows the next step. {follow}")
        result.append(page)
    columns = Page()
    columns.heading("Two columns", 20)
    left = [text for _, text in CHAPTERS[:3]]
    right = [text for _, text in CHAPTERS[3:]]
    columns.columns([left, right])
    table = Page()
    table.heading("A table", 20)
    table.paragraph("How often a sheet is folded decides how many pages a section has.")
    table.table(TABLE)
    table.paragraph("The names are older than the paper sizes of today.")
    picture = Page()
    picture.heading("A picture", 20)
    picture.picture()
    picture.paragraph("Figure 1. Sections seen from the fore edge, drawn by arithmetic.")
    last = Page()
    last.heading("Colophon", 20)
    last.paragraph("Made by make_sample.py. No animals were glued.")
    result += [columns, table, picture, last]
    for number, page in enumerate(result):
        page.footer(number + 1)
    return result


def image():
    """Gray bands like the fore edge of sewn sections, as one byte a pixel."""
    w, h = 240, 120
    rows = []
    for y in range(h):
        row = bytes(min(255, 110 + (x * 7 % 24) * 5 + abs((y + x // 24) % 20 - 10) * 4) for x in range(w))
        rows.append(row)
    return w, h, b"".join(rows)


def write():
    objects = []

    def add(body):
        objects.append(body)
        return len(objects)

    def stream(data, entries=""):
        packed = zlib.compress(data, 9)
        head = f"<< {entries} /Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode()
        return add(head + packed + b"\nendstream")

    catalog, tree = add(b""), add(b"")
    fonts = [
        add(f"<< /Type /Font /Subtype /Type1 /BaseFont /{name} /Encoding /WinAnsiEncoding >>".encode())
        for name in ("Helvetica", "Helvetica-Bold")
    ]
    w, h, pixels = image()
    entries = f"/Type /XObject /Subtype /Image /Width {w} /Height {h} /ColorSpace /DeviceGray /BitsPerComponent 8"
    picture = stream(pixels, entries)
    kids = []
    for page in pages():
        content = stream("\n".join(page.ops).encode("latin-1"))
        kids.append(add(f"<< /Type /Page /Parent {tree} 0 R /Contents {content} 0 R >>".encode()))
    resources = f"<< /Font << /F1 {fonts[0]} 0 R /F2 {fonts[1]} 0 R >> /XObject << /Im1 {picture} 0 R >> >>"
    kid_list = " ".join(f"{kid} 0 R" for kid in kids)
    objects[catalog - 1] = f"<< /Type /Catalog /Pages {tree} 0 R >>".encode()
    objects[tree - 1] = (
        f"<< /Type /Pages /Count {len(kids)} /Kids [{kid_list}] /MediaBox [0 0 {PAGE_W} {PAGE_H}]"
        f" /Resources {resources} >>"
    ).encode()

    out, offsets = bytearray(b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"), []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    start = len(out)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n".encode()
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += f"trailer\n<< /Size {len(objects) + 1} /Root {catalog} 0 R >>\nstartxref\n{start}\n%%EOF\n".encode()
    pathlib.Path(__file__).with_name("sample.pdf").write_bytes(out)


if __name__ == "__main__":
    write()
