"""One peer on one file, in a process of its own that has the peers installed."""

import json, sys, time

def answer(name, path, password, pages):
    """Answers in JSON on stdout."""
    stdout, sys.stdout = sys.stdout, sys.stderr
    json.dump(ANSWERS[name](path, password, json.loads(pages)), stdout)

def made_tables(path, _password, _pages):
    from .tables import make_tables
    return {"pages": make_tables(path)}

def pictures(path, password, pages):
    from .pictures import picture_scores
    return {"scores": picture_scores(path, password, pages)}

def pdfium(path, password, _pages):
    import pypdfium2
    begun = time.perf_counter()
    read = [page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(path, password or None)]
    return {"pages": read, "seconds": time.perf_counter() - begun}

def opened(path, password):
    import pymupdf
    document = pymupdf.open(path)
    document.authenticate(password)
    return document

def pymupdf(path, password, _pages):
    document = opened(path, password)
    return {"pages": [page.get_text() for page in document], "outline": [entry[1:3] for entry in document.get_toc()]}

def pymupdf4llm(path, password, pages):
    import pymupdf4llm
    numbers = [page - 1 for page in pages]
    chunks = pymupdf4llm.to_markdown(opened(path, password), pages=numbers, page_chunks=True, use_ocr=False)
    return {"pages": {page: chunk["text"] for page, chunk in zip(pages, chunks)}}

def liteparse(path, password, pages):
    import liteparse
    read = liteparse.LiteParse(ocr_enabled=False, output_format="markdown", password=password or None, quiet=True,
                               target_pages=",".join(map(str, pages)), max_pages=100_000).parse(path)
    return {"pages": {page.page_num: page.markdown or "" for page in read.pages}}

def pdf_oxide(path, password, pages):
    import pdf_oxide
    document = pdf_oxide.PdfDocument(path, password=password or None)
    return {"pages": {page: document.to_markdown(page - 1, embed_images=False) for page in pages}}

ANSWERS = {"tables": made_tables, **{reader.__name__: reader for reader in (
    pictures, pdfium, pymupdf, pymupdf4llm, liteparse, pdf_oxide)}}
