"""Invoices, letters, statements, contracts, forms."""

from reportlab.lib.units import mm

from sheet import h, item, p, page, table

HEAD = ["Pos", "Article", "Quantity", "Price", "Amount"]
GOODS = [
    ["1", "Oak shelf, 80 cm", "2", "49.50", "99.00"],
    ["2", "Brass hook", "12", "3.20", "38.40"],
    ["3", "Wood oil, 1 litre", "1", "18.75", "18.75"],
]


@page
def invoice_ruled(new):
    s = new()
    s.flow(60, 60, 300, h("Harbour Joinery", 18, "Helvetica-Bold"))
    s.lines(60, 95, ["Quay 4, 21073 Hamburg", "VAT no. DE 811 223 344"], font="Helvetica", size=9)
    s.lines(60, 140, ["Meyer & Sons", "Garden Road 17", "22041 Hamburg"], font="Helvetica", size=10)
    s.flow(60, 195, 300, h("Invoice 2024-0117", 14, "Helvetica-Bold"))
    y = s.flow(
        60,
        230,
        475,
        p("We delivered on 3 May 2024 and thank you for your order.", font="Helvetica", size=10),
        table([HEAD, *GOODS], [35, 200, 70, 80, 80], "grid", right=(2, 3, 4)),
    )
    s.flow(
        60,
        y,
        475,
        p("Please pay 156.15 EUR within 14 days to IBAN DE02 1203 0000 0000 2020 51.", font="Helvetica", size=10),
    )
    return s


@page
def invoice_open(new):
    """Rules between columns, none between rows; the totals in a box of their own."""
    s = new()
    s.text(60, 80, "INVOICE", "Helvetica-Bold", 20)
    s.lines(380, 72, ["No. 7731", "Date: 12 March 2024", "Customer: K-2208"], font="Helvetica", size=9)
    y = s.flow(
        60,
        130,
        475,
        table(
            [HEAD, *GOODS, ["4", "Delivery", "1", "12.00", "12.00"]], [35, 200, 70, 80, 80], "columns", right=(2, 3, 4)
        ),
    )
    y = s.flow(
        365,
        y + 6,
        160,
        table(
            [["Net", "168.15"], ["VAT 19 %", "31.95"], ["Total", "200.10"]], [80, 80], "grid", right=(1,), head=False
        ),
    )
    s.flow(60, y + 10, 475, p("Payment is due on 26 March 2024.", font="Helvetica", size=10))
    return s


@page
def invoice_two_pages(new):
    """Letterhead and footer on both pages, the table goes on."""
    s = new()
    rows = [
        [str(n), f"Service visit, week {n + 10}", f"{n + 1}.5", "64.00", f"{64 * (n + 1.5):.2f}"] for n in range(1, 17)
    ]
    for number, part in ((1, rows[:10]), (2, rows[10:])):
        s.text(60, 50, "Lift & Crane Service Ltd", "Helvetica-Bold", 12)
        s.text(60, 64, "11 Dock Street, Leith · VAT GB 229 4410 07", "Helvetica", 8)
        if number == 1:
            s.text(60, 105, "Invoice 5520", "Helvetica", 10)
        y = s.flow(
            60,
            120,
            475,
            table(
                [["No", "Service", "Hours", "Rate", "Amount"], *part], [35, 200, 70, 80, 80], "grid", right=(2, 3, 4)
            ),
        )
        s.text(297, 810, f"Page {number} of 2", "Helvetica", 8, "centre")
        if number == 1:
            s.next()
    s.text(525, y + 14, "Total 10,240.00", "Helvetica-Bold", 10, "right")
    return s


@page
def letter(new):
    s = new()
    s.lines(535, 60, ["Anna Reed", "8 Chapel Walk", "Leeds LS2 7EH"], align="right")
    s.lines(60, 130, ["Mr Thomas Hale", "City Library", "1 Market Square", "York YO1 8SG"])
    s.text(535, 205, "14 October 2023", align="right")
    s.text(60, 235, "Opening hours in winter", "Times-Bold", 11)
    y = s.flow(
        60,
        250,
        475,
        p("Dear Mr Hale,"),
        p(
            "Since the first of October the reading room closes at five. Many of us work until then and have come to"
            " the library in the evening for years, to read the papers or to borrow a book for the weekend."
        ),
        p(
            "May I ask you to keep the room open until seven on at least two days of the week? I should be glad to help"
            " to find the volunteers who would be needed for that."
        ),
    )
    s.lines(60, y + 12, ["Yours sincerely,", "", "Anna Reed"])
    return s


