#!/usr/bin/env python3
"""Writes witness.json beside this file: what pages say, and what OCR reads on scans of them.

    tests/data/make_witness.py target/release/bindery /usr/share/fonts [--more]

Pages: the sample, those of tests/golden/pages that have at least 200 letters in a script that the models read, those of
witness_scripts.py in Greek, Chinese and Japanese, and those of witness_pages.py in 15 languages with Latin letters. Each is
drawn several times, and spoilt each time as scanners, copiers and cameras do, in one of twelve ways, by seed. With --more,
scans that witness.json has of pages that still say the same are not read again. The test `processor/llm/witness_tests.rs` makes
answers out of the texts and compares them with what was read.

Needs Pillow and NumPy from PyPI, Debian's poppler-utils and the packages of fonts that both modules name, and installed OCR
models. Takes about ten seconds of a core for a scan.
"""

import io, json, os, pathlib, random, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy
from PIL import Image

import witness_pages, witness_scripts
from witness_drawing import MORE_SCANS, SCANS, drawn

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "pages"
OTHER_SCRIPTS = {"arabic", "hebrew", "hebrew-table", "korean", "russian", "right-to-left"}
LEAST = 200


def convert(bindery, path, *arguments):
    command = [bindery, "convert", path, "--json", "--data-dir", path.parent / f"{path.stem}-data", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout)


def letters(text):
    return sum(c.isalnum() for c in text)


def read(bindery, folder, name, draw, text, scan):
    dpi, spoil = {**SCANS, **MORE_SCANS}[scan]
    picture = folder / f"{name}-{scan}.png"
    seed = random.Random(f"{name} {scan}").getrandbits(32)
    spoil(draw(dpi), numpy.random.default_rng(seed)).save(picture, dpi=(dpi, dpi))
    [seen] = convert(bindery, picture, "--processor", "ocr")
    sure = next((finding["detail"] for finding in seen["findings"] if finding["code"] == "ocr"), "")
    return {"page": name, "scan": scan, "sure": sure, "text": text, "ocr": seen.get("markdown") or ""}


def of_pdf(pdf, page):
    def draw(dpi):
        command = ["pdftoppm", "-gray", "-png", "-r", str(dpi), "-f", str(page), "-l", str(page), pdf]
        rendered = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        return Image.open(io.BytesIO(rendered)).convert("L")
    return draw


def pages_of_pdfs(bindery, folder):
    for pdf in [HERE / "sample.pdf", *sorted(GOLDEN.glob("*.pdf"))]:
        if pdf.stem in OTHER_SCRIPTS:
            continue
        link = folder / pdf.name
        link.symlink_to(pdf)
        for page in convert(bindery, link, "--processor", "text"):
            text = page.get("markdown") or ""
            if letters(text) >= LEAST:
                number = page["page"]
                scans = random.Random(f"{pdf.stem} {number}").sample(list(SCANS), 2)
                yield f"{pdf.stem}-{number}", of_pdf(pdf, number), text, scans


def pages_of_scripts(fonts):
    for name, text in witness_scripts.PAGES.items():
        font = f"{fonts}/{witness_scripts.FONTS[name.split('-')[0]]}"
        draw = lambda dpi, text=text, font=font: drawn(text, font, dpi)
        yield name, draw, text, random.Random(name).sample(list(SCANS), 3)


def made_pages(fonts):
    for name, (font, columns, text) in witness_pages.PAGES.items():
        font = f"{fonts}/{witness_pages.FONTS[font]}"
        draw = lambda dpi, text=text, font=font, columns=columns: drawn(text, font, dpi, columns)
        chance = random.Random(name)
        yield name, draw, text, [*chance.sample(list(SCANS), 1), *chance.sample(list(MORE_SCANS), 3)]


def main(bindery, fonts, only_more):
    file = HERE / "witness.json"
    rows = json.loads(file.read_text(encoding="utf-8")) if only_more else []
    known = {(row["page"], row["scan"], row["text"]): row for row in rows}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as threads:
        folder, rows = pathlib.Path(folder), []
        for name, draw, text, scans in [*pages_of_pdfs(bindery, folder), *pages_of_scripts(fonts), *made_pages(fonts)]:
            for scan in scans:
                row = known.get((name, scan, text))
                read_now = lambda scan=scan, page=(name, draw, text): read(bindery, folder, *page, scan)
                rows.append(threads.submit((lambda row=row: row) if row else read_now))
        rows = [row.result() for row in rows]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(len(rows), "scans")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2], "--more" in sys.argv[3:])
