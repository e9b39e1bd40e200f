"""Verse, plays, notes, code, slides, charts, and what is odd about a page."""

from kinds.prose import MILLS, OTTERS, RIVER
from sheet import code, h, item, p, page


@page
def verse(new):
    s = new()
    s.text(120, 80, "The Weir", "Times-Bold", 14)
    y = s.lines(
        120,
        110,
        [
            "The water comes down from the hill",
            "and does not ask the way,",
            "it turns the wheel, and turns it still",
            "at night as in the day.",
        ],
        size=11,
    )
    s.lines(
        120,
        y + 14,
        [
            "The miller sleeps, the cat is out,",
            "the rope hangs from the beam,",
            "and no one hears the otter shout",
            "his laughter in the stream.",
        ],
        size=11,
    )
    return s


@page
def play(new):
    s = new()
    s.flow(
        90,
        70,
        420,
        h("Scene Two", 14),
        p("<i>The mill at night. Rain.</i>"),
        p("MARTHA. Who left the gate open?"),
        p(
            "JOHN. It was shut when I went to bed. I turned the wheel myself, and put the pin in, as you have told me a"
            " hundred times."
        ),
        p("MARTHA <i>(at the window)</i>. Then somebody has taken it out."),
    )
    return s


@page
def interview(new):
    s = new()
    s.flow(
        80,
        70,
        440,
        h("“We count them at dawn”", 18, "DejaVuSerif-Bold"),
        *[
            p(t, font="DejaVuSerif", size=9.5)
            for t in (
                "<b>How did you come to otters?</b>",
                "By chance. I was looking for a lost dog and found tracks that were none of a dog.",
                "<b>And you have counted since?</b>",
                (
                    "Every first Sunday, for twenty-seven years. In 2001 we had to stop for some months, "
                    "because of the foot-and-mouth disease, when all paths were closed."
                ),
            )
        ],
    )
    return s


@page
def block_quote(new):
    s = new()
    s.flow(70, 70, 455, p("The clerk of 1612 was not sure of what he wrote:"))
    s.flow(
        105,
        92,
        385,
        p(
            "Item, a fourth mill, of which I have been told by the vicar, but which I have not seen with my own eyes,"
            " as the ford was too deep on that day.",
            size=9.5,
            alignment=4,
        ),
    )
    s.flow(70, 140, 455, p("He never came back to see it."))
    return s


@page
def drop_cap(new):
    s = new()
    s.text(70, 112, "T", "Times-Bold", 47)
    y = s.lines(
        104,
        84,
        [
            "his report defines what we mean by a healthy river, how it is",
            "measured, and who has to see to it. It was written by",
            "the people who live beside it, over two winters, and",
        ],
        size=11,
        leading=14,
    )
    s.lines(
        70,
        y,
        ["has been read by the water board before it went to print. Comments", "are welcome until the end of May."],
        size=11,
        leading=14,
    )
    return s


@page
def double_spaced(new):
    s = new()
    s.text(297, 80, "IN THE COUNTY COURT", size=12, align="centre")
    s.flow(
        90,
        110,
        415,
        *[
            p(text, 24, size=12, leading=24, firstLineIndent=36)
            for text in (
                (
                    "The plaintiff owns the meadow below the weir. In January the water stood on it for nine days, as"
                    " it had done in the year before."
                ),
                "The defendant keeps the gates. He says that he opened them as soon as he was told.",
            )
        ],
    )
    return s


@page
def centred_and_right(new):
    s = new()
    s.flow(
        330,
        70,
        195,
        p(
            "Who owns the water? He who stands in it, for as long as he stands there.",
            2,
            font="Times-Italic",
            alignment=2,
        ),
        p("Saying of the valley", size=9, alignment=2),
    )
    s.flow(
        120,
        130,
        355,
        p(
            "This little book was set by hand at the press of the mill in the winter of 1998, in one hundred and fifty"
            " copies, none of which is for sale.",
            alignment=1,
        ),
    )
    s.flow(70, 200, 455, p(RIVER, alignment=4), p(MILLS, alignment=4))
    return s


@page
def faq(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Questions and answers", 18, "Helvetica-Bold"),
        *[
            f
            for q, a in (
                ("Can I fish here?", "Yes, with a day ticket from the post office."),
                ("Are dogs allowed?", "On a lead, from April to July."),
                (
                    "Where can I park?",
                    (
                        "At the old station. It is free, but the gate is locked at dusk, and the fine for late cars is"
                        " high enough to be remembered."
                    ),
                ),
            )
            for f in (h(q, 11, "Helvetica-Bold"), p(a, font="Helvetica", size=10))
        ],
    )
    return s


@page
def code_listing(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Counting tracks", 15),
        p("The tracks of a month are added up by a few lines of Python:"),
        code(
            "def total(counts):\n    result = 0\n    for place, number in counts.items():\n        if number > 0:\n    "
            "        result += number\n\n    return result"
        ),
        p("Call <font face='Courier'>total(counts)</font> once a month."),
    )
    return s


