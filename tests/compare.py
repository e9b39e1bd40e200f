#!/usr/bin/env python3
"""Measures Bindery's reading and splitting of PDFs against other tools, on the same files in the same run.

    tests/compare.py                          everything, with target/release/bindery
    tests/compare.py text tables              only these parts
    tests/compare.py text --worst 15 --only octave --bindery target/debug/bindery
    tests/compare.py icdar --icdar DIR        tables of the ICDAR 2013 competition
    tests/compare.py paragraphs --extra DIR   with PDFs of one's own
    tests/compare.py auto --extra DIR         decisions of auto on pages that were judged by eye

Documents: the corpus (the folder BINDERY_CORPUS, default ../shared/corpus, with its MANIFEST.csv, without the hostile
files), manuals and samples out of Debian packages, and each *.pdf below --extra DIR. Needs Debian and Python 3.11;
installs poppler-utils, qpdf and its Python peers. These, packages and the peers' answers are kept in a folder
bindery-peers below the temporary one; delete it to start afresh.

Parts: text, headings, tables, icdar, paragraphs, pictures, auto, speed, split. What each measures stands at the top of its
file in tests/compare/. Text looks at 30 pages of each manual and sample at most, evenly spread, headings also at 30 with
bookmarks, paragraphs at five of each document, auto at the pages that tests/compare/auto.csv names. A tool that takes more
than --timeout seconds for a file, dies or refuses the file is counted under "trouble".
"""

import argparse, os, sys
from pathlib import Path

def main():
    from compare.auto import auto
    from compare.common import ROOT, install, options
    from compare.headings import headings
    from compare.icdar import icdar
    from compare.paragraphs import paragraphs
    from compare.pictures import pictures
    from compare.speed import speed, split
    from compare.tables import tables
    from compare.text import text
    parts = {part.__name__: part for part in (text, headings, tables, icdar, paragraphs, pictures, auto, speed, split)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(parts) + "; without one, all")
    parser.add_argument("--bindery", type=os.path.abspath, default=ROOT / "target/release/bindery", metavar="PATH")
    parser.add_argument("--extra", type=Path, action="append", default=[], metavar="DIR", help="a folder with more PDFs")
    parser.add_argument("--icdar", type=Path, default=os.environ.get("BINDERY_ICDAR"), metavar="DIR",
                        help="a folder with the ICDAR 2013 documents (default BINDERY_ICDAR)")
    parser.add_argument("--only", default="", metavar="TEXT", help="only documents with this in their name")
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="list the N worst pages of a part")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of which the median is taken")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for one tool on one file")
    parser.parse_args(namespace=options)
    if not os.path.exists(options.bindery) or not set(options.parts) <= set(parts):
        parser.error(f"there must be a program {options.bindery}, and each PART one of {', '.join(parts)}")
    install()
    for name, part in parts.items():
        if name in (options.parts or parts):
            part()

if __name__ == "__main__":
    if sys.argv[1:2] == ["--in-venv"]:
        from compare.in_venv import answer
        answer(*sys.argv[2:])
    else:
        main()
