#!/usr/bin/env python3
"""Measures Bindery's reading and splitting of PDFs against other tools, on the same files in the same run.

    tests/compare.py                          everything, with target/release/bindery
    tests/compare.py text tables              only these parts; headings, pictures, speed and split are the others
    tests/compare.py text --worst 15 --only octave --bindery target/debug/bindery

Documents: the corpus (the folder BINDERY_CORPUS, default ../shared/corpus, with its MANIFEST.csv, without the hostile
files), manuals and samples out of Debian packages, and each *.pdf below --extra DIR. Needs Debian and Python 3.11;
installs poppler-utils, qpdf and its Python peers. These, packages and the peers' answers are kept in a folder
bindery-peers below the temporary one; delete it to start afresh.

text      Token F1: overlap of two multisets of tokens; a token is a run of letters and digits, or one CJK character.
          Order: longest common subsequence over the longer sequence, both of the tokens that they have in common.
          A page counts against what pdftotext or what pdfium reads, whichever it agrees better with; "references" is
          the F1 of these two. Means over pages on which one of them reads anything; a page not delivered counts 0.
headings  Recall: bookmarks that are a Markdown heading on the page they point to. Precision: headings that are a
          bookmark anywhere in the document. Numbering does not count.
tables    On pages made for this. Cell F1: overlap of (row, column, text) after aligning the Markdown table that matches
          best; a table not found, or one too many, is all wrong. Found: with half of its cells. False: too many.
pictures  SSIM of gray pictures at 150 dpi to those of pdfium, in windows of 7 x 7 pixels; two pages of each document of
          the corpus, five of the others. Needs cargo build --release --example pictures.
speed     Pages a second and their ratios, medians of --runs interleaved runs, pdfium without its interpreter's start.
split     Into parts of ten pages. Perfect: parts of which pdftotext reads what it reads of those pages of the source.

Text looks at 30 pages of each manual and sample at most, evenly spread, headings also at 30 with bookmarks. A tool that
takes more than --timeout seconds for a file, dies or refuses the file is counted under "trouble".
"""

import argparse, csv, functools, hashlib, html, json, os, random, re, shutil, statistics, subprocess, sys, tempfile
import time, unicodedata
from collections import Counter, defaultdict, namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(tempfile.gettempdir()) / "bindery-peers"
PYTHON = CACHE / "venv" / "bin" / "python"
PEERS = ["pypdfium2", "pymupdf", "pymupdf4llm", "reportlab", "numpy", "pillow"]
MANUALS = {  # long ones with bookmarks: Debian package -> which of its PDFs
    "asymptote-doc": "doc/asymptote/asymptote.pdf", "debian-policy": "policy.pdf", "debian-reference-ja": "*.ja.pdf",
    "gap-doc": "ref/manual.pdf", "gnuplot-doc": "gnuplot.pdf", "octave-doc": "octave.pdf", "pari-doc": "libpari.pdf",
    "python-reportlab-doc": "*userguide.pdf", "r-doc-pdf": "R-exts.pdf", "why3-doc-pdf": "manual.pdf",
}
SAMPLES = {"installation-guide-amd64": "install.[jkrz][aohu]*.pdf", **dict.fromkeys((
    "fonts-hosny-amiri", "fonts-sil-alkalami", "fonts-sil-awami-nastaliq", "fonts-sil-harmattan", "siscone-doc-pdf",
    "texlive-xetex"), "*.pdf")}  # more scripts and layouts, for the part text
ENV = {name: value for name, value in os.environ.items() if not name.startswith("BINDERY_")}
Doc = namedtuple("Doc", "path name group password damaged", defaults=["", False])
options = argparse.Namespace()
trouble = Counter()
log = functools.partial(print, file=sys.stderr, flush=True)
call = functools.partial(subprocess.run, stdout=sys.stderr)