@page
def typewritten(new):
    """All in one fixed width: lines and columns stay."""
    s = new()
    s.lines(
        72,
        80,
        [
            "MEMORANDUM",
            "",
            "TO:    All keepers",
            "FROM:  Office",
            "DATE:  4 May 1979",
            "",
            "Levels at noon, in feet:",
            "",
            "  Day        Upper   Lower",
            "  Monday      4.10    2.85",
            "  Tuesday     4.25    2.90",
            "  Wednesday   4.05    2.80",
        ],
        font="Courier",
        size=10,
        leading=12,
    )
    return s


@page
def slide(new):
    s = new(size=(720, 405))
    s.box(0, 0, 720, 60, fill=0.85, pen=0)
    s.text(40, 42, "Why otters came back", "Helvetica-Bold", 28)
    s.flow(
        60,
        90,
        600,
        *[
            item(text, font="Helvetica", size=20, after=10)
            for text in ("Cleaner water since 1985", "No hunting since 1978", "Holts built by volunteers")
        ],
    )
    s.text(690, 390, "7", "Helvetica", 12, "right")
    return s


@page
def slide_two_columns(new):
    s = new(size=(720, 405))
    s.text(40, 55, "Then and now", "Helvetica-Bold", 28)
    for x, title, points in (
        (40, "1975", ("No otters", "Two weirs", "Dye in the water")),
        (380, "2023", ("Nine otters", "One weir", "Trout again")),
    ):
        s.text(x, 110, title, "Helvetica-Bold", 22)
        s.flow(x, 125, 300, *[item(text, font="Helvetica", size=18, after=8) for text in points])
    return s


@page
def chart(new):
    """Bars with numbers at the axes are no table."""
    s = new()
    s.flow(70, 70, 455, p("The count rose in most years, as the chart shows."))
    s.rule(100, 300, 500, 300)
    s.rule(100, 110, 100, 300)
    for at in range(5):
        s.text(94, 303 - 45 * at, str(3 * at), "Helvetica", 7, "right")
    for at, (year, count) in enumerate((("1998", 2), ("2003", 4), ("2008", 3), ("2013", 7), ("2018", 9), ("2023", 11))):
        s.box(115 + 62 * at, 300 - 15 * count, 150 + 62 * at, 300, fill=0.7)
        s.text(132 + 62 * at, 312, year, "Helvetica", 7, "centre")
    s.text(300, 335, "Figure 3: Otters counted, 1998 to 2023", "Times-Italic", 9.5, "centre")
    s.flow(70, 355, 455, p(OTTERS))
    return s


@page
def stamp(new):
    s = new()
    s.canvas.saveState()
    s.canvas.translate(300, 420)
    s.canvas.rotate(45)
    s.canvas.setFillGray(0.85)
    s.canvas.setFont("Helvetica-Bold", 90)
    s.canvas.drawCentredString(0, 0, "DRAFT")
    s.canvas.restoreState()
    s.canvas.setFillGray(0)
    s.flow(
        70,
        70,
        455,
        h("Plan for the weir", 16),
        *[p(text, alignment=4) for text in (RIVER, MILLS, OTTERS, RIVER, MILLS, OTTERS)],
    )
    return s


@page
def drawn_twice(new):
    """Bold made by drawing twice with a small shift."""
    s = new()
    for shift in (0, 0.4):
        s.text(70 + shift, 80, "Notice to anglers", "Helvetica", 14)
    s.flow(70, 95, 455, p("The upper pool is closed in May.", font="Helvetica", size=10))
    return s


@page
def formulas(new):
    s = new()
    s.flow(70, 70, 455, h("Flow over a weir", 15), p("The discharge over a weir of width <i>b</i> is"))
    s.text(297, 125, "Q = C b h", "Times-Italic", 12, "centre")
    s.text(298 + s.canvas.stringWidth("Q = C b h", "Times-Italic", 12) / 2, 120, "3/2", "Times-Italic", 8)
    s.text(525, 125, "(4)", size=10.5, align="right")
    s.flow(70, 140, 455, p("where <i>h</i> is the height of the water above the sill and <i>C</i> a number near 1.8."))
    return s


@page
def author_marks(new):
    """Raised letters and numbers behind names, and the addresses that they stand for."""
    s = new()
    s.text(297, 80, "Weirs and Otters", "Times-Bold", 16, "centre")
    x, y = 170, 104
    for name, marks in (("Ada Ames,", "a,1"), ("Ben Lind,", "b"), ("and Cora Marsh", "a,b")):
        s.text(x, y, name, size=11)
        x += s.canvas.stringWidth(name, "Times-Roman", 11)
        s.text(x, y - 3.6, marks, size=7.5)
        x += s.canvas.stringWidth(marks, "Times-Roman", 7.5) + 4
    for at, (mark, place) in enumerate((("a", "Institute of Rivers, Leeds;"), ("b", "School of Biology, Kiel"))):
        s.text(170 + 140 * at, 120, mark, size=6)
        s.text(174 + 140 * at, 123, place, size=9)
    s.flow(70, 140, 455, *[p(text, alignment=4) for text in (RIVER, MILLS, OTTERS)])
    return s


