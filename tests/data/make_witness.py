#!/usr/bin/env python3
"""Writes witness.json beside this file: what pages say, and what OCR reads on scans of them.

    tests/data/make_witness.py target/release/bindery /usr/share/fonts [--scripts]

Pages: the sample, those of tests/golden/pages that have at least 200 letters in a script that the models read, and those of
witness_scripts.py in Greek, Chinese and Japanese. Each is drawn twice, these three times, and spoilt as scanners, copiers and
cameras do, in one of six ways each time, by seed. With --scripts only the last ones are made again. The test
`processor/llm/witness_set.rs` makes answers out of the texts and compares them with what was read.

Needs Pillow and NumPy from PyPI, Debian's poppler-utils and three packages of fonts, and installed OCR models. Takes about ten seconds of a core for a
scan.
"""

import io, json, os, pathlib, random, subprocess, sys, tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy
from PIL import Image, ImageFilter

import witness_scripts

HERE = pathlib.Path(__file__).parent
GOLDEN = HERE.parent / "golden" / "pages"
OTHER_SCRIPTS = {"arabic", "hebrew", "hebrew-table", "korean", "russian", "right-to-left"}
LEAST = 200


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


SCANS = {  # name -> pixels an inch, what becomes of the picture
    "clean": (200, lambda picture, _: picture),
    "noisy": (150, lambda picture, chance: noise(picture.filter(ImageFilter.GaussianBlur(0.6)), 28, chance)),
    "skewed": (200, lambda picture, chance: noise(skewed(picture, float(chance.uniform(-1.8, 1.8))), 10, chance)),
    "coarse": (100, lambda picture, chance: noise(picture, 8, chance)),
    "jpeg": (150, lambda picture, _: jpeg(picture, 18)),
    "faint": (200, lambda picture, chance: speckled(picture.point(lambda v: 150 + v * 90 // 255), 0.004, chance)),
}


def convert(bindery, path, *arguments):
    command = [bindery, "convert", path, "--json", "--data-dir", path.parent / f"{path.stem}-data", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return json.loads(done.stdout)


def letters(text):
    return sum(c.isalnum() for c in text)


def read(bindery, folder, name, draw, text, scan):
    dpi, spoil = SCANS[scan]
    picture = folder / f"{name}-{scan}.png"
    seed = random.Random(f"{name} {scan}").getrandbits(32)
    spoil(draw(dpi), numpy.random.default_rng(seed)).save(picture, dpi=(dpi, dpi))
    [seen] = convert(bindery, picture, "--processor", "ocr")
    sure = next((finding["detail"] for finding in seen["findings"] if finding["code"] == "ocr"), "")
    return {"page": name, "scan": scan, "sure": sure, "text": text, "ocr": seen.get("markdown") or ""}


def of_pdf(pdf, page):
    def draw(dpi):
        command = ["pdftoppm", "-gray", "-png", "-r", str(dpi), "-f", str(page), "-l", str(page), pdf]
        drawn = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
        return Image.open(io.BytesIO(drawn)).convert("L")
    return draw


def pages(bindery, folder):
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
        draw = lambda dpi, name=name: witness_scripts.drawn(name, fonts, dpi)
        yield name, draw, text, random.Random(name).sample(list(SCANS), 3)


def main(bindery, fonts, only_scripts):
    file = HERE / "witness.json"
    known = json.loads(file.read_text(encoding="utf-8")) if only_scripts else []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as threads:
        folder, reads = pathlib.Path(folder), []
        wanted = [] if only_scripts else list(pages(bindery, folder))
        for name, draw, text, scans in [*wanted, *pages_of_scripts(fonts)]:
            reads += [threads.submit(read, bindery, folder, name, draw, text, scan) for scan in scans]
        rows = [row for row in known if row["page"] not in witness_scripts.PAGES] + [row.result() for row in reads]
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    file.write_text(f"[\n{lines}\n]\n", encoding="utf-8")
    print(len(rows), "scans")


if __name__ == "__main__":
    main(os.path.abspath(sys.argv[1]), sys.argv[2], "--scripts" in sys.argv[3:])
