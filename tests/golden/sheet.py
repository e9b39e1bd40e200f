"""A page to draw on: text at a place, and flowing text within a width. Points, from the upper left corner."""

import pathlib

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Paragraph, Preformatted, Table

DEJAVU = pathlib.Path("/usr/share/fonts/truetype/dejavu")
for name in ("DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic"):
    pdfmetrics.registerFont(TTFont(name, DEJAVU / f"{name}.ttf"))
pdfmetrics.registerFontFamily("DejaVuSerif", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSerif-Italic", "DejaVuSerif-Bold")
pdfmetrics.registerFontFamily("DejaVuSans", "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans", "DejaVuSans-Bold")
for name in ("STSong-Light", "HeiseiMin-W3", "HYSMyeongJo-Medium"):
    pdfmetrics.registerFont(UnicodeCIDFont(name))

BOLD = {"Times-Roman": "Times-Bold", "Helvetica": "Helvetica-Bold", "DejaVuSerif": "DejaVuSerif-Bold",
        "DejaVuSans": "DejaVuSans-Bold"}


def style(font="Times-Roman", size=10.5, leading=0, **more):
    return ParagraphStyle("", fontName=font, fontSize=size, leading=leading or 1.28 * size, **more)


def p(text, after=6, **more):
    return Paragraph(text, style(spaceAfter=after, **more))


def h(text, size=14, font="Times-Bold", before=10, after=4, **more):
    return Paragraph(text, style(font, size, spaceBefore=before, spaceAfter=after, **more))


def code(text, size=8.5, after=8):
    return Preformatted(text, style("Courier", size, spaceAfter=after))


def item(text, sign="•", level=0, after=2, **more):
    """A list's item with its sign to the left of it."""
    left = 14 + 16 * level
    looks = style(leftIndent=left, bulletIndent=left - 12, spaceAfter=after, **more)
    return Paragraph(f"<bullet>{sign}</bullet>{text}", looks)


def table(rows, widths=None, rules="", right=(), font="Helvetica", size=9, head=True, pad=3, more=()):
    """`rules`: grid, lines (above, below the head, below), box, columns (upright ones and the head's), or none."""
    looks = [("FONT", (0, 0), (-1, -1), font, size, 1.25 * size), ("VALIGN", (0, 0), (-1, -1), "TOP"),
             ("TOPPADDING", (0, 0), (-1, -1), pad), ("BOTTOMPADDING", (0, 0), (-1, -1), pad),
             *[("ALIGN", (column, 0), (column, -1), "RIGHT") for column in right]]
    if head:
        looks.append(("FONT", (0, 0), (-1, 0), BOLD[font], size, 1.25 * size))
    pen = (0.6, "black")
    looks += {"grid": [("GRID", (0, 0), (-1, -1), *pen)], "box": [("BOX", (0, 0), (-1, -1), *pen)],
              "lines": [("LINEABOVE", (0, 0), (-1, 0), 1, "black"), ("LINEBELOW", (0, 0), (-1, 0), *pen),
                        ("LINEBELOW", (0, -1), (-1, -1), 1, "black")],
              "columns": [("BOX", (0, 0), (-1, -1), *pen), ("INNERGRID", (0, 0), (-1, 0), *pen),
                          ("LINEBEFORE", (1, 0), (-1, -1), *pen), ("LINEBELOW", (0, 0), (-1, 0), *pen)],
              "rows": [("LINEBELOW", (0, 0), (-1, -1), *pen)], "": []}[rules]
    return Table(rows, widths, style=[*looks, *more], hAlign="LEFT", spaceBefore=4, spaceAfter=8)


class Sheet:
    def __init__(self, path, size=A4):
        self.width, self.height = size
        self.canvas = Canvas(str(path), pagesize=size, invariant=1, pageCompression=1)

    def text(self, x, y, text, font="Times-Roman", size=10.5, align="left"):
        self.canvas.setFont(font, size)
        draw = {"left": self.canvas.drawString, "right": self.canvas.drawRightString,
                "centre": self.canvas.drawCentredString}[align]
        draw(x, self.height - y, text)

    def lines(self, x, y, lines, leading=13, **looks):
        for line in lines:
            self.text(x, y, line, **looks)
            y += leading
        return y

    def flow(self, x, y, width, *flowables):
        """Draws them below one another from y on; returns where they end."""
        for at, flowable in enumerate(flowables):
            y += flowable.getSpaceBefore() if at else 0
            _, height = flowable.wrapOn(self.canvas, width, 10_000)
            y += height
            flowable.drawOn(self.canvas, x, self.height - y)
            y += flowable.getSpaceAfter()
        return y

    def rule(self, x0, y0, x1, y1, pen=0.6):
        self.canvas.setLineWidth(pen)
        self.canvas.line(x0, self.height - y0, x1, self.height - y1)

    def box(self, x0, y0, x1, y1, fill=None, pen=0.6):
        self.canvas.setLineWidth(pen)
        if fill is not None:
            self.canvas.setFillGray(fill)
        self.canvas.rect(x0, self.height - y1, x1 - x0, y1 - y0, stroke=int(pen > 0), fill=int(fill is not None))
        self.canvas.setFillGray(0)

    def next(self):
        self.canvas.showPage()

    def save(self):
        self.canvas.showPage()
        self.canvas.save()


PAGES = {}


def page(function):
    """Registers a page under the function's name."""
    PAGES[function.__name__.replace("_", "-")] = function
    return function
