"""Pictures: figures with captions, in columns, in strips, in steps; and pictures that are none."""

import io

from PIL import Image
from reportlab.lib.utils import ImageReader

from kinds.prose import MILLS, OTTERS, RIVER
from sheet import h, item, p, page


def plan(width, height, shade=0):
    """Something like a map: bands and squares in a few colours."""
    colours = [(255, 255, 255), (30, 60 + shade, 120), (200, 160, 40 + shade), (20, 20, 20)]
    image = Image.new("RGB", (width, height))
    image.putdata([colours[(x // 11 + y // 7 + (x * y) // 900) % 4] for y in range(height) for x in range(width)])
    return image


def draw(sheet, image, x, y, width, height):
    data = io.BytesIO()
    image.save(data, "PNG")
    data.seek(0)
    sheet.canvas.drawImage(ImageReader(data), x, sheet.height - y - height, width, height)


@page
def figure_with_caption(new):
    s = new()
    y = s.flow(70, 70, 455, h("The River", 18), p(RIVER, alignment=4))
    draw(s, plan(300, 160), 120, y + 4, 300, 160)
    y = s.flow(120, y + 170, 300, p("Figure 1: The river and its mills. North is at the top.", size=9))
    s.flow(70, y + 6, 455, p(MILLS, alignment=4), p(OTTERS, alignment=4))
    return s


@page
def figures_in_columns(new):
    """The text goes on around a figure, from one column into the other; two parts have one caption."""
    s = new()
    y = s.flow(60, 70, 225, p(RIVER, alignment=4))
    draw(s, plan(200, 100, 40), 60, y + 4, 225, 110)
    y = s.flow(60, y + 122, 225, p("<b>Fig. 1.</b> The weir in August.", size=9))
    s.flow(60, y + 8, 225, p(MILLS, alignment=4), p(OTTERS, alignment=4))
    draw(s, plan(100, 100, 80), 310, 72, 105, 105)
    draw(s, plan(100, 100, 120), 430, 72, 105, 105)
    y = s.flow(310, 184, 225, p("<b>Fig. 2.</b> Tracks below the weir, before and after the flood of that winter.", size=9))
    s.flow(310, y + 8, 225, p(OTTERS, alignment=4), p(RIVER, alignment=4))
    return s


@page
def figure_in_strips(new):
    """Printer drivers cut pictures into strips."""
    s = new()
    y = s.flow(70, 70, 455, p(RIVER, alignment=4))
    whole = plan(240, 160, 60)
    for strip in range(16):
        draw(s, whole.crop((0, strip * 10, 240, strip * 10 + 10)), 150, y + 10 + strip * 10, 240, 10)
    s.flow(70, y + 190, 455, p(MILLS, alignment=4))
    return s


@page
def steps_with_pictures(new):
    s = new()
    y = s.flow(70, 70, 455, h("How to open the lock", 15), item("Lift the first paddle.", "1."))
    draw(s, plan(160, 80, 20), 90, y + 2, 160, 80)
    y = s.flow(70, y + 92, 455, item("Wait until the water is level.", "2."))
    draw(s, plan(160, 80, 90), 90, y + 2, 160, 80)
    s.flow(70, y + 92, 455, item("Open the gate.", "3."), p("Close it behind you."))
    return s


@page
def pictures_that_are_no_figures(new):
    """A letterhead, a ground that text stands on, an icon, a border, and a white box."""
    s = new()
    draw(s, plan(120, 50), 60, 30, 120, 50)
    draw(s, Image.new("RGB", (400, 300), (235, 240, 250)), 60, 120, 475, 220)
    pale = plan(300, 200).point(lambda value: 220 + value // 8)
    draw(s, pale, 60, 120, 475, 220)
    s.flow(80, 130, 435, *[p(text, alignment=4, size=12, leading=17) for text in (RIVER, MILLS, OTTERS)])
    draw(s, plan(20, 20), 60, 380, 20, 20)
    s.flow(90, 380, 445, p(MILLS))
    draw(s, plan(500, 8), 60, 450, 475, 8)
    draw(s, Image.new("RGB", (200, 200), (255, 255, 255)), 60, 480, 200, 200)
    s.flow(60, 480, 475, p(OTTERS))
    return s