@page
def title_drawn_last(new):
    """The page is drawn from the foot to the head."""
    s = new()
    s.flow(70, 260, 455, p(OTTERS, font="Helvetica", size=10))
    s.flow(70, 160, 455, h("Mills", 13, "Helvetica-Bold"), p(MILLS, font="Helvetica", size=10))
    s.flow(70, 110, 455, p(RIVER, font="Helvetica", size=10))
    s.text(70, 90, "The Valley", "Helvetica-Bold", 20)
    return s


@page
def typewritten_justified(new):
    """Running text in letters of one width, filled with spaces up to the right edge."""
    s = new()
    lines = [
        "The suggestion for  the display of  medians is  the same as for",
        "standard errors:  unless there  are at least  thirty people in",
        "the sample, a value is marked  with an asterisk.  What is known",
        "of the  sample and   what it  was drawn   for is said in  words",
        "above any table that shows such values, and below it.",
    ]
    y = s.lines(70, 80, lines, font="Courier", size=10)
    lines = [
        "Where  a reader could  take a number  for more than  it is, the",
        "office leaves it out.  That is done only  where fewer than five",
        "answers were  given, and   never to   hide what   does not suit",
        "someone.",
    ]
    y = s.lines(70, y + 13, lines, font="Courier", size=10)
    s.lines(70, y + 13, ["Port        1989    1990", "Oslo          41      38", "Bergen        12      17"],
            font="Courier", size=10)
    return s


@page
def field_of_several_lines(new):
    """A form field whose value takes several lines, beside labels at the height of some of them."""
    s = new()
    s.text(60, 80, "Remarks", "Helvetica", 10)
    s.text(60, 140, "Signed", "Helvetica", 10)
    s.canvas.acroForm.textfield(name="remarks", x=150, y=s.height - 122, width=300, height=52, fontName="Helvetica",
                                fontSize=10, fieldFlags="multiline", borderWidth=0, forceBorder=False,
                                value="The gate was found open on the second day\nand was closed by the keeper, who "
                                "wrote it\ndown in the book.")
    s.canvas.acroForm.textfield(name="signed", x=150, y=s.height - 146, width=300, height=18, fontName="Helvetica",
                                fontSize=10, borderWidth=0, forceBorder=False, value="M. Olsen")
    return s


@page
def form_values_beside_labels(new):
    """Labels and the values of their fields in two columns, on other baselines, and one in letters as large as its field."""
    s = new()
    s.text(60, 70, "Guest registration", "Helvetica-Bold", 15)
    form = s.canvas.acroForm
    plain = {"fontName": "Helvetica", "borderWidth": 0, "forceBorder": False}
    for y, label, value, size, height in ((120, "Surname", "Lindqvist", 10, 18), (150, "Notes", "Needs a cot", 22, 36),
                                          (205, "Company", "", 10, 18), (235, "Board", "Half board", 10, 18)):
        s.text(72, y, label, "Helvetica", 11)
        form.textfield(name=label, value=value, x=162, y=s.height - y - 5, width=200, height=height, fontSize=size, **plain)
    return s


@page
def algorithm(new):
    s = new()
    end = s.flow(80, 70, 240, h("2 Keeping the Level", 13), p(RIVER + " Algorithm 1 says when the gate is opened."))
    s.rule(80, end + 6, 320, end + 6, pen=0.8)
    s.text(82, end + 18, "Algorithm 1", "Times-Bold", 10)
    s.text(138, end + 18, "Level of the pond", size=10)
    s.rule(80, end + 23, 320, end + 23)
    steps = [
        (0, "Input: levels of the last hour", ""),
        (0, "highest := 0", "// none yet"),
        (0, "for each level in levels do", ""),
        (1, "if level > highest then", ""),
        (2, "highest := level", "// the flood of the hour"),
        (1, "end if", ""),
        (0, "end for", ""),
        (0, "return highest", ""),
    ]
    y = end + 35
    for at, (depth, step, comment) in enumerate(steps):
        s.text(92, y, f"{at + 1}:", size=10, align="right")
        s.text(98 + 12 * depth, y, step, "Times-Bold" if step.startswith(("for", "end", "if")) else "Times-Roman", 10)
        s.text(316, y, comment, "Times-Italic", 10, align="right")
        y += 12
    s.rule(80, y - 7, 320, y - 7, pen=0.8)
    s.flow(80, y + 10, 240, p("The gate stays shut while the highest level is below the mark. " + MILLS))
    s.flow(340, 70, 180, p(OTTERS))
    return s
