"""Tables, ruled and not, and what looks like one."""

from sheet import h, item, p, page, table

QUARTERS = ["Place", "Q1", "Q2", "Q3", "Q4"]
LEVELS = [
    ["Weir", "4.10", "3.85", "2.20", "3.95"],
    ["Mill", "2.85", "2.60", "1.15", "2.70"],
    ["Bridge", "1.90", "1.75", "0.80", "1.85"],
]


@page
def table_grid(new):
    s = new()
    y = s.flow(
        70,
        70,
        455,
        p("Table 1: Mean level in feet"),
        table([QUARTERS, *LEVELS], [100, 60, 60, 60, 60], "grid", right=(1, 2, 3, 4)),
    )
    s.flow(70, y, 455, p("Levels were read at noon."))
    return s


@page
def table_book(new):
    """Rules above, below the head, and at the end."""
    s = new()
    y = s.flow(
        70,
        70,
        455,
        p("<b>Table 2.</b> Mean level in feet, and how often it was read."),
        table(
            [QUARTERS + ["n"], *[row + [n] for row, n in zip(LEVELS, ("366", "364", "12"))]],
            [100, 50, 50, 50, 50, 40],
            "lines",
            right=(1, 2, 3, 4, 5),
            font="Times-Roman",
            size=10,
        ),
    )
    s.flow(70, y, 455, p("The bridge was read once a month."))
    return s


@page
def table_unruled(new):
    s = new()
    y = s.flow(
        70,
        70,
        455,
        p("The keepers and what they are paid:"),
        table(
            [
                ["Name", "Since", "Gates", "Pay"],
                ["Ada Pike", "1998", "4", "210.00"],
                ["Ben Rudd", "2011", "2", "105.00"],
                ["Cora Tench", "2020", "1", "52.50"],
            ],
            [110, 60, 50, 70],
            right=(2, 3),
        ),
    )
    s.flow(70, y, 455, p("Pay is for a month."))
    return s


@page
def table_shaded(new):
    s = new()
    looks = [
        ("BACKGROUND", (0, 0), (-1, 0), (0.2, 0.3, 0.5)),
        ("TEXTCOLOR", (0, 0), (-1, 0), "white"),
        *[("BACKGROUND", (0, row), (-1, row), (0.92, 0.92, 0.95)) for row in (2, 4)],
    ]
    rows = [
        ["Bird", "Seen", "Ringed"],
        ["Dipper", "14", "3"],
        ["Kingfisher", "6", "1"],
        ["Heron", "9", "–"],
        ["Grey wagtail", "31", "12"],
    ]
    s.flow(
        70, 70, 455, h("Birds at the weir", 14, "Helvetica-Bold"), table(rows, [120, 70, 70], right=(1, 2), more=looks)
    )
    return s


@page
def table_wrapped_cells(new):
    s = new()
    rows = [
        ["Fault", "Cause", "What to do"],
        [
            "Gate does not open",
            p("The chain is rusty, or a branch is caught in the wheel.", 0, font="Helvetica", size=9),
            p("Clear the wheel. Oil the chain and wait for an hour.", 0, font="Helvetica", size=9),
        ],
        [
            "Water behind the sill",
            p("The board is worn.", 0, font="Helvetica", size=9),
            p("Call the carpenter.", 0, font="Helvetica", size=9),
        ],
    ]
    s.flow(70, 70, 455, table(rows, [110, 150, 150], "grid"))
    return s


@page
def table_groups(new):
    """The group stands in its first row alone."""
    s = new()
    rows = [
        ["Valley", "Mill", "Wheels", "Built"],
        ["Upper", "Stone Mill", "1", "1590"],
        ["", "High Mill", "2", "1702"],
        ["", "New Mill", "1", "1811"],
        ["Lower", "Cloth Mill", "2", "1688"],
        ["", "Sea Mill", "1", "1640"],
    ]
    s.flow(70, 70, 455, table(rows, [80, 110, 60, 60], "lines", right=(2, 3)))
    return s


