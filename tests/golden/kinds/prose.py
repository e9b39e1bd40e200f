"""Running text: columns, headings, notes, emphasis, links, page margins."""

from reportlab.lib.utils import simpleSplit

from sheet import h, item, p, page

RIVER = (
    "The river rises in the moor above the village and runs for nine miles before it meets the sea. In dry summers it"
    " can be crossed on foot; after a week of rain it takes fences, sheep and, in 1911, the bridge."
)
MILLS = (
    "Four mills stood on its banks. The oldest ground oats until 1874, when the railway brought cheaper meal from the"
    " plain. Two were turned into dwellings, and one burnt down."
)
OTTERS = (
    "Otters came back in 1996. They are seldom seen, but their tracks are found below the weir every winter, and a"
    " count is made by volunteers on the first Sunday of each month."
)


@page
def prose(new):
    s = new()
    s.flow(70, 70, 455, h("The River", 18), *[p(text, alignment=4) for text in (RIVER, MILLS, OTTERS)])
    return s


@page
def prose_first_line_indent(new):
    """Paragraphs are told apart by their first lines alone."""
    s = new()
    first = p(RIVER, 0, font="DejaVuSerif", size=9.5, alignment=4)
    s.flow(
        70,
        70,
        455,
        h("Chapter One", 15, "DejaVuSerif-Bold", after=12),
        first,
        *[
            p(text, 0, font="DejaVuSerif", size=9.5, alignment=4, firstLineIndent=14)
            for text in (MILLS, OTTERS, RIVER, MILLS)
        ],
    )
    return s


@page
def hyphenated(new):
    s = new()
    s.lines(
        70,
        80,
        [
            "The committee has considered the recommen-",
            "dations of the north-western districts and ac-",
            "cepted all but one of them. The last of these",
            "was withdrawn.",
        ],
        size=12,
        leading=15,
    )
    return s


@page
def two_columns(new):
    s = new()
    y = s.flow(
        60,
        60,
        475,
        h("Four Mills on One River", 18, alignment=1),
        p("K. Ames and L. Farrow", 10, alignment=1),
        p(
            "<b>Abstract</b> – We describe the mills of the river, when they were built, and why they stopped.",
            10,
            alignment=4,
        ),
    )
    s.flow(
        60,
        y,
        228,
        h("1 The river", 12, before=0),
        p(RIVER, alignment=4),
        p(MILLS, alignment=4),
        h("2 The mills", 12),
        p(OTTERS, alignment=4),
    )
    s.flow(
        307,
        y,
        228,
        p(
            "The second mill was the largest, with two wheels of five metres. It fulled cloth for the whole valley "
            "until the looms fell silent.",
            alignment=4,
        ),
        h("3 Conclusion", 12),
        p(MILLS, alignment=4),
    )
    return s


@page
def two_columns_right_first(new):
    """The same order, though the right column is drawn first and the title last."""
    s = new()
    s.flow(307, 120, 228, p(MILLS, alignment=4), p("Nothing is left of the third.", alignment=4))
    s.flow(60, 120, 228, p(RIVER, alignment=4), p(OTTERS, alignment=4))
    s.text(60, 90, "A Valley in Brief", "Times-Bold", 18)
    return s


@page
def newspaper(new):
    """Three columns below a headline, a second story below all of them."""
    s = new()
    s.text(60, 80, "Bridge to Reopen in Spring", "Times-Bold", 26)
    s.text(60, 100, "Council finds the money after two years of dispute", "Times-Italic", 13)
    columns = ([RIVER], [MILLS], [OTTERS])
    for at, texts in enumerate(columns):
        s.flow(60 + 163 * at, 120, 150, *[p(text, size=9.5, alignment=4) for text in texts])
    s.rule(60, 262, 535, 262)
    s.text(60, 290, "Market Moves to Thursday", "Times-Bold", 18)
    for at, text in enumerate((OTTERS, RIVER)):
        s.flow(60 + 245 * at, 305, 230, p(text, size=9.5, alignment=4))
    return s


@page
def columns_out_of_step(new):
    """Baselines of the two columns do not meet."""
    s = new()
    s.flow(60, 80, 225, p(RIVER, size=10, leading=13), p(MILLS, size=10, leading=13))
    s.flow(310, 86, 225, p(OTTERS, size=9, leading=11.4), p(RIVER, size=9, leading=11.4))
    return s


@page
def sidebar(new):
    s = new()
    s.box(395, 90, 535, 260, fill=0.9, pen=0)
    s.flow(
        60,
        60,
        315,
        h("Walking the valley", 18, "Helvetica-Bold"),
        *[p(t, font="Helvetica", size=10) for t in (RIVER, MILLS, OTTERS)],
    )
    s.flow(
        405,
        96,
        120,
        h("Good to know", 11, "Helvetica-Bold", before=0),
        *[
            p(t, font="Helvetica", size=8.5)
            for t in (
                "Length: 9 miles",
                "Bus 14 goes back every hour until six.",
                "Wear boots between October and April.",
            )
        ],
    )
    return s


