"""Loaders of LangChain, Haystack and Open WebUI, pointed at Bindery: loaders.py URL KEY OPEN_URL PDF BAD WHEEL, one line for each
that works.

PDF has two pages that say "page 1" and "page 2", BAD is no PDF. The server at URL wants KEY, the one at OPEN_URL none. WHEEL is
Open WebUI's: its loaders are read from there as they are; what they import of the app around them is stood in for.
"""

import logging
import pathlib
import sys
import types
from unittest.mock import MagicMock

from raises import raises

url, key, open_url, pdf, bad, wheel = sys.argv[1:7]


def langchain():
    from docling.service_client import DoclingServiceClient
    from langchain_docling.loader import DoclingLoader, ExportType

    client = DoclingServiceClient(url, api_key=key)
    load = lambda path: DoclingLoader(path, converter=client, export_type=ExportType.MARKDOWN).load()
    [document] = load(pdf)
    assert "page 1" in document.page_content and "page 2" in document.page_content, document
    raises("no PDF", lambda: load(bad))


def haystack():
    from haystack.utils import Secret
    from haystack_integrations.components.converters.docling_serve import DoclingServeConverter

    for mode in ("sync", "async"):
        converter = DoclingServeConverter(base_url=url, api_key=Secret.from_token(key), mode=mode)
        [document] = converter.run(sources=[pdf])["documents"]
        assert "page 1" in document.content and "page 2" in document.content, (mode, document)
        assert converter.run(sources=[bad])["documents"] == [], mode
    wrong = DoclingServeConverter(base_url=url, api_key=Secret.from_token("wrong"))
    assert wrong.run(sources=[pdf])["documents"] == []


def open_webui():
    for name in ("azure", "azure.identity", "open_webui.env", "open_webui.config", "open_webui.utils", "open_webui.utils.headers",
                 "open_webui.utils.json_codec", "open_webui.retrieval.loaders.local", "open_webui.retrieval.loaders.pdf"):
        sys.modules[name] = MagicMock()
    for name in ("open_webui", "open_webui.retrieval", "open_webui.retrieval.loaders"):
        module = types.ModuleType(name)
        module.__path__ = [str(pathlib.Path(wheel, *name.split(".")))]
        sys.modules[name] = module
    env, headers = sys.modules["open_webui.env"], sys.modules["open_webui.utils.headers"]
    env.AIOHTTP_CLIENT_SESSION_SSL, env.REQUESTS_VERIFY, env.GLOBAL_LOG_LEVEL = True, True, "ERROR"
    env.ENABLE_FORWARD_USER_INFO_HEADERS = False
    headers.parse_custom_headers = lambda *_, **__: {}
    # It logs to where this script answers.
    logging.disable(logging.CRITICAL)
    from open_webui.retrieval.loaders.main import DoclingLoader, ExternalDocumentLoader, MistralLoader, TikaLoader

    docling = lambda path, key=key: DoclingLoader(url, api_key=key, file_path=path, mime_type="application/pdf",
                                                  params={"do_ocr": True}).load()
    external = lambda path, key=key: ExternalDocumentLoader(path, url, key, mime_type="application/pdf").load()
    tika = lambda version: lambda path: TikaLoader(open_url, path, mime_type="application/pdf", server_version=version).load()
    pages = [(document.metadata["page"], document.page_content) for document in docling(pdf)]
    assert [page for page, _ in pages] == [0, 1] and "page 2" in pages[1][1], pages
    assert ["page 2" in document.page_content for document in external(pdf)] == [False, True], external(pdf)
    for load in (tika("3"), tika("4")):
        [document] = load(pdf)
        assert "page 1" in document.page_content and "page 2" in document.page_content, document
    for load in (docling, external, tika("3"), tika("4")):
        raises("no PDF", lambda: load(bad))
    for load in (docling, external):
        raises("a wrong key", lambda: load(pdf, key="wrong"))
    for inline in (False, True):
        mistral = lambda path: MistralLoader(url + "/v1", key, path, use_base64=inline).load()
        assert ["page 2" in document.page_content for document in mistral(pdf)] == [False, True], mistral(pdf)
        # It returns an error as a document of its own.
        assert mistral(bad)[0].metadata["error"] == "processing_failed"


for client in (langchain, haystack, open_webui):
    client()
    print(client.__name__)
