#!/usr/bin/env python3
"""Writes the scans beside this file, in scans/: pages that only their fonts can draw.

    tests/data/make_scans.py /usr/share/fonts

vertical.png is Japanese in columns, from top to bottom and from right to left; lying.png the same in lines, on a page that lies
on its side; korean.png is English with two lines in Korean between. Needs Pillow from PyPI, and Debian's fonts-ipafont-mincho,
fonts-nanum and fonts-dejavu-core.
"""

import pathlib, sys

from PIL import Image, ImageDraw, ImageFont

HERE = pathlib.Path(__file__).parent / "scans"
DPI = 200
SIZE = 36  # pixels: 13 points
JAPANESE = "委員会は三月十四日に閲覧室で開かれ新しい建物のための予算を承認した出席した委員は九人で二人は欠席し書面で意見を送った会議は館長が進め書記が記録し"
KOREAN = [
    "The committee met on 14 March 2026",
    "위원회는 새 도서관을 위한 예산을 승인하였다",
    "and approved a budget for the library.",
    "공사는 가을에 시작되고 옛 건물은 열려 있다",
    "Work begins in autumn.",
]


def page(width, height):
    picture = Image.new("L", (width, height), 255)
    return picture, ImageDraw.Draw(picture)


def save(picture, name):
    picture.point(lambda value: 255 * (value > 150)).convert("1").save(HERE / name, dpi=(DPI, DPI), optimize=True)


def main(fonts):
    HERE.mkdir(exist_ok=True)
    mincho = ImageFont.truetype(f"{fonts}/opentype/ipafont-mincho/ipam.ttf", SIZE)
    rows = [JAPANESE[at:at + 18] for at in range(0, len(JAPANESE), 18)]
    picture, draw = page(700, 1000)
    for column, row in enumerate(rows):
        for at, sign in enumerate(row):
            draw.text((560 - column * 64, 120 + at * (SIZE + 2)), sign, font=mincho, fill=0)
    save(picture, "vertical.png")
    picture, draw = page(1000, 700)
    for line, row in enumerate(rows):
        draw.text((120, 120 + line * 64), row, font=mincho, fill=0)
    save(picture.rotate(-90, expand=True), "lying.png")
    picture, draw = page(1200, 700)
    latin = ImageFont.truetype(f"{fonts}/truetype/dejavu/DejaVuSerif.ttf", 33)
    hangul = ImageFont.truetype(f"{fonts}/truetype/nanum/NanumMyeongjo.ttf", 33)
    for line, text in enumerate(KOREAN):
        draw.text((120, 120 + line * 66), text, font=latin if text.isascii() else hangul, fill=0)
    save(picture, "korean.png")


main(sys.argv[1])
