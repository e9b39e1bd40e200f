#!/usr/bin/env python3
"""Writes the PDFs in pages/ beside this file: pages of many kinds.

The Markdown that is right for each stands in right/, or in known/ where Bindery does not read it so yet.

    tests/golden/make.py [NAME…]

Needs ReportLab, Pillow, arabic-reshaper and python-bidi from PyPI, and Debian's fonts-dejavu. The PDFs are kept, as other
versions of these draw other ones. What is right was judged by eye, beside the page's picture. An end of a line that the
page means is a backslash; heading levels follow the size of the letters.
"""

import pathlib
import sys

from kinds import business, figures, lists, prose, scripts, special, tables  # noqa: F401 (they register their pages)
from sheet import PAGES, Sheet

OUT = pathlib.Path(__file__).with_name("pages")
OUT.mkdir(exist_ok=True)
for name, draw in PAGES.items():
    if name in sys.argv[1:] or len(sys.argv) == 1:
        sheet = draw(lambda **more: Sheet(OUT / f"{name}.pdf", **more))
        sheet.save()
