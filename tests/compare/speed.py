"""Speed: pages a second and their ratios, medians of --runs interleaved runs, pdfium without its interpreter's start.

Split: into parts of ten pages. Perfect: parts of which pdftotext reads what it reads of those pages of the source.
"""

import re, statistics, tempfile
from collections import defaultdict
from pathlib import Path

from .common import add, ask, corpus, extras, geometric_means, log, manuals, options, pdftotext, ratio, run, show

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