@page
def letter_with_references(new):
    s = new()
    s.text(60, 50, "Northern Water plc", "Helvetica-Bold", 13)
    s.text(60, 115, "Northern Water plc · Mill Lane 2 · Durham DH1 3AA", "Helvetica", 6.5)
    s.lines(60, 132, ["Mrs Ellen Marsh", "Flat 3", "29 Station Road", "Durham DH1 4XY"], font="Helvetica", size=10)
    for x, label, value in (
        (60, "Your reference", "EM 12/4"),
        (220, "Our reference", "NW-88120"),
        (380, "Date", "2 May 2024"),
    ):
        s.text(x, 220, label, "Helvetica", 7)
        s.text(x, 232, value, "Helvetica", 10)
    s.text(60, 265, "Your water meter", "Helvetica-Bold", 11)
    s.flow(
        60,
        280,
        475,
        *[
            p(text, font="Helvetica", size=10)
            for text in (
                "Dear Mrs Marsh,",
                (
                    "Thank you for your reading of 418 cubic metres. We have put it into your account, and the next"
                    " bill will be based on it."
                ),
                (
                    "You need not do anything else. Should the figure be wrong, please call us on 0191 498 0200 "
                    "before 17 May."
                ),
                "Kind regards,",
            )
        ],
    )
    return s


@page
def receipt(new):
    """Narrow, prices at the right edge."""
    s = new(size=(80 * mm, 150 * mm))
    s.text(113, 30, "CORNER BAKERY", "Helvetica-Bold", 12, "centre")
    s.text(113, 44, "5 Bridge Street", "Helvetica", 8, "centre")
    y = 70
    for name, price in (
        ("Rye bread", "3.80"),
        ("2 x Butter roll", "1.60"),
        ("Apple cake", "2.90"),
        ("Coffee, large", "3.40"),
    ):
        s.text(15, y, name, "Helvetica", 9)
        s.text(212, y, price, "Helvetica", 9, "right")
        y += 13
    s.rule(15, y - 6, 212, y - 6)
    s.text(15, y + 8, "Total", "Helvetica-Bold", 9)
    s.text(212, y + 8, "11.70", "Helvetica-Bold", 9, "right")
    s.text(113, y + 40, "Thank you for your visit!", "Helvetica", 8, "centre")
    return s


@page
def payslip(new):
    s = new()
    s.text(60, 70, "Pay advice", "Helvetica-Bold", 15)
    for y, left, right in (
        (100, ("Employee", "10044"), ("Month", "April 2024")),
        (114, ("Name", "Jan Dekker"), ("Tax code", "1257L")),
        (128, ("Department", "Stores"), ("Paid on", "30 April 2024")),
    ):
        for x, (label, value) in ((60, left), (320, right)):
            s.text(x, y, f"{label}:", "Helvetica", 9)
            s.text(x + 90, y, value, "Helvetica-Bold", 9)
    s.flow(
        60,
        150,
        475,
        table(
            [
                ["Payment", "Units", "Rate", "Amount"],
                ["Basic pay", "160.00", "17.20", "2,752.00"],
                ["Overtime", "6.50", "25.80", "167.70"],
                ["Shift bonus", "", "", "85.00"],
            ],
            [180, 80, 80, 100],
            "lines",
            right=(1, 2, 3),
        ),
    )
    s.text(320, 250, "Net pay", "Helvetica-Bold", 11)
    s.text(500, 250, "2,410.55", "Helvetica-Bold", 11, "right")
    return s


@page
def bank_statement(new):
    s = new()
    s.text(60, 60, "Statement of account", "Helvetica-Bold", 15)
    s.lines(60, 85, ["Account 0044 1172 90", "1 to 31 January 2024"], font="Helvetica", size=9)
    rows = [
        ["Date", "Details", "Out", "In", "Balance"],
        ["02 Jan", "Balance brought forward", "", "", "1,204.11"],
        ["03 Jan", "Card payment\nCOOP STORE 2214", "34.90", "", "1,169.21"],
        ["08 Jan", "Standing order, rent", "720.00", "", "449.21"],
        ["15 Jan", "Transfer from\nM. HOLLAND", "", "60.00", "509.21"],
        ["31 Jan", "Salary", "", "1,980.00", "2,489.21"],
    ]
    s.flow(60, 115, 475, table(rows, [55, 190, 70, 70, 80], "lines", right=(2, 3, 4)))
    return s


