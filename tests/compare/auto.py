"""Which pages auto pays for, and what it says of others, beside what a reader saw who compared their text with their picture.

auto.csv has the pages, by name and hash of the file; files that are not below --extra DIR, in the corpus or among the
unpacked packages are left out. Asked was of each page: is its text sound, without which it has to go to a model; is the text
seen that was said to be hidden (hidden_text); is there text in a picture (unread_picture). Of pages that are wrongly taken
as sound it is told how many have at least a finding.
"""

import csv, hashlib, json, os
from pathlib import Path

from .common import CACHE, ROOT, log, options, run, show

JUDGED = Path(__file__).with_suffix(".csv")
CORPUS = Path(os.environ.get("BINDERY_CORPUS", ROOT.parent / "shared" / "corpus"))

def judged():
    """Rows of the list whose file is here, with its path."""
    rows = [row for row in csv.DictReader(JUDGED.open()) if options.only in row["file"]]
    names, paths = {row["file"] for row in rows}, {}
    for folder in [CORPUS, CACHE, *options.extra]:
        for path in folder.resolve().rglob("*.pdf"):
            if path.name in names and path.is_file():
                paths[path.name, hashlib.sha256(path.read_bytes()).hexdigest()[:12]] = path
    found = [(row, paths[row["file"], row["sha256"]]) for row in rows if (row["file"], row["sha256"]) in paths]
    log(f"auto: {len(found)} of {len(rows)} judged pages are here")
    return found

def route(path, page):
    """Why auto would pay for a page; empty when it would not, None when it cannot be told."""
    command = [options.bindery, "estimate", path, "--json", "--pages", page, "--processor", "auto", "--data-dir", "data",
               "--llm-base-url", "http://127.0.0.1:9/v1", "--llm-model", "none"]
    output, _ = run("bindery", command)
    routes = [route.partition("llm: ")[2] for route in json.loads(output)["routes"]] if output else []
    return routes[0] if routes else None

def findings(path, page):
    """Codes of what is said of a page of which only the text was read."""
    output, _ = run("bindery", [options.bindery, "convert", path, "--json", "--pages", page, "--processor", "text",
                                "--data-dir", "data"])
    return {finding["code"] for of in json.loads(output or "[]") for finding in of.get("findings") or []}

def auto():
    counts, wrong = {}, []
    def count(what, is_wrong, row):
        all_of, wrong_of = counts.get(what, (0, 0))
        counts[what] = all_of + 1, wrong_of + is_wrong
        if is_wrong:
            wrong.append([what, row["file"], row["page"], row["why"]])
    for row, path in judged():
        page, is_sound = row["page"], row["verdict"] == "sound"
        if row["asked"] != "text":
            if row["asked"] in findings(path, page):
                count(row["asked"], row["verdict"] in ("seen", "none"), row)
            continue
        reason = route(path, page)
        said = findings(path, page) if reason == "" else set()
        if reason is None:
            log(f"auto: {row['file']}, page {page}: no answer")
            continue
        if reason or "no_text_layer" in said:
            count("paid", is_sound, row)
            count(f"paid: {reason or 'only blanks'}", is_sound, row)
        else:
            count("free", not is_sound, row)
            if not is_sound:
                count("free and not sound: without a finding", not said, row)
    rows = [[what, all_of, wrong_of] for what, (all_of, wrong_of) in sorted(counts.items())]
    show("Auto", ["decision", "pages", "wrong"], rows)
    if options.worst:
        show("Auto, wrong decisions", ["decision", "file", "page", "why"], wrong[:options.worst])
