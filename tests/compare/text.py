"""Token F1: overlap of two multisets of tokens; a token is a run of letters and digits, or one CJK character.

Order: longest common subsequence over the longer sequence, both of the tokens that they have in common. A page counts
against what pdftotext or what pdfium reads, whichever it agrees better with; "references" is the F1 of these two. Means
over pages on which one of them reads anything; a page not delivered counts 0.
"""

import statistics

from .common import ask, bindery_pages, corpus, extras, log, manuals, options, pdftotext, samples, show, spread
from .words import agreement, plain, script_of, tokens

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
    for doc in corpus() + manuals() + samples() + extras():
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