@page
def margin_notes(new):
    s = new()
    y = 80
    for text, note in ((RIVER, "Ordnance map, sheet 12"), (MILLS, "Parish records"), (OTTERS, "See page 40")):
        s.flow(60, y, 90, p(note, font="Times-Italic", size=8))
        y = s.flow(165, y, 370, p(text, alignment=4))
    return s


@page
def footnotes(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Sources", 16),
        p(
            "The oldest map of the valley<super>1</super> shows three mills; the tithe roll of 1612 "
            "names four.<super>2</super> Which of them is missing on the map is a matter of debate.",
            alignment=4,
        ),
        p(OTTERS, alignment=4),
    )
    s.rule(70, 740, 200, 740)
    s.flow(
        70,
        745,
        455,
        p("<super>1</super> County archive, M 14. It was drawn for a lawsuit about the weir.", 2, size=8.5),
        p("<super>2</super> The roll is lost; a copy of 1790 is in the church.", 2, size=8.5),
    )
    return s


@page
def superscripts(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Units", 16),
        p(
            "The plot has 450 m<super>2</super> and the barn 1,200 m<super>3</super>. The mass of an electron is "
            "9.11 × 10<super>−31</super> kg, and a year has 3.156 × 10<super>7</super> s."
        ),
        p(
            "Water is H<sub>2</sub>O, rust mostly "
            "Fe<sub>2</sub>O<sub>3</sub>. The cause was found late.<super>12,13</super>"
        ),
    )
    return s


@page
def emphasis(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        p(
            "Words in <b>bold type</b>, in <i>slanted type</i> and in <b><i>both</i></b> stand in one line with <font"
            " face='Courier'>typed words</font>. A stop ends <b>here.</b> A <i>comma, within</i> is no matter, and H*2"
            " and snake_case stay as they are."
        ),
        p("<b>Note:</b> a paragraph may begin with it. [Brackets] are no links, # is no heading."),
    )
    return s


@page
def links(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Further reading", 15),
        p(
            "See the <a href='https://example.org/mills' color='blue'>list of mills</a> and <a"
            " href='https://example.org/otters?year=1996&amp;month=2' color='blue'>https://example.org/otters</a>, or"
            " write to <a href='mailto:river@example.org' color='blue'>river@example.org</a>."
        ),
        item("<a href='https://example.com/a_b_c'>Maps of the county</a>, 1770 to 1900"),
        item("The parish magazine (not online)"),
    )
    return s


@page
def headings_numbered(new):
    s = new()
    s.flow(
        70,
        60,
        455,
        h("Handbook of the Weir", 22, alignment=1, after=10),
        h("1 Structure", 17),
        p(RIVER, alignment=4),
        h("1.1 Gates", 14),
        p(MILLS, alignment=4),
        h("1.1.1 Gate wheels", 12),
        p("They are turned by hand, twice a year at least.", alignment=4),
        h("1.1.2 Chains", 12),
        p("They are oiled in spring.", alignment=4),
        h("1.2 Fish pass", 14),
        p(OTTERS, alignment=4),
        h("2 Duties", 17),
        p("Whoever opens a gate writes it down.", alignment=4),
    )
    return s


@page
def headings_of_text_size(new):
    """Bold lines of the text's own size, and a heading of two lines."""
    s = new()
    s.flow(
        70,
        60,
        455,
        h(
            "A Long Title about the History of the River, its Mills and the People who Lived by Them",
            20,
            "Helvetica-Bold",
            after=8,
        ),
        *[
            f
            for name, text in (("Source", RIVER), ("Trade", MILLS), ("Wildlife", OTTERS))
            for f in (h(name, 10, "Helvetica-Bold", before=6, after=3), p(text, font="Helvetica", size=10))
        ],
    )
    return s


@page
def headings_letter_spaced(new):
    s = new()
    s.canvas.setFont("Helvetica-Bold", 16)
    s.canvas.drawString(70, s.height - 80, "STRATEGIC PLAN", charSpace=5)
    s.flow(70, 95, 455, p(RIVER))
    s.canvas.setFont("Helvetica-Bold", 11)
    s.canvas.drawString(70, s.height - 165, "Aims and Means", charSpace=3)
    s.flow(70, 178, 455, p(OTTERS))
    return s


