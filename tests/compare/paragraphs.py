"""What a reader stumbles over, on up to five pages of each document that have 40 words in pdftotext and in pdfium.

Broken: paragraphs that end amid a sentence, as the next one goes on in lower case, per 1,000 words. Headings: mean share
of a page's words that stand in headings, and pages where it is more than 35 %. Deleted: lines of four words and more
that pdftotext and pdfium read and the tool does not; once: those that stand once in their document, numbers and all, so
that they are no running header. Only pages on which each tool reads something count; empty: where this one reads nothing.
"""

import re, statistics
from collections import Counter, defaultdict

from .common import TOOLS, ask, corpus, extras, log, manuals, markdown_of, options, pdftotext, ratio, samples, show, spread
from .words import plain, script_of, tokens

LEAST = 40

def blocks(markdown):
    """(kind, words) of each block."""
    markdown = re.sub(r"<!--.*?-->|!\[[^\]]*\]\([^)]*\)", "", markdown, flags=re.DOTALL)
    markdown = re.sub(r"<table\b.*?</table>", lambda table: "\n\n|" + re.sub(r"\s+", " ", table[0]) + "\n\n", markdown,
                      flags=re.DOTALL)
    for i, part in enumerate(re.split(r"^ *```.*$", markdown, flags=re.MULTILINE)):
        for block in re.split(r"\n\s*\n", part):
            text = " ".join(plain(block).split())
            table = re.search(r"^\s*\|?\s*:?-{3,}:?\s*(\||$)", block, re.MULTILINE) or block.lstrip().startswith("|")
            kinds = {"code": i % 2, "table": table, "heading": re.match(r" {0,3}#{1,6} ", block),
                     "item": re.match(r"\s*([-*+]|\d+[.)]) ", block)}
            if text:
                yield next((kind for kind, found in kinds.items() if found), "paragraph"), text

def broken(markdown):
    """Ends of paragraphs amid a sentence."""
    read = list(blocks(markdown))
    return [(text[-40:], after[:40]) for (kind, text), (next_kind, after) in zip(read, read[1:])
            if kind in ("paragraph", "item") and next_kind == "paragraph"
            and re.search(r"[^\W\d_][,\-]?$", text) and re.match(r"[^\W\d_]{2}", after) and after[0].islower()]

def heading_share(markdown):
    """Words of headings over words of the page."""
    words = [(kind, len(tokens(text))) for kind, text in blocks(markdown)]
    return ratio(sum(count for kind, count in words if kind == "heading"), sum(count for _, count in words)) or 0

def deleted(markdown, layout, other):
    """Lines of one reference that the other has as well, and the Markdown has not: none of their words is to spare."""
    ours, sequence = tokens(plain(markdown)), f" {' '.join(tokens(other))} "
    here, gone = f" {' '.join(ours)} ", Counter(tokens(layout)) - Counter(ours)
    for line in layout.split("\n"):
        words = tokens(line)
        joined = f" {' '.join(words)} "
        if len(words) >= 4 and not Counter(words) - gone and joined in sequence and joined not in here:
            gone -= Counter(words)
            yield line

def readings(doc):
    """Of each page that counts: its number, and what pdftotext and pdfium read."""
    left, right = pdftotext(doc.path, doc.password), ask("pdfium", doc)["pages"]
    for page in spread(min(len(left), len(right)), 5):
        texts = left[page - 1], right[page - 1]
        if min(len(tokens(text)) for text in texts) >= LEAST and script_of(texts[0]) == "other":
            yield page, *texts, left

def paragraphs():
    sums, shares, worst = defaultdict(Counter), defaultdict(list), []
    for doc in corpus() + manuals() + samples() + extras():
        pages = list(readings(doc))
        if not pages:
            continue
        log("paragraphs", doc.name)
        lines = Counter(line.strip() for text in pages[0][3] for line in text.split("\n"))
        reads = {tool: markdown_of(tool, doc, [page for page, *_ in pages]) for tool in TOOLS}
        for page, layout, other, _ in pages:
            empty = [tool for tool in TOOLS if not reads[tool].get(page, "").strip()]
            for tool in empty or TOOLS:
                if empty:
                    sums[tool]["empty"] += 1
                    continue
                markdown = reads[tool][page]
                gone, cuts, share = list(deleted(markdown, layout, other)), broken(markdown), heading_share(markdown)
                once = [line for line in gone if lines[line.strip()] == 1]
                shares[tool].append(share)
                sums[tool] += Counter(words=len(tokens(plain(markdown))), broken=len(cuts), gone=len(gone), once=len(once),
                                      loud=share > 0.35)
                if tool == "bindery":
                    worst.append((len(once) + len(cuts) + 5 * share, page, doc.name, once, cuts, share))
    rows = [[tool, len(shares[tool]), ratio(1000 * sums[tool]["broken"], sums[tool]["words"]), statistics.fmean(shares[tool]),
             *[sums[tool][what] for what in ("loud", "gone", "once", "empty")]] for tool in shares]
    head = ["tool", "pages", "broken / 1,000", "headings' share", "over 35 %", "deleted", "once", "empty"]
    show("Paragraphs", head, rows)
    if options.worst:
        listed = sorted(worst, key=lambda page: -page[0])[:options.worst]
        rows = [[name, page, len(cuts), len(once), share, (once + [" / ".join(cut) for cut in cuts] + [""])[0]]
                for _, page, name, once, cuts, share in listed]
        show("Worst paragraphs of bindery", ["file", "page", "broken", "once", "headings", "for example"], rows)