@page
def table_spanning_head(new):
    s = new()
    rows = [
        ["Place", "2022", "", "2023", ""],
        ["", "low", "high", "low", "high"],
        ["Weir", "2.1", "5.4", "1.9", "6.2"],
        ["Mill", "1.0", "4.4", "0.9", "5.1"],
    ]
    spans = [
        ("SPAN", (0, 0), (0, 1)),
        ("SPAN", (1, 0), (2, 0)),
        ("SPAN", (3, 0), (4, 0)),
        ("ALIGN", (1, 0), (-1, -1), "CENTER"),
        ("FONT", (0, 1), (-1, 1), "Helvetica-Bold", 9),
    ]
    s.flow(70, 70, 455, table(rows, [80, 60, 60, 60, 60], "grid", more=spans))
    return s


@page
def table_head_of_two_lines(new):
    s = new()
    rows = [
        ["Place", "Mean level\n(feet)", "Highest\nlevel (feet)", "Readings"],
        ["Weir", "3.53", "6.20", "366"],
        ["Mill", "2.33", "5.10", "364"],
    ]
    s.flow(70, 70, 455, table(rows, [90, 80, 90, 70], "lines", right=(1, 2, 3)))
    return s


@page
def table_notes(new):
    s = new()
    rows = [
        ["Year", "Otters", "Trout"],
        ["2021", "9", p("1,120<super>a</super>", 0, font="Helvetica", size=9)],
        ["2022", p("10<super>b</super>", 0, font="Helvetica", size=9), "1,340"],
        ["2023", "11", "1,295"],
    ]
    y = s.flow(70, 70, 455, table(rows, [80, 80, 80], "lines"))
    s.flow(
        70,
        y,
        455,
        p("<super>a</super> Upper pool only.", 1, font="Helvetica", size=8),
        p("<super>b</super> One of them dead.", 1, font="Helvetica", size=8),
    )
    return s


@page
def datasheet(new):
    """Symbols, conditions, and three columns of limits of which some are empty."""
    s = new()
    rows = [
        ["Symbol", "Parameter", "Conditions", "Min", "Typ", "Max", "Unit"],
        ["VCC", "Supply voltage", "", "2.7", "", "5.5", "V"],
        ["ICC", "Supply current", "VCC = 3.3 V", "", "1.2", "2.0", "mA"],
        ["VOH", "High-level output", "IOH = –4 mA", "2.4", "", "", "V"],
        ["VOL", "Low-level output", "IOL = 4 mA", "", "", "0.4", "V"],
        ["TA", "Temperature", "", "–40", "25", "85", "°C"],
    ]
    s.flow(
        60,
        60,
        475,
        h("LX204 level sensor", 18, "Helvetica-Bold"),
        h("Electrical characteristics", 12, "Helvetica-Bold"),
        table(rows, [50, 100, 90, 45, 45, 45, 40], "lines", right=(3, 4, 5)),
        h("Features", 12, "Helvetica-Bold"),
        item("two wires", font="Helvetica", size=9.5),
        item("range of 10 m", font="Helvetica", size=9.5),
    )
    return s


@page
def statistics(new):
    s = new()
    rows = [
        ["Variable", "(1)", "(2)", "(3)"],
        ["Rain", "0.412***", "0.388***", "0.379***"],
        ["", "(0.051)", "(0.049)", "(0.050)"],
        ["Snow", "", "0.120*", "0.117*"],
        ["", "", "(0.060)", "(0.061)"],
        ["Gates open", "", "", "–0.244**"],
        ["", "", "", "(0.098)"],
        ["Observations", "366", "366", "364"],
        ["R-squared", "0.31", "0.34", "0.37"],
    ]
    s.flow(
        70,
        70,
        455,
        p("Table 5: What moves the level"),
        table(
            rows,
            [110, 80, 80, 80],
            "lines",
            right=(1, 2, 3),
            font="Times-Roman",
            pad=1,
            more=[("LINEABOVE", (0, 7), (-1, 7), 0.6, "black")],
        ),
        p("Standard errors in parentheses.", size=8.5),
    )
    return s


