"""SSIM of gray pictures at 150 dpi to those of pdfium, in windows of 7 x 7 pixels; two pages of each document of the corpus,
five of the others. Needs cargo build --release --example pictures.
"""

import statistics, tempfile
from pathlib import Path

from .common import ask, corpus, extras, log, manuals, options, run, samples, show, spread

def picture_of(page, width, height):
    """As pdfium draws it, in gray, at 150 dpi, and not stretched to whole pixels, as it would do by itself."""
    import numpy, pypdfium2, pypdfium2.raw as raw
    bitmap = pypdfium2.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGRx)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
    scale = min(150 / 72, 2048 / max(page.get_size()))
    matrix, clip = raw.FS_MATRIX(scale, 0, 0, scale, 0, 0), raw.FS_RECTF(0, 0, width, height)
    raw.FPDF_RenderPageBitmapWithMatrix(bitmap, page, matrix, clip, raw.FPDF_ANNOT)
    if page.formenv:
        raw.FPDF_FFLDraw(page.formenv, bitmap, page, 0, 0, width, height, 0, raw.FPDF_ANNOT)
    return numpy.asarray(bitmap.to_pil().convert("L"), float)

def ssim(left, right):
    """Structural similarity (Wang 2004) of gray pictures, with even windows of 7 x 7."""
    import numpy
    def window(values):
        for axis in (0, 1):
            sums = numpy.cumsum(values, axis)
            sums = numpy.concatenate([numpy.zeros_like(sums.take([0], axis)), sums], axis)
            values = (sums.take(range(7, sums.shape[axis]), axis) - sums.take(range(sums.shape[axis] - 7), axis)) / 7
        return values
    x, y = window(left), window(right)
    xx, yy, xy = window(left * left) - x * x, window(right * right) - y * y, window(left * right) - x * y
    steady, small = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    scores = (2 * x * y + steady) * (2 * xy + small) / ((x * x + y * y + steady) * (xx + yy + small))
    return float(scores.mean())

def picture_scores(path, password, pages):
    """Of each page: its number, SSIM, the kind of Bindery's picture and its kB. Bindery's are in the folder."""
    import numpy, PIL.Image, pypdfium2
    folder, numbers = pages
    document, scores = pypdfium2.PdfDocument(path, password or None), []
    document.init_forms()
    for number in numbers:
        file = Path(folder, str(number))
        if not file.exists():
            scores.append([number, 0, "none", 0])
            continue
        picture = PIL.Image.open(file)
        gray = numpy.asarray(picture.convert("RGB").convert("L"), float)
        if min(picture.size) >= 7:
            score = ssim(gray, picture_of(document[number - 1], *picture.size))
            scores.append([number, score, f"{picture.format} {picture.mode}", file.stat().st_size / 1000])
    return scores

def pictures():
    example, scores, rows = Path(options.bindery).parent / "examples" / "pictures", [], []
    if not example.exists():
        return log("pictures: there is no program", example)
    for doc in corpus() + manuals() + samples() + extras():
        log("pictures", doc.name)
        numbers = spread(len(ask("pdfium", doc)["pages"]))
        numbers = numbers[:2] if doc.group == "corpus" else numbers[::6]
        if not numbers:
            continue
        with tempfile.TemporaryDirectory() as folder:
            run("bindery", [example, doc.path, folder, doc.password, *numbers])
            answer = ask("pictures", doc, [folder, numbers], fresh=True)
        scores += [(score, doc.group, kind, size, page, doc.name) for page, score, kind, size in answer["scores"]]
    for group in ("corpus", "manual", "sample", "extra", "all"):
        chosen = sorted(score for score in scores if group in (score[1], "all"))
        if chosen:
            values, sizes = [score[0] for score in chosen], [score[3] for score in chosen]
            share = values[len(values) // 20], values[len(values) // 2]
            rows.append([group, len(chosen), statistics.fmean(values), *share, statistics.median(sizes)])
    show("Pictures", ["documents", "pages", "mean SSIM", "5th percentile", "median", "median kB"], rows)
    if options.worst:
        head = ["SSIM", "documents", "kind", "kB", "page", "file"]
        show("Pictures least like pdfium's", head, sorted(scores)[:options.worst])