@page
def order_confirmation(new):
    """Short lines with a label, which keep their ends."""
    s = new()
    s.text(60, 70, "Order confirmation", "Helvetica-Bold", 16)
    s.lines(
        60,
        100,
        [
            "Order number: 88-20417",
            "Ordered on: 4 June 2024",
            "Ship to: Paula Winter, 3 Elm Court, Bath BA1 2LP",
            "Carrier: Parcel Post",
            "Delivery: 7 to 9 June",
        ],
        font="Helvetica",
        size=10,
        leading=14,
    )
    s.flow(
        60,
        180,
        475,
        p(
            "We send you a message as soon as the parcel is on its way. If nobody is at home it will be left with "
            "a neighbour, or taken to the nearest shop that keeps parcels.",
            font="Helvetica",
            size=10,
        ),
    )
    return s


@page
def contract(new):
    s = new()
    y = s.flow(
        60,
        60,
        475,
        h("Lease Agreement", 16, alignment=1),
        h("1. The flat", 12),
        p("1.1 The owner lets the flat on the second floor of 14 Mill Street to the tenant."),
        p(
            "1.2 The flat has two rooms, a kitchen and a bath, together 58 square metres, and a cellar room whose"
            " number is on the key."
        ),
        h("2. Rent", 12),
        p("2.1 The rent is 640 EUR a month. It is due on the third working day of each month."),
        p("2.2 The rent covers:"),
    )
    y = s.flow(
        80,
        y,
        455,
        item("water and waste water;", "(a)"),
        item("the cleaning of the stairs;", "(b)"),
        item("the lift, as far as it is in service.", "(c)"),
    )
    s.flow(
        60,
        y + 4,
        475,
        p("2.3 Heating is paid to the supplier, not to the owner."),
        h("3. Notice", 12),
        p("3.1 Each side may give three months' notice in writing."),
    )
    return s


@page
def minutes(new):
    s = new()
    s.flow(
        60,
        60,
        475,
        h("Minutes of the board meeting", 16),
        p("<b>Date:</b> 11 September 2023, 18:00"),
        p("<b>Present:</b> A. Okafor (chair), B. Lind, C. Marsh"),
        p("<b>Excused:</b> D. Petrov"),
        h("1 Accounts", 12),
        p(
            "B. Lind presented the accounts of the second quarter. The surplus of 4,310 is due to the sale of the old"
            " van. The board approved the accounts with three votes."
        ),
        h("2 Roof of the boat house", 12),
        p("Two offers came in. The board prefers the second one, which includes the gutters."),
        p("<b>Action:</b> C. Marsh orders the work by 20 September."),
        h("3 Any other business", 12),
        p("None."),
    )
    return s


@page
def form_lines(new):
    """A blank form: labels with lines to write on."""
    s = new()
    s.text(60, 70, "Application for membership", "Helvetica-Bold", 15)
    for at, label in enumerate(("First name", "Surname", "Street and number", "Postcode and town", "Date of birth")):
        s.text(60, 110 + 26 * at, label, "Helvetica", 10)
        s.rule(190, 112 + 26 * at, 520, 112 + 26 * at)
    s.flow(
        60,
        245,
        475,
        p(
            "I have read the rules of the club and accept them. The yearly fee of 40 EUR may be collected from my "
            "account until I withdraw this permission.",
            font="Helvetica",
            size=10,
        ),
    )
    s.rule(60, 330, 230, 330)
    s.rule(300, 330, 520, 330)
    s.text(60, 342, "Place, date", "Helvetica", 8)
    s.text(300, 342, "Signature", "Helvetica", 8)
    return s


