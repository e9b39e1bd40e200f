"""The Python client of the Model Context Protocol against Bindery: mcp_client.py URL KEY PDF BINARY DATA.

PDF has 40 pages; each says "Manual page N". One line for each way that works.
"""

import asyncio
import base64
import pathlib
import re
import sys


import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.streamable_http import streamable_http_client

url, key, pdf, binary, data = sys.argv[1:6]


def text(result, fails=False):
    assert bool(result.is_error) == fails, result
    return result.content[0].text


async def use(client, document, news):
    names = sorted(tool.name for tool in (await client.list_tools()).tools)
    assert names == ["map", "read", "search", "submit"], names
    heard = []

    async def progress(done, total, message):
        heard.append((done, total))

    map = text(await client.call_tool("submit", {**document, "options": {"page_separator": ""}}, progress_callback=progress))
    task = re.search(r"task ([0-9a-f-]{36}): completed", map)[1]
    assert "1-40: text" in map and "Manual page" not in map, map
    assert heard or not news, "no news of the progress"
    assert text(await client.call_tool("map", {"task": task})) == map
    pages = text(await client.call_tool("read", {"task": task, "pages": "2,39-50?"}))
    assert re.findall(r"Manual page \d+", pages) == ["Manual page 2", "Manual page 39", "Manual page 40"], pages
    found = text(await client.call_tool("search", {"task": task, "query": "PAGE  17"}))
    assert found == "page 17: Manual page 17\n", found
    assert "nowhere" in text(await client.call_tool("search", {"task": task, "query": "unicorn"}))
    text(await client.call_tool("read", {"task": task, "pages": "99"}), fails=True)
    text(await client.call_tool("read", {"task": "00000000-0000-7000-8000-000000000000"}), fails=True)
    text(await client.call_tool("submit", {"base64": "bm8="}), fails=True)
    text(await client.call_tool("submit", {"nonsense": 1}), fails=True)
    return task


async def main():
    inline = {"base64": base64.b64encode(pathlib.Path(pdf).read_bytes()).decode(), "file_name": "manual.pdf"}
    for mode in ("auto", "legacy"):
        async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=60) as http:
            async with Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client:
                await use(client, inline, news=False)
                text(await client.call_tool("submit", {"path": pdf}), fails=True)
        print("http", mode)
    for mode in ("auto", "legacy"):
        command = StdioServerParameters(command=binary, args=["mcp"], env={"BINDERY_DATA_DIR": data})
        async with Client(command, mode=mode) as client:
            task = await use(client, {"path": pdf}, news=False)
            copy = pathlib.Path(pdf).with_name(f"{mode}.md")
            text(await client.call_tool("read", {"task": task, "write_to": str(copy)}))
            assert copy.read_text().count("Manual page") == 40
            text(await client.call_tool("read", {"task": task, "write_to": pdf}), fails=True)
        print("stdio", mode)


asyncio.run(main())