def run(tool, command, folder=None):
    """Its stdout and seconds, run in this or an empty folder; None twice, and counted, when that fails."""
    command = ["timeout", "--signal=KILL", options.timeout, *command]
    with tempfile.TemporaryDirectory() as empty:
        begun = time.perf_counter()
        done = subprocess.run(list(map(str, command)), cwd=folder or empty, env=ENV, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - begun
    if done.returncode in (0, 3):  # 3: Bindery left pages out, qpdf had warnings
        return done.stdout, seconds
    died = done.returncode < 0 or done.returncode == 101
    trouble[tool, "hung" if seconds >= options.timeout else "died" if died else "refused"] += 1
    return None, None

def pdftotext(path, password=""):
    output, _ = run("pdftotext", ["pdftotext", "-upw", password, "-opw", password, path, "-"])
    return (output or b"").decode("utf-8", "replace").split("\f")[:-1]

def bindery_pages(doc, *arguments):
    """Page number -> Markdown."""
    command = [options.bindery, "convert", doc.path, "--json", "--processor", "text", "--data-dir", "data"]
    output, _ = run("bindery", [*command, "--password", doc.password, *arguments])
    return {page["page"]: page.get("markdown") or "" for page in json.loads(output or "[]")}

def ask(name, doc, pages=(), fresh=False):
    """A Python peer's answer about a document; kept, as only --bindery changes from run to run."""
    place = CACHE / f"{name}-{hashlib.sha256(doc.path.read_bytes()).hexdigest()[:32]}.json"
    if fresh or not place.exists() or not place.stat().st_size:  # it is empty after a failure
        arguments = [name, doc.path, doc.password, json.dumps(pages)]
        place.write_bytes(run(name, [PYTHON, Path(__file__).resolve(), "--in-venv", *arguments])[0] or b"")
    return defaultdict(list, json.loads(place.read_bytes() or b"{}"))

def in_venv(name, path, password, pages):
    """One peer on one file, in a process of its own that has the peers installed; answers in JSON on stdout."""
    stdout, sys.stdout = sys.stdout, sys.stderr
    if name == "tables":
        answer = {"pages": make_tables(path)}
    elif name == "pictures":
        answer = {"scores": picture_scores(path, password, json.loads(pages))}
    elif name == "pdfium":
        import pypdfium2
        begun = time.perf_counter()
        read = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path, password or None)]
        answer = {"pages": read, "seconds": time.perf_counter() - begun}
    else:
        import pymupdf
        document = pymupdf.open(path)
        document.authenticate(password)
        if name == "pymupdf":
            read = [page.get_text() for page in document]
        else:
            import pymupdf4llm
            numbers = [page - 1 for page in json.loads(pages)]
            chunks = pymupdf4llm.to_markdown(document, pages=numbers, page_chunks=True, use_ocr=False)
            read = [chunk["text"] for chunk in chunks]
        answer = {"pages": read, "outline": [entry[1:3] for entry in document.get_toc()]}
    json.dump(answer, stdout)

def install():
    CACHE.mkdir(exist_ok=True)
    if not all([(CACHE / "complete").exists(), shutil.which("pdftotext"), shutil.which("qpdf")]):
        call(["apt-get", "update", "-qq"])
        call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "poppler-utils", "qpdf"])
        call([sys.executable, "-m", "venv", CACHE / "venv"], check=True)
        call([PYTHON, "-m", "pip", "install", "-q", *PEERS], check=True)
        (CACHE / "complete").touch()

def from_debian(packages, group):
    """The PDFs of packages that are unpacked, not installed."""
    docs = []
    for package, pattern in packages.items():
        folder = CACHE / package
        if not list(folder.rglob("*.pdf")):
            log("fetching", package)
            folder.mkdir(exist_ok=True)
            call(["apt-get", "download", "-qq", package], cwd=folder)
            call("dpkg-deb -x *.deb . && find . -name '*.pdf.gz' -type f -exec gunzip {} +", shell=True, cwd=folder)
        files = sorted(file for file in folder.rglob(pattern) if file.is_file() and not file.is_symlink())
        docs += [Doc(file, f"{package}/{file.name}", group) for file in files]
    return wanted(docs)

