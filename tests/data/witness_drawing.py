"""How make_witness.py draws pages that it has as Markdown, and what scanners, copiers and cameras make of them."""

import io
import re

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

A4 = (8.27, 11.69)  # inches
MARGIN = 0.9
GUTTER = 0.4
COLUMN = 0.62  # how far down columns go


def lines_of(text, font, width):
    """The lines that a paragraph takes: broken at spaces, or where there are none between any two signs but within numbers."""
    parts = text.split(" ") if " " in text else re.findall(r"[0-9.]+|.", text)
    joint = " " if " " in text else ""
    line = ""
    for part in parts:
        longer = line + joint + part if line else part
        if font.getlength(longer) > width and line:
            yield line
            longer = part
        line = longer
    yield line


def cells_of(table, font, width, dpi):
    """Where each cell of a table stands, row by row: three columns at fixed places, more by what they hold."""
    rows = [re.split(r" ?\| ?", row.strip("| ")) for row in table.split("\n") if not row.startswith("| -")]
    count = max(map(len, rows))
    begins = [column * round(2.3 * dpi) for column in range(count)]
    if count > 3:
        widths = [max(font.getlength(row[at]) for row in rows if at < len(row)) for at in range(count)]
        gap = (width - sum(widths)) / (count - 1)
        begins = [round(sum(widths[:at]) + at * gap) for at in range(count)]
    return [list(zip(begins, row)) for row in rows]


def drawn(text, font_file, dpi, columns=1):
    """A page as a gray picture."""
    size = tuple(round(side * dpi) for side in A4)
    picture = Image.new("L", size, 255)
    draw, left, top = ImageDraw.Draw(picture), round(dpi * MARGIN), round(dpi * MARGIN)
    gutter = round(dpi * GUTTER) if columns > 1 else 0
    width = (size[0] - 2 * left - gutter * (columns - 1)) // columns
    at = [left, top]

    def put(words, font, step, offset=0):
        if columns > 1 and at[0] == left and at[1] + step > size[1] * COLUMN:
            at[:] = [left + width + gutter, top]
        if at[1] + step > size[1]:
            raise ValueError("the page is full")
        draw.text((at[0] + offset, at[1]), words, font=font, fill=0)

    for block in text.split("\n\n"):
        hashes = len(block) - len(block.lstrip("#"))
        points = {0: 12 if columns == 1 else 14, 1: 20, 2: 15}[hashes]
        font = ImageFont.truetype(font_file, round(points / 72 * dpi))
        step = round(points * 1.6 / 72 * dpi)
        if block.startswith("|"):
            for row in cells_of(block, font, width, dpi):
                for offset, cell in row:
                    put(cell, font, step, offset)
                at[1] += step
        else:
            for paragraph in block.split("\n") if block.startswith("- ") else [block]:
                for line in lines_of(paragraph.lstrip("# "), font, width):
                    put(line, font, step)
                    at[1] += step
        at[1] += step // 2
    return picture


def noise(picture, sigma, chance):
    pixels = numpy.asarray(picture, dtype=float)
    pixels = pixels + chance.normal(0, sigma, pixels.shape)
    return Image.fromarray(numpy.clip(pixels, 0, 255).astype("uint8"))


def speckled(picture, share, chance):
    pixels = numpy.array(picture)
    pixels[chance.random(pixels.shape) < share] = 0
    pixels[chance.random(pixels.shape) < share] = 255
    return Image.fromarray(pixels)


def jpeg(picture, quality):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=quality)
    return Image.open(file).convert("L")


def skewed(picture, degrees):
    return picture.rotate(degrees, Image.BICUBIC, expand=False, fillcolor=255)


