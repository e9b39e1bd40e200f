"""Documents, tools and their answers, and tables of results; what all parts of compare.py share."""

import argparse, csv, functools, hashlib, json, os, shutil, statistics, subprocess, sys, tempfile, time
from collections import Counter, defaultdict, namedtuple
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
ENTRY = ROOT / "tests" / "compare.py"
CACHE = Path(tempfile.gettempdir()) / "bindery-peers"
PYTHON = CACHE / "venv" / "bin" / "python"
PEERS = ["pypdfium2", "pymupdf", "pymupdf4llm", "liteparse", "pdf_oxide", "reportlab", "numpy", "pillow"]
TOOLS = ["bindery", "pymupdf4llm", "liteparse", "pdf_oxide"]  # those that write Markdown
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
    asked = json.dumps(pages)
    place = CACHE / f"{name}-{hashlib.sha256(doc.path.read_bytes() + asked.encode()).hexdigest()[:32]}.json"
    if fresh or not place.exists() or not place.stat().st_size:  # it is empty after a failure
        place.write_bytes(run(name, [PYTHON, ENTRY, "--in-venv", name, doc.path, doc.password, asked])[0] or b"")
    return defaultdict(list, json.loads(place.read_bytes() or b"{}"))

def markdown_of(tool, doc, pages):
    """Page number -> Markdown, as a tool reads these pages with its own defaults."""
    if tool == "bindery":
        return bindery_pages(doc)
    return {int(page): markdown for page, markdown in dict(ask(tool, doc, pages)["pages"] or {}).items()}

def install():
    CACHE.mkdir(exist_ok=True)
    complete = CACHE / "complete"
    if not all([complete.exists() and complete.read_text() == " ".join(PEERS), shutil.which("pdftotext"), shutil.which("qpdf")]):
        call(["apt-get", "update", "-qq"])
        call(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "poppler-utils", "qpdf"])
        call([sys.executable, "-m", "venv", CACHE / "venv"], check=True)
        call([PYTHON, "-m", "pip", "install", "-q", *PEERS], check=True)
        complete.write_text(" ".join(PEERS))

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

def samples():
    return from_debian(SAMPLES, "sample")

def extras():
    files = sorted(file for folder in options.extra for file in folder.resolve().rglob("*.pdf"))
    return wanted(Doc(file, f"{file.parent.name}/{file.name}", "extra") for file in files)

def corpus():
    folder, docs = Path(os.environ.get("BINDERY_CORPUS", ROOT.parent / "shared" / "corpus")).resolve(), []
    for row in csv.DictReader((folder / "MANIFEST.csv").open() if folder.exists() else []):
        damaged = not {"qpdf_warns", "qpdf_fails", "junk_header"}.isdisjoint(row["flags"].split())
        if not row["file"].startswith("evil_"):
            docs.append(Doc(folder / row["file"], row["file"], "corpus", row["password"], damaged))
    return wanted(sorted(docs))

def wanted(docs):
    return [doc for doc in docs if options.only in doc.name]

def spread(pages, most=30):
    return list(range(1, pages + 1, max(1, -(-pages // most))))

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
