#!/usr/bin/env python3
"""Has a built `bindery` write a data directory on each store, and keeps both small beside this file.

    tests/data/upgrade/make.py PROGRAM NAME

PROGRAM is the build whose files are wanted, NAME the folder that they go to: its commit. Needs Python 3 and a
redis-server. For each store there is the data directory as `STORE.zip`, what the server said about its tasks as
`STORE.json`, and for Redis its contents as the commands that make them again, `redis.resp`.

The server without keys is on the embedded store, the one with keys on Redis. Both are killed in the middle of a task.
"""

import http.server
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
import zipfile

KEY = "ann-has-this-key"


def pdf(title, pages):
    """A PDF whose pages say their title and number."""
    kids = " ".join(f"{4 + 2 * page} 0 R" for page in range(pages))
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        f"<</Type/Pages/Count {pages}/Kids[{kids}]>>".encode(),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    for page in range(1, pages + 1):
        objects.append(
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>"
            f"/Contents {3 + 2 * page} 0 R>>".encode())
        content = f"BT /F1 12 Tf 72 720 Td ({title} page {page}) Tj ET".encode()
        objects.append(b"<</Length %d>>\nstream\n%s\nendstream" % (len(content), content))
    out, offsets = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    count = len(objects) + 1
    out += b"xref\n0 %d\n0000000000 65535 f \n%strailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (
        count, table, count, len(out))
    return out


class Endpoint(http.server.BaseHTTPRequestHandler):
    """Reads pages. The model `gap` refuses page 2, `lost` all of them, and `held` never answers for pages after the second."""

    protocol_version = "HTTP/1.1"
    held = threading.Semaphore(0)

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        text = json.dumps(asked["messages"][-1]["content"])
        page, model = int(re.search(r"Page (\d+)", text)[1]), asked["model"]
        if page > 2 and model == "held":
            Endpoint.held.release()
            threading.Event().wait()
        if (page == 2 and model == "gap") or model == "lost":
            status, answer = 400, {"error": {"message": "no such page"}}
        else:
            message = {"role": "assistant", "content": f"# Page {page}\n\nRead by the fake."}
            usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
            status, answer = 200, {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server:
    """The program as a server."""

    def __init__(self, program, data, endpoint, arguments):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{free.getsockname()[1]}"
        self.process = subprocess.Popen([
            program, "serve", "--listen", self.url[7:], "--data-dir", data, "--llm-base-url", endpoint, "--llm-model", "m",
            "--llm-concurrency", "1", "--task-ttl", "3650d", "--ledger-age", "0",
            "--webhook-allow", "127.0.0.1", *arguments], stdout=subprocess.PIPE, env={"PATH": os.environ["PATH"]})
        self.process.stdout.readline()

    def ask(self, method, path, body=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()} | {"authorization": f"Bearer {KEY}"}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request) as answer:
                return answer.read().decode()
        except urllib.error.HTTPError as error:
            raise SystemExit(f"{method} {path}: {error.read().decode()}")

    def submit(self, title, pages, query, **headers):
        answer = self.ask("POST", f"/v1/tasks?file_name={title}.pdf&{query}", pdf(title, pages), content_type="application/pdf", **headers)
        return json.loads(answer)["id"]

    def finished(self, task):
        return json.loads(self.ask("GET", f"/v1/tasks/{task}?wait=60"))


def fill(server):
    """Tasks in every state; what the server says of them."""
    Endpoint.held = threading.Semaphore(0)
    ids = {
        "Reading": server.submit("Reading", 3, "processor=text&metadata=%7B%22order%22%3A7%7D", idempotency_key="order 7"),
        "Paid": server.submit("Paid", 3, "processor=llm&webhook_url=http%3A%2F%2F127.0.0.1%3A1%2F&webhook_secret=hush"),
        "Gap": server.submit("Gap", 3, "processor=llm&model=gap&max_failed_pages=1"),
        "Lost": server.submit("Lost", 2, "processor=llm&model=lost&max_failed_pages=0"),
    }
    for task in ids.values():
        server.finished(task)
    ids["Stopped"] = server.submit("Stopped", 3, "processor=llm&model=held")
    Endpoint.held.acquire()
    server.ask("POST", f"/v1/tasks/{ids['Stopped']}/cancel", b"")
    ids["Cut"] = server.submit("Cut", 4, "processor=llm&model=held&input=text")
    Endpoint.held.acquire()
    ids["Waiting"] = server.submit("Waiting", 2, "processor=llm&priority=-3")
    tasks = {}
    for title, task in ids.items():
        said = json.loads(server.ask("GET", f"/v1/tasks/{task}"))
        result = server.ask("GET", f"/v1/tasks/{task}/result") if said["status"] == "completed" else None
        tasks[title] = {"task": said, "markdown": result}
    return tasks


def keep(tasks, data, folder, store):
    with zipfile.ZipFile(folder / f"{store}.zip", "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for path in sorted(pathlib.Path(data).rglob("*")):
            archive.write(path, path.relative_to(data))
    (folder / f"{store}.json").write_text(json.dumps(tasks, indent=1) + "\n")


def main():
    program, folder = sys.argv[1], pathlib.Path(__file__).parent / sys.argv[2]
    folder.mkdir(exist_ok=True)
    endpoint = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Endpoint)
    endpoint.daemon_threads = True
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{endpoint.server_port}/v1"

    def written(data, arguments, store):
        server = Server(program, data, url, arguments)
        try:
            tasks = fill(server)
        finally:
            server.process.send_signal(signal.SIGKILL)
            server.process.wait()
        keep(tasks, data, folder, store)

    with tempfile.TemporaryDirectory() as data:
        written(data, [], "embedded")
    with tempfile.TemporaryDirectory() as data, tempfile.TemporaryDirectory() as place:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        redis = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--dir", place,
             "--aof-use-rdb-preamble", "no"], stdout=subprocess.DEVNULL)
        try:
            ask = lambda *words: subprocess.run(["redis-cli", "-p", str(port), *words], capture_output=True, text=True).stdout
            while ask("PING") != "PONG\n":
                time.sleep(0.05)
            written(data, ["--store", f"redis://127.0.0.1:{port}/0", "--api-key", f"ann={KEY}"], "redis")
            ask("BGREWRITEAOF")
            while "aof_rewrite_in_progress:0" not in (said := ask("INFO", "persistence")) or "scheduled:1" in said:
                time.sleep(0.05)
            base = max(pathlib.Path(place).glob("appendonlydir/*.base.aof"), key=lambda path: path.stat().st_mtime)
            (folder / "redis.resp").write_bytes(base.read_bytes())
        finally:
            redis.terminate()
            redis.wait()


main()