@page
def form_check_boxes(new):
    s = new()
    s.text(60, 70, "Booking", "Helvetica-Bold", 15)
    form = s.canvas.acroForm
    s.text(60, 100, "Name", "Helvetica", 10)
    form.textfield(name="name", value="Ruth Adler", x=160, y=s.height - 106, width=200, height=18, fontSize=10)
    s.text(60, 130, "What do you need?", "Helvetica", 10)
    for at, (label, checked) in enumerate((("Breakfast", True), ("Parking place", False), ("Cot for a child", True))):
        form.checkbox(name=label, checked=checked, x=60, y=s.height - 156 - 20 * at, size=12)
        s.text(80, 154 + 20 * at, label, "Helvetica", 10)
    s.text(60, 230, "Payment", "Helvetica", 10)
    for at, label in enumerate(("Card", "Cash")):
        form.radio(name="payment", value=label, selected=at == 0, x=160 + 90 * at, y=s.height - 233, size=12)
        s.text(178 + 90 * at, 230, label, "Helvetica", 10)
    return s


@page
def certificate(new):
    s = new(size=(842, 595))
    for y, text, font, size in (
        (140, "CERTIFICATE", "Times-Bold", 36),
        (200, "This is to certify that", "Times-Roman", 14),
        (245, "Miriam Castell", "Times-Bold", 26),
        (285, "has completed the course", "Times-Roman", 14),
        (320, "Bookbinding for Beginners", "Times-Italic", 18),
        (360, "on 22 November 2023", "Times-Roman", 14),
    ):
        s.text(421, y, text, font, size, "centre")
    s.text(150, 480, "P. Quist, teacher", size=11)
    s.text(690, 480, "R. Amiel, head of school", size=11, align="right")
    return s


@page
def address_labels(new):
    s = new()
    people = [
        ("Ms Ivy Brook", "2 High Street", "Truro TR1 2AA"),
        ("Mr Paul Dunn", "40 Abbey Road", "Bath BA2 5JR"),
        ("Dr Carla Esposito", "Flat 9, The Maltings", "Ely CB7 4EA"),
        ("Mr Sven Falk", "17 Ferry Lane", "Hull HU1 1PS"),
        ("Ms Gwen Hughes", "Bron Haul", "Bala LL23 7YE"),
        ("Mr Omar Idris", "6 Castle Mews", "Lewes BN7 1XA"),
    ]
    for at, lines in enumerate(people):
        s.lines(60 + 250 * (at % 2), 80 + 90 * (at // 2), lines, font="Helvetica", size=10)
    return s


@page
def price_list(new):
    """Groups of prices with dots that lead to them."""
    s = new()
    s.text(60, 70, "Price list 2024", "Helvetica-Bold", 16)
    y = 100
    for group, goods in (
        ("Repairs", [("Puncture", "8.00"), ("New brake cable", "14.50"), ("Wheel, trued", "19.00")]),
        ("Rental, a day", [("City bicycle", "12.00"), ("Cargo bicycle", "29.00"), ("Trailer", "9.00")]),
    ):
        s.text(60, y, group, "Helvetica-Bold", 12)
        for name, price in goods:
            y += 16
            s.text(60, y, name, "Helvetica", 10)
            start = 66 + s.canvas.stringWidth(name, "Helvetica", 10)
            s.text(455, y, "." * int((455 - start) / 2.78), "Helvetica", 10, "right")
            s.text(500, y, price, "Helvetica", 10, "right")
        y += 30
    return s


@page
def curriculum_vitae(new):
    """Years to the left of what they are about."""
    s = new()
    s.text(60, 70, "Helena Brandt", "Helvetica-Bold", 20)
    s.text(60, 86, "helena.brandt@example.org · +45 32 55 01 44", "Helvetica", 9)
    y = 100
    for title, entries in (
        (
            "Experience",
            [
                (
                    "2019–2024",
                    (
                        "Head of conservation, Maritime Museum, Aarhus. Led a team of six and the "
                        "move of 14,000 objects into the new store."
                    ),
                ),
                ("2014–2019", "Conservator, National Library, Copenhagen. Paper and parchment."),
            ],
        ),
        (
            "Education",
            [
                ("2012–2014", "MA in conservation, School of Conservation, Copenhagen."),
                ("2009–2012", "BSc in chemistry, University of Kiel."),
            ],
        ),
    ):
        y = s.flow(60, y + 10, 475, h(title, 13, "Helvetica-Bold"))
        for years, what in entries:
            s.text(60, y + 10, years, "Helvetica", 10)
            y = s.flow(140, y, 395, p(what, font="Helvetica", size=10))
    return s