def photographed(picture, chance):
    """Seen a little from the side, and darker towards a corner."""
    width, height = picture.size
    moved = [float(chance.uniform(0, 0.025)) for _ in range(8)]
    corners = [
        (-moved[0] * width, -moved[1] * height), (-moved[2] * width, height * (1 + moved[3])),
        (width * (1 + moved[4]), height * (1 + moved[5])), (width * (1 + moved[6]), -moved[7] * height),
    ]
    tilted = picture.transform(picture.size, Image.QUAD, [at for corner in corners for at in corner], Image.BICUBIC, fillcolor=255)
    light = numpy.linspace(0.98, 0.72, width)[None, :] * numpy.linspace(1.0, 0.82, height)[:, None]
    pixels = numpy.asarray(tilted.filter(ImageFilter.GaussianBlur(0.7)), dtype=float) * light
    return noise(Image.fromarray(pixels.astype("uint8")), 6, chance)


def faxed(picture, chance):
    """Black and white, each row read off a little further left or right than the one before."""
    pixels = numpy.asarray(noise(picture, 20, chance)) > 140
    shifts = chance.integers(0, 2, pixels.shape[0])
    rows = [numpy.roll(row, shift) for row, shift in zip(pixels, shifts)]
    return Image.fromarray(numpy.array(rows).astype("uint8") * 255)


def copied(picture, chance):
    """A copy of a copy: letters grow fat, dirt, and the shadow of the lid along an edge."""
    for _ in range(2):
        picture = picture.filter(ImageFilter.GaussianBlur(1.1)).point(lambda v: 0 if v < 168 else 255)
    pixels = numpy.array(speckled(picture, 0.0008, chance))
    pixels[:, : round(pixels.shape[1] * 0.02)] = 30
    return Image.fromarray(pixels)


def shining_through(picture, chance):
    """Thin paper, printed on both sides."""
    back = numpy.asarray(picture.transpose(Image.FLIP_LEFT_RIGHT).filter(ImageFilter.GaussianBlur(1.5)), dtype=float)
    pixels = numpy.minimum(numpy.asarray(picture, dtype=float), 255 - (255 - back) * 0.22)
    return noise(Image.fromarray(pixels.astype("uint8")), 5, chance)


def turned(picture, chance):
    return picture.rotate(int(chance.choice([90, 180, 270])), expand=True)


def stamped(picture, chance):
    """A stamp across it, and lines under what a reader found important."""
    width, height = picture.size
    draw = ImageDraw.Draw(picture)
    for _ in range(4):
        left, top = chance.uniform(0.1, 0.5) * width, chance.uniform(0.08, 0.4) * height
        draw.line([(left, top), (left + width * 0.25, top + height * 0.004)], fill=90, width=max(2, width // 700))
    size = (round(width * 0.34), round(width * 0.1))
    stamp, inner = Image.new("L", size, 0), round(width * 0.006)
    pen = ImageDraw.Draw(stamp)
    pen.rectangle([inner, inner, size[0] - inner, size[1] - inner], outline=140, width=inner)
    pen.text((size[0] // 2, size[1] // 2), "RECEIVED", font=ImageFont.load_default(size[1] // 2), fill=140, anchor="mm")
    stamp = stamp.rotate(float(chance.uniform(-14, 14)), Image.BICUBIC, expand=True)
    place = (round(width * 0.55), round(height * float(chance.uniform(0.14, 0.3))))
    picture.paste(60, place, stamp)
    return picture


SCANS = {  # name -> pixels an inch, what becomes of the picture
    "clean": (200, lambda picture, _: picture),
    "noisy": (150, lambda picture, chance: noise(picture.filter(ImageFilter.GaussianBlur(0.6)), 28, chance)),
    "skewed": (200, lambda picture, chance: noise(skewed(picture, float(chance.uniform(-1.8, 1.8))), 10, chance)),
    "coarse": (100, lambda picture, chance: noise(picture, 8, chance)),
    "jpeg": (150, lambda picture, _: jpeg(picture, 18)),
    "faint": (200, lambda picture, chance: speckled(picture.point(lambda v: 150 + v * 90 // 255), 0.004, chance)),
}

MORE_SCANS = {
    "photographed": (150, photographed),
    "faxed": (200, faxed),
    "copied": (200, copied),
    "shining through": (150, shining_through),
    "turned": (150, turned),
    "stamped": (200, stamped),
}