@page
def table_sideways(new):
    """A wide table, drawn sideways on an upright page."""
    s = new()
    s.canvas.saveState()
    s.canvas.translate(80, 120)
    s.canvas.rotate(90)
    grid = table([QUARTERS, *LEVELS], [120, 80, 80, 80, 80], "grid", right=(1, 2, 3, 4))
    _, height = grid.wrapOn(s.canvas, 600, 1000)
    grid.drawOn(s.canvas, 0, -30 - height)
    s.canvas.setFont("Helvetica-Bold", 12)
    s.canvas.drawString(0, -10, "Levels at three places")
    s.canvas.restoreState()
    return s


@page
def table_landscape_page(new):
    """The page itself is turned."""
    s = new()
    s.canvas.setPageRotation(90)
    s.canvas.saveState()
    s.canvas.translate(595, 0)
    s.canvas.rotate(90)
    grid = table([QUARTERS, *LEVELS], [120, 80, 80, 80, 80], "lines", right=(1, 2, 3, 4))
    _, height = grid.wrapOn(s.canvas, 600, 1000)
    grid.drawOn(s.canvas, 60, 480 - height)
    s.canvas.setFont("Helvetica-Bold", 14)
    s.canvas.drawString(60, 500, "Levels by quarter")
    s.canvas.restoreState()
    return s


@page
def table_two_pages(new):
    s = new()
    rows = [[f"{2000 + n}", f"{3 + n % 7}", f"{900 + 17 * n:,}"] for n in range(24)]
    s.flow(
        70,
        650,
        455,
        p("All counts since 2000:"),
        table([["Year", "Otters", "Trout"], *rows[:6]], [80, 80, 80], "grid", right=(1, 2)),
    )
    s.next()
    y = s.flow(70, 60, 455, table([["Year", "Otters", "Trout"], *rows[6:]], [80, 80, 80], "grid", right=(1, 2)))
    s.flow(70, y, 455, p("The count of 2001 is an estimate."))
    return s


@page
def timetable(new):
    s = new()
    s.text(60, 70, "Bus 14: Station – Weir – Moor", "Helvetica-Bold", 14)
    rows = [
        ["Station", "7:10", "8:10", "9:40", "12:10", "16:10", "18:05"],
        ["Market", "7:14", "8:14", "9:44", "12:14", "16:14", "18:09"],
        ["Weir", "7:25", "8:25", "–", "12:25", "16:25", "18:20"],
        ["Moor", "7:41", "8:41", "10:05", "12:41", "16:41", "–"],
    ]
    y = s.flow(60, 90, 475, table(rows, [90] + [55] * 6, head=False, right=range(1, 7)))
    s.flow(60, y, 475, p("Not on Sundays.", font="Helvetica", size=9))
    return s


@page
def calendar(new):
    s = new()
    days = [""] * 2 + [str(day) for day in range(1, 32)] + [""] * 2
    s.flow(
        70,
        70,
        455,
        h("May 2024", 15, "Helvetica-Bold"),
        table(
            [["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"], *[days[at : at + 7] for at in range(0, 35, 7)]],
            [55] * 7,
            "grid",
        ),
    )
    return s


@page
def table_beside_text(new):
    s = new()
    s.flow(
        60,
        80,
        200,
        p(
            "The trout are counted by the angling club in September, when the water is low and clear, over three"
            " evenings. What is caught is measured and put back.",
            alignment=4,
        ),
    )
    s.flow(
        300,
        80,
        235,
        table(
            [["Year", "Trout", "Eels"], ["2021", "1,120", "14"], ["2022", "1,340", "11"], ["2023", "1,295", "9"]],
            [70, 70, 70],
            "grid",
            right=(1, 2),
        ),
    )
    return s


@page
def table_with_links(new):
    s = new()
    cell = lambda text: p(text, 0, font="Helvetica", size=9)  # noqa: E731
    rows = [
        ["Group", "Page"],
        [cell("<b>Otter Count</b>"), cell("<a href='https://example.org/otters' color='blue'>otters</a>")],
        [cell("Angling Club"), cell("<a href='https://example.org/anglers' color='blue'>anglers</a>")],
    ]
    s.flow(70, 70, 455, table(rows, [140, 140], "grid"))
    return s