def manuals():
    return from_debian(MANUALS, "manual")

def extras():
    files = sorted(options.extra.resolve().rglob("*.pdf")) if options.extra else []
    return wanted(Doc(file, file.name, "extra") for file in files)

def corpus():
    folder, docs = Path(os.environ.get("BINDERY_CORPUS", ROOT.parent / "shared" / "corpus")).resolve(), []
    for row in csv.DictReader((folder / "MANIFEST.csv").open() if folder.exists() else []):
        damaged = not {"qpdf_warns", "qpdf_fails", "junk_header"}.isdisjoint(row["flags"].split())
        if not row["file"].startswith("evil_"):
            docs.append(Doc(folder / row["file"], row["file"], "corpus", row["password"], damaged))
    return wanted(sorted(docs))

def wanted(docs):
    return [doc for doc in docs if options.only in doc.name]

def spread(pages):
    return list(range(1, pages + 1, max(1, -(-pages // 30))))

CJK = "\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff"
SCRIPTS = {"RTL": re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]"), "CJK": re.compile(f"[{CJK}]")}
TOKEN = re.compile(rf"[{CJK}]|[^\W_{CJK}]+")
MARKUP = re.compile(
    r"\\([!-/:-@\[-`{-~])"                  # 1: an escaped character
    r"|(?<!`)(`+)(?!`)(.+?)(?<!`)\2(?!`)"   # 3: code
    r"|\[([^\]]+)\]\([^)\s]*\)"             # 4: a link's text
    r"|([*~]|</?(?!br\b)[A-Za-z][^<>]*>)"   # 5: what does not part words
    r"|\||<!--.*?-->|<br */?>", re.DOTALL)

def plain(markdown):
    """The text of Markdown without its markup."""
    parts = re.split(r"^```.*\n?", markdown, flags=re.MULTILINE)
    for i in range(0, len(parts), 2):  # the others are fenced code
        lines = re.sub(r"^ *(#{1,6} +|>+ ?|[-:| ]*-[-:| ]*$)", "", parts[i], flags=re.MULTILINE)
        bare = MARKUP.sub(lambda m: "" if m[5] else m[1] or m[3] or plain(m[4] or "") or " ", lines)
        parts[i] = html.unescape(bare)
    return "\n".join(parts)

def tokens(text):
    text = unicodedata.normalize("NFKC", re.sub("[\x02\u00ad\ufffe][\r\n]*", "", text))  # without soft hyphens
    if not text.isascii():  # without vowel points and invisible characters
        text = "".join(c for c in text if unicodedata.category(c) not in ("Mn", "Cf"))
    joined = re.sub(r"([^\W\d_])[-\u2010] *\r?\n\s*(?=([^\W\d_]))", lambda cut: cut[1] + " " * cut[2].isupper(), text)
    return TOKEN.findall(joined.lower())[:20000]

def longest_common(left, right):
    """Length of the longest common subsequence, a bit a token (Hyyrö 2004)."""
    places = defaultdict(int)
    for i, token in enumerate(left):
        places[token] |= 1 << i
    full = row = (1 << len(left)) - 1
    for token in right:
        met = row & places[token]
        row = ((row + met) | (row - met)) & full
    return len(left) - row.bit_count()

def agreement(read, reference):
    """F1 and order."""
    common = Counter(read) & Counter(reference)
    if not common:
        return 0.0, 0.0
    left, right = [[token for token in side if token in common] for side in (read, reference)]
    return 2 * common.total() / (len(read) + len(reference)), longest_common(left, right) / max(len(left), len(right))

def script_of(text):
    letters = sum(map(str.isalpha, text))
    return next((name for name, letter in SCRIPTS.items() if len(letter.findall(text)) > 0.2 * letters), "other")

def page_scores(doc):
    """Of each page with text: doc, page, script, then (F1, order) of Bindery, of PyMuPDF, of the references."""
    references = [pdftotext(doc.path, doc.password), ask("pdfium", doc)["pages"]]
    # The others keep headers and page numbers.
    ours, other = bindery_pages(doc, "--keep-headers"), dict(enumerate(ask("pymupdf", doc)["pages"], 1))
    count = max(map(len, references))
    for page in range(1, count + 1) if doc.group in ("corpus", "extra") else spread(count):
        texts = [pages[page - 1] if page <= len(pages) else "" for pages in references]
        known = [tokens(text) for text in texts]
        if any(known):
            reads = [tokens(plain(ours.get(page, ""))), tokens(other.get(page, ""))]
            scores = [max(agreement(read, reference) for reference in known if reference) for read in reads]
            yield doc, page, script_of(max(texts, key=len)), *scores, agreement(*known)

def text():
    scores, rows = [], []
    for doc in corpus() + manuals() + from_debian(SAMPLES, "sample") + extras():
        log("text", doc.name)
        scores += page_scores(doc)
    for group in ("corpus", "manual", "sample", "extra", "all"):
        for script in ("other", "CJK", "RTL"):
            chosen = [score for score in scores if group in (score[0].group, "all") and score[2] == script]
            if chosen:
                means = [statistics.fmean(s[who][what] for s in chosen) for who in (3, 4, 5) for what in (0, 1)]
                rows.append([group, script, len(chosen), *means[:5]])
    show("Text", ["documents", "script", "pages", "bindery F1", "order", "PyMuPDF F1", "order", "references"], rows)
    worst = sorted(scores, key=lambda score: (sum(score[3]), score[0].name, score[1]))[:options.worst]
    if worst:
        rows = [[script, *ours, *other, page, doc.name] for doc, page, script, ours, other, _ in worst]
        show("Worst", ["script", "bindery F1", "order", "PyMuPDF F1", "order", "page", "file"], rows)

NUMBERING = re.compile(r"^\s*(chapter|appendix|part|section)?\s*(第?\d+[章部節]|[a-z]?\d*(\.\d+)*[.:)]?(?=\s|$))")

def title(text):
    """Without numbering, case, spaces and punctuation."""
    return re.sub(r"[\W_]+", "", NUMBERING.sub("", unicodedata.normalize("NFKC", text).lower()))

def titles_of(markdown):
    unfenced = re.sub(r"^```.*?^```", "", markdown, flags=re.MULTILINE | re.DOTALL)
    names = [title(plain(line)) for line in re.findall(r"^ {0,3}#{1,6} +(.*)$", unfenced, flags=re.MULTILINE)]
    return [name for name in names if name]

def heading_counts(pages, sampled, outline):
    """Bookmarks found, bookmarks, headings that are bookmarks, headings."""
    found = {page: titles_of(pages.get(page, "")) for page in sampled}
    due = [name in found[page] for name, page in outline if page in found]
    known = {name for name, _ in outline}
    right = [name in known for names in found.values() for name in names]
    return [sum(due), len(due), sum(right), len(right)]

def headings():
    counted, sums = [], [0] * 8
    for doc in manuals() + extras():
        log("headings", doc.name)
        answer = ask("pymupdf", doc)
        outline = {(title(name), page) for name, page in answer["outline"] if title(name) and page > 0}
        marked = sorted({page for _, page in outline})
        sampled = sorted({*spread(len(answer["pages"])), *[marked[i - 1] for i in spread(len(marked))]})
        if outline:
            reads = bindery_pages(doc), dict(zip(sampled, ask("pymupdf4llm", doc, sampled)["pages"]))
            counts = [count for pages in reads for count in heading_counts(pages, sampled, outline)]
            counted.append((doc.name, len(answer["pages"]), counts))
            sums = add(sums, counts)
    rows = [[name, pages, counts[1], *[ratio(counts[i], counts[i + 1]) for i in (0, 2, 4, 6)]]
            for name, pages, counts in [*counted, ("all", "", sums)]]
    tools = ["bindery recall", "precision", "pymupdf4llm recall", "precision"]
    show("Headings", ["manual", "pages", "bookmarks", *tools], rows)

KINDS = ["ruled", "horizontal", "unruled", "multi-line", "numbers", "gaps", "two a page", "beside text", "no table"]
WORDS = "paper thread needle board glue linen press knife spine gilding fold sheet cover leather stamp awl".split()
PROSE = "The binder keeps a list of what is in the shop and what has to be bought before the next book is begun. "

def known_cells(kind, rng):
    """Rows of cells, the first row being the head; a cell may have several lines."""
    def cell(column):
        words = [rng.choice(WORDS) for _ in range(3)]
        if kind == "gaps" and column and rng.random() < 0.3:
            return ""
        if kind == "multi-line" and column == 1:
            return "\n".join(f"{word} and {rng.choice(WORDS)}" for word in words[:rng.randint(1, 3)])
        if column > 1 or kind == "numbers" and column:
            return f"{rng.uniform(1, 20000):,.2f}" if column % 2 else str(rng.randint(1, 9999))
        return " ".join(words[column:2])
    columns = range(3 if kind == "beside text" else rng.randint(3, 6))
    rows = [[cell(column) for column in columns] for _ in range(rng.randint(4, 10))]
    return [[rng.choice(WORDS).title() for _ in columns], *rows]

def table_style(rules, rng):
    body, rule = ((0, 0), (-1, -1)), (0.5, "black")
    edges = [(f"LINE{side}", (0, y), (-1, y), *rule) for side, y in (("ABOVE", 0), ("BELOW", 0), ("BELOW", -1))]
    padding = [(f"{side}PADDING", *body, rng.choice([2, 4, 6])) for side in ("TOP", "BOTTOM", "LEFT", "RIGHT")]
    text = [("VALIGN", *body, "TOP"), ("ALIGN", (2, 0), (-1, -1), "RIGHT"), ("FONTSIZE", *body, rng.choice([8, 10]))]
    return text + padding + {"grid": [("GRID", *body, *rule)], "lines": edges, "": []}[rules]

def make_tables(path):
    """Writes the PDF, three pages of each kind. Of each page: its kind and tables."""
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer, Table
    styles, story, known = getSampleStyleSheet(), [], []
    def prose(sentences):
        return Paragraph(PROSE * sentences, styles["BodyText"])
    for number in range(3 * len(KINDS)):
        kind, rng = KINDS[number // 3], random.Random(number)
        rules = {"ruled": "grid", "horizontal": "lines", "unruled": ""}.get(kind, ("grid", "lines", "")[number % 3])
        tables = [known_cells(kind, rng) for _ in range({"two a page": 2, "no table": 0}.get(kind, 1))]
        blocks = [Table(rows, style=table_style(rules, rng), hAlign="LEFT") for rows in tables]
        if kind == "beside text":
            blocks = [Table([[prose(6), blocks[0]]], [170, 280], style=[("VALIGN", (0, 0), (-1, -1), "TOP")])]
        if kind == "no table":  # text in two columns, a list of contents, both
            columns = [Table([[prose(10), prose(10)]], [225, 225])]
            lines = [Paragraph(f"{i}. {word.title()} {'.' * (40 + i)} {9 * i}") for i, word in enumerate(WORDS, 1)]
            blocks = [columns, lines, columns + lines][number % 3]
        story += [Paragraph(f"Stock list {number + 1}", styles["Heading1"]), prose(3)]
        for block in blocks:
            story += [Spacer(1, 10), block, Spacer(1, 10), prose(2)] if tables else [block]
        story.append(PageBreak())
        known.append([kind, [[[" ".join(cell.split()) for cell in row] for row in rows] for rows in tables]])
    SimpleDocTemplate(path, invariant=1).build(story)
    return known

def markdown_tables(markdown):
    """Rows of cells of each table."""
    tables, lines = [], markdown.split("\n")
    for i, line in enumerate(lines):
        if i and "|" in lines[i - 1] and "|" in line and re.fullmatch(r"[\s|:-]*-[\s|:-]*", line):
            end = next((j for j in range(i + 1, len(lines)) if "|" not in lines[j]), len(lines))
            rows = [re.sub(r"^\s*\||(?<!\\)\|\s*$", "", row) for row in [lines[i - 1], *lines[i + 1:end]]]
            tables.append([[" ".join(plain(cell).split()) for cell in re.split(r"(?<!\\)\|", row)] for row in rows])
    return tables

def cells(rows):
    """(row, column, text) of the cells that are not empty; empty rows and columns do not count."""
    rows = [row for row in rows if any(row)]
    columns = sorted({c for row in rows for c, cell in enumerate(row) if cell})
    return {(r, columns.index(c), cell) for r, row in enumerate(rows) for c, cell in enumerate(row) if cell}

def overlap(known, found):
    """Cells that agree when the found table is shifted as suits it best."""
    shifts = [(down, right) for down in range(-2, 3) for right in range(-2, 3)]
    return max(len(known & {(r + down, c + right, cell) for r, c, cell in found}) for down, right in shifts)

def table_counts(known, found):
    """Cells that agree, cells known and found, tables known, tables found, tables too many."""
    known, found = [[cells(rows) for rows in tables] for tables in (known, found)]
    best = [max([(overlap(k, f), j) for j, f in enumerate(found)], default=(0, 0)) for k in known]
    whole = [2 * same >= len(k) for (same, _), k in zip(best, known)]
    surplus = len(found) - len({j for same, j in best if same})
    return [sum(same for same, _ in best), sum(map(len, known + found)), len(known), sum(whole), surplus]

def tables():
    doc = Doc(CACHE / "tables.pdf", "tables", "made")
    doc.path.touch()
    known, counts, rows = ask("tables", doc, fresh=True)["pages"], defaultdict(lambda: [0] * 5), []
    numbers = list(range(1, len(known) + 1))
    reads = bindery_pages(doc), dict(zip(numbers, ask("pymupdf4llm", doc, numbers)["pages"]))
    for number, (kind, due) in zip(numbers, known):
        for tool, read in enumerate(reads):
            for row in (kind, "all"):
                counts[row, tool] = add(counts[row, tool], table_counts(due, markdown_tables(read.get(number, ""))))
    for kind in [*KINDS, "all"]:
        figures = [(ratio(2 * agreed, whole), *more) for agreed, whole, _, *more in (counts[kind, 0], counts[kind, 1])]
        rows.append([kind, counts[kind, 0][2], *figures[0], *figures[1]])
    head = ["kind", "tables", "bindery cell F1", "found", "false", "pymupdf4llm cell F1", "found", "false"]
    show("Tables", head, rows)

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
    for doc in corpus() + manuals() + from_debian(SAMPLES, "sample") + extras():
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

def speed():
    rows = []
    for doc in manuals():
        log("speed", doc.name)
        convert = [options.bindery, "convert", doc.path, "--processor", "text", "--data-dir", "data", "-o", "out.md"]
        runs = [(run("bindery", [*convert, "--workers", 1])[1], run("bindery", [*convert, "--workers", 2])[1],
                 run("pdftotext", ["pdftotext", doc.path, "out.txt"])[1], ask("pdfium", doc, fresh=True)["seconds"])
                for _ in range(options.runs)]
        pages = len(ask("pdfium", doc)["pages"])
        rates = [pages / statistics.median(taken) if all(taken) else None for taken in zip(*runs)]
        rows.append([doc.name, pages, *rates, *[ratio(rates[a], rates[b]) for a, b in ((0, 2), (0, 3), (1, 0))]])
    head = ["manual", "pages", "1 worker", "2 workers", "pdftotext", "pdfium", "1/pdftotext", "1/pdfium", "2/1"]
    show("Speed, pages a second", head, rows + geometric_means(rows))

def split_parts(tool, doc, source):
    """Seconds, and how many of the parts that are due read like the source's pages."""
    command = [options.bindery, "split", doc.path, "--shard-pages", 10, "-o", ".", "--password", doc.password]
    if tool == "qpdf":
        command = ["qpdf", f"--password={doc.password}", "--decrypt", "--split-pages=10", doc.path, "part-%d.pdf"]
    with tempfile.TemporaryDirectory() as folder:
        _, seconds = run(tool, command, folder)
        parts = {int(re.search(r"-(\d+)-\d+\.pdf$", part.name)[1]): part for part in Path(folder).glob("*.pdf")}
        starts = [start for start in range(0, len(source), 10) if start + 1 in parts]
        return seconds, sum(pdftotext(parts[start + 1]) == source[start:start + 10] for start in starts)

def split():
    perfect, rows = defaultdict(lambda: [0, 0, 0]), []
    for doc in corpus() + manuals() + extras():
        log("split", doc.name)
        source = pdftotext(doc.path, doc.password)
        (ours, right), (qpdf, right_qpdf) = [split_parts(tool, doc, source) for tool in ("bindery", "qpdf")]
        kind = doc.group + ", damaged" * doc.damaged
        perfect[kind] = add(perfect[kind], [-(-len(source) // 10), right, right_qpdf])
        if doc.group == "manual":
            rows.append([doc.name, len(source), ours, qpdf, ratio(ours, qpdf)])
    show("Split, seconds", ["manual", "pages", "bindery", "qpdf", "bindery/qpdf"], rows + geometric_means(rows))
    rows = [[kind, due, ratio(ours, due), ratio(qpdf, due)] for kind, (due, ours, qpdf) in sorted(perfect.items())]
    show("Split, perfect parts", ["documents", "parts", "bindery", "qpdf"], rows)

def add(left, right):
    return [a + b for a, b in zip(left, right)]

def ratio(part, whole):
    return part / whole if part is not None and whole else None

def geometric_means(rows):
    columns = [[value for value in column if value] for column in list(zip(*rows))[2:]]
    means = [statistics.geometric_mean(column) if column else None for column in columns]
    return [["geometric mean", "", *means]] if rows else []

def show(name, head, rows):
    """Prints a Markdown table, and the troubles since the last one."""
    def written(value):
        places = 3 if isinstance(value, float) and value < 50 else 0
        return "-" if value is None else value if isinstance(value, str) else f"{value:.{places}f}"
    lines = [head, *[[written(value) for value in row] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*lines)]
    lines.insert(1, ["-" * width for width in widths])
    print(f"\n## {name}\n", flush=True)
    for line in lines if rows else []:
        print("| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths)) + " |")
    if trouble:
        print("\ntrouble: " + ", ".join(f"{tool} {what} {count}" for (tool, what), count in sorted(trouble.items())))
        trouble.clear()

PARTS = {"text": text, "headings": headings, "tables": tables, "pictures": pictures, "speed": speed, "split": split}

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS) + "; without one, all")
    parser.add_argument("--bindery", type=os.path.abspath, default=ROOT / "target/release/bindery", metavar="PATH")
    parser.add_argument("--extra", type=Path, metavar="DIR", help="a folder with more PDFs")
    parser.add_argument("--only", default="", metavar="TEXT", help="only documents with this in their name")
    parser.add_argument("--worst", type=int, default=0, metavar="N", help="list the N worst pages of text and pictures")
    parser.add_argument("--runs", type=int, default=3, metavar="N", help="of which the median is taken")
    parser.add_argument("--timeout", type=float, default=60, metavar="SECONDS", help="for one tool on one file")
    parser.parse_args(namespace=options)
    if not os.path.exists(options.bindery) or not set(options.parts) <= set(PARTS):
        parser.error(f"there must be a program {options.bindery}, and each PART one of {', '.join(PARTS)}")
    install()
    for name, part in PARTS.items():
        if name in (options.parts or PARTS):
            part()

if __name__ == "__main__":
    in_venv(*sys.argv[2:]) if sys.argv[1:2] == ["--in-venv"] else main()
