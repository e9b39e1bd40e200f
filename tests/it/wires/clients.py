"""Unmodified clients of other services, pointed at Bindery: clients.py URL KEY PDF BAD LOCKED, one line for each that works.

PDF has two pages that say "page 1" and "page 2", BAD is no PDF, LOCKED is encrypted.
"""

import base64
import concurrent.futures
import os
import pathlib
import sys

from raises import raises

url, key, pdf, bad, locked = sys.argv[1:6]


def docling():
    from docling.service_client import ChunkerKind, DoclingServiceClient

    client = DoclingServiceClient(url, api_key=key)
    assert client.health().status == "ok"
    result = client.convert(pathlib.Path(pdf))
    assert result.status.value == "success", result.status
    pages = {page: [text.text for text in result.document.texts if text.prov[0].page_no == page] for page in (1, 2)}
    assert any("page 1" in text for text in pages[1]) and any("page 2" in text for text in pages[2]), pages
    assert "page 2" in result.document.export_to_markdown()
    second = client.convert(pathlib.Path(pdf), page_range=(2, 9))
    assert sorted(second.document.pages) == [2], second.document.pages
    chunks = client.chunk(pathlib.Path(pdf), ChunkerKind.HYBRID).chunks
    assert any("page 2" in chunk.text and chunk.page_numbers == [2] for chunk in chunks), chunks
    told = DoclingServiceClient(url, api_key=key, ws_fallback_to_poll=False).convert(pathlib.Path(pdf), page_range=(1, 1))
    assert told.status.value == "success" and sorted(told.document.pages) == [1], told
    raises("no PDF", lambda: client.convert(pathlib.Path(bad)))
    raises("an encrypted PDF", lambda: client.convert(pathlib.Path(locked)))
    raises("a wrong key", lambda: DoclingServiceClient(url, api_key="wrong").convert(pathlib.Path(pdf)))
    with concurrent.futures.ThreadPoolExecutor(10) as pool:
        many = list(pool.map(lambda _: client.convert(pathlib.Path(pdf)).status.value, range(10)))
    assert many == ["success"] * 10, many


def mistral():
    from mistralai.client import Mistral

    client = Mistral(api_key=key, server_url=url)
    name = pathlib.Path(pdf).name
    data = pathlib.Path(pdf).read_bytes()
    file = client.files.upload(file={"file_name": name, "content": data}, purpose="ocr")
    assert client.files.retrieve(file_id=file.id).filename == name
    signed = client.files.get_signed_url(file_id=file.id, expiry=1)

    def ocr(address, **more):
        return client.ocr.process(model="mistral-ocr-latest", document={"type": "document_url", "document_url": address}, **more)

    result = ocr(signed.url)
    assert [page.index for page in result.pages] == [0, 1] and "page 2" in result.pages[1].markdown, result
    assert ocr(signed.url, pages=[1]).pages[0].index == 1

    def inline(path):
        return "data:application/pdf;base64," + base64.b64encode(pathlib.Path(path).read_bytes()).decode()

    assert "page 1" in ocr(inline(pdf)).pages[0].markdown
    raises("no PDF", lambda: ocr(inline(bad)))
    raises("an encrypted PDF", lambda: ocr(inline(locked)))
    raises("an unknown file", lambda: ocr(url + "/v1/files/00000000-0000-7000-8000-000000000000"))
    raises("another site", lambda: ocr("https://example.invalid/a.pdf"))
    assert client.files.delete(file_id=file.id).deleted
    raises("a deleted file", lambda: client.files.retrieve(file_id=file.id))


def tika():
    os.environ.update(TIKA_CLIENT_ONLY="1", TIKA_SERVER_ENDPOINT=url)
    from tika import detector, parser

    headers = {"Authorization": f"Bearer {key}"}
    parsed = parser.from_file(pdf, headers=headers)
    assert parsed["status"] == 200 and "page 2" in parsed["content"], parsed
    assert parsed["metadata"]["xmpTPg:NPages"] == "2" and parsed["metadata"]["Content-Type"] == "application/pdf", parsed
    assert parsed["metadata"]["resourceName"] == pathlib.Path(pdf).name, parsed
    assert "page 1" in parser.from_file(pdf, service="text", headers=headers)["content"]
    raises("no PDF", lambda: parser.from_file(bad, headers=headers))
    raises("an encrypted PDF", lambda: parser.from_file(locked, headers=headers))


def llama_cloud():
    from llama_cloud import LlamaCloud

    client = LlamaCloud(api_key=key, base_url=url)

    def parse(path, **more):
        return client.parsing.parse(upload_file=path, tier="fast", version="latest", expand=["markdown", "text"],
                                    polling_interval=0.1, **more)

    result = parse(pdf)
    assert [page.page_number for page in result.markdown.pages] == [1, 2], result
    assert "page 2" in result.markdown.pages[1].markdown and "page 1" in result.text.pages[0].text, result
    second = parse(pdf, page_ranges={"target_pages": "2"})
    assert [page.page_number for page in second.markdown.pages] == [2], second
    assert {result.job.id, second.job.id} <= {job.id for job in client.parsing.list(page_size=1)}
    raises("no PDF", lambda: parse(bad))
    raises("an encrypted PDF", lambda: parse(locked))
    raises("an address", lambda: client.parsing.parse(source_url="https://example.invalid/a.pdf", tier="fast", version="latest"))
    client.parsing.delete(result.job.id)
    raises("a deleted job", lambda: client.parsing.get(result.job.id))


for client in (docling, mistral, tika, llama_cloud):
    client()
    print(client.__name__)