@page
def log_file(new):
    s = new()
    s.lines(
        50,
        60,
        [
            "2024-01-14 03:12:07 INFO  gate 1 opened by keeper 4",
            "2024-01-14 03:12:09 WARN  level 4.85 above mark",
            "2024-01-14 03:40:51 INFO  gate 2 opened by keeper 4",
            "2024-01-14 06:02:33 ERROR sensor 3 gives no reading",
        ],
        font="Courier",
        size=8,
        leading=10,
    )
    return s


@page
def table_rules_at_intervals(new):
    """A rule after every third row, and before the totals."""
    s = new()
    rows = [
        ["County", "Permits", "Checks"],
        ["Alder", "18,870", "23,022"],
        ["Birch", "209", "3,062"],
        ["Cedar", "2,303", "12,382"],
        ["Elm", "3,298", "6,359"],
        ["Fir", "98", "41"],
        ["Hazel", "4,144", "19,784"],
        ["Total", "28,922", "64,650"],
    ]
    looks = [("LINEBELOW", (0, row), (-1, row), 0.6, "black") for row in (0, 3, 6, 7)]
    s.flow(
        70,
        70,
        455,
        table(
            rows,
            [110, 80, 80],
            right=(1, 2),
            pad=1,
            more=[*looks, ("BOX", (0, 0), (-1, -1), 0.6, "black"), ("LINEBEFORE", (1, 0), (-1, -1), 0.6, "black")],
        ),
    )
    return s


@page
def table_heads_of_groups(new):
    """As many rows that only head a group, shaded over all columns, as rows with cells; wrapped cells; brackets."""
    s = new()
    rows = [
        ["Code", "Rule", "What was found", "Report(s)"],
        ["1. Training", "", "", ""],
        ["2. Forced work", "", "", ""],
        ["3. Young workers", "", "", ""],
        ["Other", "No one under sixteen works on machines.", "The list of staff was not up to date.", "May 2003"],
        ["4. Health and safety", "", "", ""],
        ["Fire", "Doors open outwards and are never locked.", "One of nine doors was blocked.", "June 2003"],
        ["Water", "Drinking water is free.", "No finding.", "None"],
        ["5. Unions", "", "", ""],
    ]
    looks = [("BACKGROUND", (0, at), (-1, at), "#c8d840") for at in (1, 2, 3, 5, 8)]
    looks += [("FONT", (0, at), (0, at), "Helvetica-Bold", 8, 10) for at in (1, 2, 3, 5, 8)]
    cells = [[p(cell, font="Helvetica", size=8, after=0) if cell and not cell[0].isdigit() else cell for cell in row]
             for row in rows[1:]]
    s.flow(50, 60, 500, table([rows[0], *cells], [100, 160, 150, 80], "grid", size=8, more=looks))
    return s


@page
def table_one_row(new):
    """A head above the first rule, one row, and a rule below it; the sums stand apart."""
    s = new()
    s.text(60, 70, "INVOICE", "Helvetica-Bold", 20)
    rows = [
        ["Description", "Quantity", "Price", "Tax", "Amount"],
        ["Board for the sill, planed", "2.00", "125.00", "9.25%", "250.00"],
    ]
    under = [("LINEBELOW", (0, row), (-1, row), 0.5, "black") for row in (0, 1)]
    y = s.flow(60, 110, 475, table(rows, [200, 70, 70, 60, 75], right=(1, 2, 3, 4), pad=5, more=under))
    sums = [["Net", "250.00"], ["Tax", "23.13"], ["Total", "273.13"]]
    s.flow(375, y + 6, 160, table(sums, [80, 80], right=(1,), head=False))
    return s


@page
def table_rule_above_rows(new):
    """A rule above each row: none above the head, and none below the last row."""
    s = new()
    rows = [
        ["", "2021", "2022e", "2023e", "2024e"],
        ["Tolls", "275.5", "295.6", "319.4", "330.7"],
        ["growth", "-14%", "7%", "8%", "4%"],
        ["Repairs", "8.8", "10.3", "12.2", "12.7"],
        ["Surplus", "0.43", "0.63", "0.80", "0.84"],
    ]
    above = [("LINEABOVE", (0, row), (-1, row), 0.5, "black") for row in range(1, 5)]
    y = s.flow(
        70,
        70,
        455,
        p("The bridge earned more than it cost in each of the last years, as the accounts show:"),
        table(rows, [110, 60, 60, 60, 60], right=(1, 2, 3, 4), more=above),
    )
    s.flow(70, y, 455, p("The surplus is in thousands."))
    return s