@page
def running_headers(new):
    """Two pages with a header, a footer and page numbers; the header goes, the text stays."""
    s = new()
    texts = ([RIVER, MILLS], [OTTERS, "The last count, in December, found tracks of three animals."])
    for number, part in enumerate(texts, 1):
        s.text(70, 40, "The Valley Society", "Times-Italic", 9)
        s.text(525, 40, "Yearbook 2023", "Times-Italic", 9, "right")
        s.flow(70, 70, 455, *[p(text, alignment=4) for text in part])
        s.text(297, 810, f"– {number} –", size=9, align="centre")
        if number == 1:
            s.next()
    return s


@page
def page_break_in_sentence(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Report on the winter", 15),
        p("The flood of January came up to the second step of the mill and left a mark that is"),
    )
    s.next()
    s.flow(70, 70, 455, p("still to be seen. Nobody was hurt."), p("The weir was repaired in March."))
    return s


@page
def broken_beside_a_picture(new):
    """Lines that end early beside a picture, and one that its author broke by hand."""
    s = new()
    y = s.lines(72, 80, [
        "Of those cases that were seen on the grounds or in the buildings near them (217 in all), like",
        "numbers took place in dwellings (28 percent), in places to park cars or out of doors (27 percent),",
        "and in offices or rooms of",
        "administrative or other use,",
        "such as halls and laboratories.",
    ])
    s.box(330, 97, 520, 150, fill=0.8)
    s.lines(72, y + 10, [
        "(i) Not less than half of which is owned by one or",
        "more members of the society or, in the case of any company that is owned by the public, half of its stock; and",
        "(ii) The management of which is theirs.",
    ])
    return s


@page
def columns_row_by_row(new):
    """Three narrow columns on one grid, of which each row is drawn at once; an icon stands in the room left for it."""
    s = new()
    size, leading, width, left = 9.5, 12, 158, (42, 214, 386)

    def column(*paragraphs):
        """(indent, text) of each line; the first three of the last paragraph leave room for an icon."""
        lines = []
        for text in paragraphs[:-1]:
            lines += [(0, line) for line in simpleSplit(text, "Helvetica", size, width)] + [(0, "")]
        words = paragraphs[-1].split()
        for indent in (31, 31, 31):
            line = simpleSplit(" ".join(words), "Helvetica", size, width - indent)[0]
            lines.append((indent, line))
            words = words[len(line.split()):]
        return lines + [(0, line) for line in simpleSplit(" ".join(words), "Helvetica", size, width)]

    columns = [column(RIVER, OTTERS, MILLS), column(MILLS, RIVER, OTTERS), column(OTTERS, MILLS, RIVER)]
    for row in range(max(map(len, columns))):
        for x, lines in zip(left, columns):
            if row < len(lines):
                indent, line = lines[row]
                s.text(x + indent, 90 + row * leading, line, "Helvetica", size)
    for x, lines in zip(left, columns):
        first = next(row for row, (indent, _) in enumerate(lines) if indent)
        s.text(x + 2, 90 + (first + 1.7) * leading, "CAUTION", "Helvetica-Bold", 4.8)
    return s


@page
def right_aligned(new):
    """So many lines that end at one place and begin anywhere that some begin near each other."""
    s = new()
    sentences = [text.strip() + "." for text in f"{RIVER} {MILLS} {OTTERS}".split(".") if text.strip()]
    count = len(sentences)
    texts = [" ".join(sentences[(start + step * n) % count] for n in range(4)) for step in (1, 2) for start in range(6)]
    s.flow(90, 50, 330, *[p(text, 8, alignment=2, font="Helvetica", size=9.5) for text in texts])
    return s


@page
def inset_between_columns(new):
    """The lines of two columns make room for a quotation between them, and go on below it at their full width."""
    s = new()
    size, leading, width, room, left, right = 10, 12.8, 217, 56, 72, 306
    inset = range(7, 13)

    def column(x, *paragraphs):
        row = 0
        for text in paragraphs:
            words, indent = text.split(), 11
            while words:
                narrow = indent + (room if row in inset else 0)
                line = simpleSplit(" ".join(words), "Times-Roman", size, width - narrow)[0].split()
                words = words[len(line):]
                start = x + narrow if x == right else x + indent
                used = sum(s.canvas.stringWidth(word, "Times-Roman", size) for word in line)
                gap = (width - narrow - used) / max(1, len(line) - 1) if words else 2.5
                for word in line:
                    s.text(start, 90 + row * leading, word, "Times-Roman", size)
                    start += s.canvas.stringWidth(word, "Times-Roman", size) + gap
                row, indent = row + 1, 0

    column(left, RIVER, MILLS, OTTERS, RIVER)
    column(right, OTTERS, RIVER, MILLS, OTTERS)
    s.lines(298, 90 + 8.3 * leading, ["“It takes", "sheep and", "bridges.”"], 17, font="Times-Bold", size=14, align="centre")
    return s
