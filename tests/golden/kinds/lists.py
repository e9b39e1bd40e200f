"""Lists, contents, indexes, references, glossaries, forms to tick."""

from sheet import h, item, p, page


@page
def bullets(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        p("Bring with you:"),
        item("boots that may get wet;"),
        item(
            "a lamp, and batteries for it, as the path back from the weir "
            "is not lit and the last part of it leads through the wood;"
        ),
        item("something to eat."),
        p("Dogs stay at home."),
    )
    return s


@page
def bullets_nested(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("What there is to do", 15),
        item("The weir"),
        item("gates", "–", 1),
        item("oil the chains", "▪", 2, bulletFontName="DejaVuSans"),
        item("turn the wheels", "▪", 2, bulletFontName="DejaVuSans"),
        item("fish pass", "–", 1),
        item("The mill"),
        item("roof", "–", 1),
    )
    return s


@page
def numbered(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("To open a gate", 15),
        *[
            item(text, f"{at}.")
            for at, text in enumerate(
                (
                    "Take out the pin.",
                    (
                        "Turn the wheel to the left until the mark is seen. If it does not move, do not use a bar; call"
                        " the office first and wait."
                    ),
                    "Put the pin back.",
                    "Write down the time.",
                ),
                1,
            )
        ],
    )
    return s


@page
def numbered_nested(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        item("Before you go", "1."),
        item("read the level", "a)", 1),
        item("tell somebody", "b)", 1),
        item("At the weir", "2."),
        item("check the pins", "a)", 1),
        item("clear the grille", "b)", 1),
        item("Afterwards, write it down", "3."),
    )
    return s


@page
def numbered_with_paragraphs(new):
    s = new()
    y = 70
    for number, first, more in (
        ("1.", "The keeper opens the gates.", "He does so at a level of four feet, or when the office calls."),
        ("2.", "The keeper shuts the gates.", "Never alone, and never at night."),
    ):
        s.text(70, y + 10, number)
        y = s.flow(90, y, 430, p(first), p(more))
    return s


@page
def definitions(new):
    s = new()
    for y, term, text in (
        (70, "Gate", "A board that is lifted to let water through."),
        (
            100,
            "Sill",
            (
                "The edge over which the water falls, made of oak or of "
                "stone, and the place from which all levels are measured."
            ),
        ),
        (145, "Leat", "The channel that leads to the wheel."),
    ):
        s.text(70, y + 10, term, "Times-Bold")
        s.flow(150, y, 375, p(text))
    return s


@page
def glossary(new):
    """Hanging indents."""
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Glossary", 16),
        *[
            p(text, leftIndent=24, firstLineIndent=-24)
            for text in (
                (
                    "<b>Fulling</b> The beating of cloth in water, with earth or soap, until it has become thick and"
                    " dense; the hammers were lifted by the wheel."
                ),
                (
                    "<b>Holt</b> The den of an otter, most often below the roots of an old tree, with an entrance under"
                    " water."
                ),
                "<b>Tithe</b> The tenth part of what was earned, due to the church.",
            )
        ],
    )
    return s


@page
def references_numbered(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("References", 14),
        *[
            item(text, f"[{at}]", after=4)
            for at, text in enumerate(
                (
                    (
                        "Ames, K.: The mills of the northern valleys. <i>Journal of Local History</i> 12 (2004), pp."
                        " 33–58."
                    ),
                    (
                        "Farrow, L., and Ames, K.: Water rights before 1700. In: Dunn, P. (ed.), <i>Law and"
                        " Landscape</i>, pp. 201–240. Minster Press, York (2011)."
                    ),
                    "Otter Count Group: Yearly report. https://example.org/otters (2023)",
                ),
                1,
            )
        ],
    )
    return s


@page
def references_hanging(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("Literature", 14),
        *[
            p(text, 4, leftIndent=20, firstLineIndent=-20)
            for text in (
                (
                    "Ames, K. (2004). The mills of the northern valleys: a survey of what is left, with maps."
                    " <i>Journal of Local History</i>, 12, 33–58."
                ),
                "Dunn, P. (Ed.) (2011). <i>Law and Landscape</i>. York: Minster Press.",
                (
                    "Farrow, L., &amp; Ames, K. (2011). Water rights before 1700. In P. Dunn (Ed.), <i>Law and"
                    " Landscape</i> (pp. 201–240). York: Minster Press."
                ),
            )
        ],
    )
    return s


@page
def references_over_columns(new):
    """Entries that hang, one of which breaks within a word where its column ends."""
    s = new()
    left = [("Ames, K., and P. Dunn. 2004. The mills of the northern val-", "leys: a survey of what is left. J. Local Hist. 12:33-58."),
            ("Castell, M. 1998. Sluices and gates of the upper river, and", "of those who kept them. Minster Press."),
            ("Dunn, P. 2011. Law and landscape: the courts of the valley", "from 1500 to 1700, with their rolls. York Stud. 4:1-120."),
            ("Farrow, L., and K. Ames. 1994. Water rights and the repre-",)]
    right = [(None, "sentation of millers in the courts. J. Law 76:287-299."),
             ("Goda, Y., and S. Quist. 1988. Selective repair of the locks", "and weirs below the bridge. Canals 55:309-320."),
             ("Hale, W. 1971. Notes on the keeping of gates, with two let-", "ters to the Surveyor. Canals 38:14-19."),
             ("Idris, O. 2002. Flood years. Canals 60:1-12.",)]
    text = ("The gates were kept by those who lived beside them. A keeper had a house, a garden and the right to fish above"
            " his gate, and was paid by the owners of the mills below it, each as the water served him.")
    end = s.flow(64, 60, 250, h("Who kept the gates", 12), *[p(text) for _ in range(5)], h("References", 12))
    for x, top, entries in ((64, end + 10, left), (340, 70, right)):
        for entry in entries:
            for at, line in enumerate(entry):
                if line:
                    s.text(x + (9 if at else 0), top, line, size=10)
                    top += 12
    return s