@page
def table_sums_ruled(new):
    """Rules above and below sums, under the numbers alone."""
    s = new()
    rows = [
        ["Year", "2001", "2002", "2003", "2004"],
        ["Tolls", "1", "10", "25", "62"],
        ["Mill", "22", "29", "37", "50"],
        ["Turnover", "23", "39", "62", "112"],
        ["Growth", "15%", "66%", "63%", "79%"],
        ["Keepers", "(43)", "(44)", "(45)", "(49)"],
        ["Repairs", "(27)", "(29)", "(30)", "(32)"],
        ["Profit", "(47)", "(34)", "(13)", "31"],
        ["Margin", "1%", "2%", "3%", "4%"],
    ]
    ruled = [("LINEABOVE", (1, row), (-1, row), 0.5, "black") for row in (3, 4, 7, 8)]
    s.flow(
        70,
        70,
        455,
        p("What the valley earned, and what it paid, since the new sluice was built by the society."),
        table(rows, [130, 50, 50, 50, 50], right=(1, 2, 3, 4), more=ruled),
    )
    return s


@page
def form_grid(new):
    """Boxes on all sides, most of them to be filled in."""
    s = new()
    rows = [["Day", "Gate", "Level", "Wind", "Read by"], *[[str(day), "", "", "", ""] for day in range(1, 7)]]
    rows[1][1:] = ["open", "2.10", "west", "Pike"]
    s.flow(70, 70, 455, h("Readings of the week", 14, "Helvetica-Bold"), table(rows, [50, 80, 80, 80, 120], "grid"))
    return s


@page
def table_without_head(new):
    """Numbered labels and what they say: the first rows are words, and no head."""
    s = new()
    rows = [
        ["1.", "Name:", "Weir Carpenters"],
        ["2.", "Seat:", "High Street, Truro"],
        ["3.", "Form:", "company of two"],
        ["4.", "Number:", "11981474"],
        ["5.", "Trade:", "sluices and gates"],
        ["6.", "Founded:", "27.10.2021"],
    ]
    s.flow(70, 70, 455, h("Annex to the accounts", 14, "Helvetica-Bold"), table(rows, [25, 110, 200], head=False))
    return s


@page
def list_between_rules(new):
    """A numbered list between two rules."""
    s = new()
    rows = [
        ["1.", "What the gate is and what it is for"],
        ["2.", "What must be known before it is opened"],
        ["3.", "How it is opened"],
        ["4.", "What may go wrong"],
    ]
    around = [("LINEABOVE", (0, 0), (-1, 0), 0.5, "black"), ("LINEBELOW", (0, -1), (-1, -1), 0.5, "black")]
    s.flow(
        70, 70, 455, h("This sheet says", 14, "Helvetica-Bold"), table(rows, [25, 220], head=False, more=around)
    )
    return s


@page
def table_labels_unruled(new):
    """Rules part the values and their head; the labels beside them have none, from the head down to the sum."""
    s = new()
    rows = [("", "Hours", "Rate", "Cost"), ("Parts", "", "", "2,100"), ("Body labour", "2", "150", "300"),
            ("Paint labour", "1.5", "150", "225"), ("Mechanical labour", "-", "-", "-"), ("Supplies", "", "", ""),
            ("Other charges", "", "", "15"), ("Sales tax", "", "10.20%", "278.46"), ("Grand total", "", "", "2,918")]
    left = (72, 232, 312, 392)
    for at, row in enumerate(rows):
        for x, text in zip(left, row):
            bold = x == 72 or at in (0, len(rows) - 1)
            s.text(x, 90 + 16 * at, text, "Helvetica-Bold" if bold else "Helvetica", 10)
    for y, start in ((77, 68), (94, 228), (206, 68), (222, 68)):
        s.rule(start, y, 480, y)
    for x, start in ((68, 77), (228, 94), (480, 77)):
        s.rule(x, start, x, 222)
    s.flow(72, 240, 400, p("Sums are in dollars and without obligation."))
    return s