@page
def contents(new):
    s = new()
    s.text(70, 80, "Contents", "Times-Bold", 18)
    y = 110
    for number, name, at, indent in (
        ("1", "The river", 3, 0),
        ("1.1", "Source", 4, 16),
        ("1.2", "Mouth", 9, 16),
        ("2", "The mills", 14, 0),
        ("2.1", "Oats", 15, 16),
        ("2.2", "Cloth", 22, 16),
        ("", "Index", 31, 0),
    ):
        label = f"{number}  {name}" if number else name
        s.text(70 + indent, y, label, size=11)
        start = 76 + indent + s.canvas.stringWidth(label, "Times-Roman", 11)
        s.text(500, y, " ." * int((500 - start) / 5.5), size=11, align="right")
        s.text(525, y, str(at), size=11, align="right")
        y += 16
    return s


@page
def index(new):
    s = new()
    s.text(60, 70, "Index", "Times-Bold", 16)
    s.lines(
        60,
        95,
        [
            "barley, 22",
            "bridge, 3, 14–16",
            "cloth, 22, 25",
            "dye, 27",
            "fish pass, 9, 31",
            "flood",
            "   of 1911, 3",
            "   of 1952, 4",
        ],
        size=9.5,
        leading=12,
    )
    s.lines(
        310,
        95,
        ["gate, 8, 11", "holt, 41", "leat, 12", "mill", "   lower, 17", "   upper, 15, 19", "oats, 15", "otter, 40–44"],
        size=9.5,
        leading=12,
    )
    return s


@page
def recipe(new):
    s = new()
    s.text(70, 80, "Oatcakes", "Times-Bold", 20)
    s.text(70, 98, "Makes 12 · 40 minutes", "Times-Italic", 10)
    s.text(70, 125, "Ingredients", "Times-Bold", 12)
    s.lines(70, 142, ["250 g oatmeal", "1 pinch of salt", "30 g butter", "150 ml hot water"])
    s.text(70, 215, "Method", "Times-Bold", 12)
    s.flow(
        70,
        222,
        455,
        *[
            item(text, f"{at}.")
            for at, text in enumerate(
                (
                    "Mix the oatmeal and the salt.",
                    (
                        "Melt the butter in the water and stir it in. Leave the dough to rest for ten minutes, until it"
                        " holds together."
                    ),
                    "Roll out, cut, and bake on a hot griddle until the edges curl.",
                ),
                1,
            )
        ],
    )
    return s


@page
def exam(new):
    s = new()
    s.text(70, 80, "Test 4: The river", "Helvetica-Bold", 15)
    y = 105
    for number, question, answers in (
        ("1.", "Where does the river rise?", ("in the moor", "in the plain", "in the sea")),
        ("2.", "What did the second mill make?", ("meal", "cloth", "paper")),
    ):
        s.text(70, y, number, "Helvetica", 10)
        s.text(88, y, question, "Helvetica", 10)
        for letter, text in zip("ABC", answers):
            y += 15
            s.text(100, y, f"{letter})", "Helvetica", 10)
            s.text(118, y, text, "Helvetica", 10)
        y += 24
    return s


@page
def questionnaire(new):
    """Boxes drawn as letters, each before its answer."""
    s = new()
    s.text(70, 80, "Your visit", "DejaVuSans-Bold", 14)
    y = 105
    for question, answers in (
        ("How did you come?", ("☐ bus", "☒ bicycle", "☐ car")),
        ("Would you come again?", ("☒ yes", "☐ no")),
    ):
        s.text(70, y, question, "DejaVuSans", 10)
        y = s.lines(82, y + 18, answers, leading=16, font="DejaVuSans", size=10) + 10
    return s


@page
def task_list(new):
    s = new()
    s.flow(
        70,
        70,
        455,
        h("For Saturday", 14),
        *[
            item(text, sign, bulletFontName="DejaVuSans")
            for sign, text in (("☑", "oil the chains"), ("☐", "clear the grille"), ("☐", "count the pins"))
        ],
    )
    return s


@page
def phone_list(new):
    s = new()
    s.text(70, 80, "Telephone numbers", "Helvetica-Bold", 15)
    for at, (name, number) in enumerate(
        (
            ("Ames, Katherine", "0191 498 0211"),
            ("Dunn, Peter", "0191 498 0212"),
            ("Farrow, Lucy", "0191 498 0240"),
            ("Weir, in emergencies", "0800 55 11 00"),
        )
    ):
        s.text(70, 108 + 16 * at, name, "Helvetica", 10)
        s.text(260, 108 + 16 * at, number, "Helvetica", 10)
    return s
