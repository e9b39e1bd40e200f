#!/usr/bin/env python3
"""Makes a wheel of a program that is built: wheel.py BINARY VERSION FOLDER [--models FOLDER] [--store]. Prints its path.

`pip install WHEEL` puts the program beside python; `uvx --from WHEEL bindery` runs it. With --models it brings what reads scans:
the files that `bindery models install` has put into a folder, which the program finds below `../share` of its own. --store leaves
it uncompressed.
The format: PyPA, "Binary distribution format"; the tag: PEP 600, by the newest C library that the program asks for.
"""
import argparse
import base64
import hashlib
import pathlib
import platform
import re
import zipfile

arguments = argparse.ArgumentParser()
arguments.add_argument("binary", type=pathlib.Path)
arguments.add_argument("version")
arguments.add_argument("folder", type=pathlib.Path)
arguments.add_argument("--models", type=pathlib.Path)
arguments.add_argument("--store", action="store_true")
given = arguments.parse_args()
binary, version, folder = given.binary, given.version, given.folder
compression = zipfile.ZIP_STORED if given.store else zipfile.ZIP_DEFLATED
models = sorted(given.models.glob("*.onnx")) if given.models else []
if given.models and not models:
    arguments.error(f"--models: there are none in {given.models}")
root = pathlib.Path(__file__).resolve().parents[2]
program = binary.read_bytes()
minor = max((int(found) for found in re.findall(rb"GLIBC_2\.(\d+)", program)), default=17)
tag = f"py3-none-manylinux_2_{max(minor, 17)}_{platform.machine()}"
info = f"bindery-{version}.dist-info"
files = {
    f"bindery-{version}.data/scripts/bindery": program,
    f"{info}/METADATA": "\n".join([
        "Metadata-Version: 2.4",
        "Name: bindery",
        f"Version: {version}",
        "Summary: Turns PDFs into Markdown, page by page and in parallel, and finishes the job even if the process dies",
        # That of the models is Apache-2.0.
        f"License-Expression: {'(MIT OR Apache-2.0) AND Apache-2.0' if models else 'MIT OR Apache-2.0'}",
        "License-File: LICENSE",
        "Requires-Python: >=3.8",
        "Description-Content-Type: text/markdown",
        "",
        (root / "README.md").read_text(),
    ]).encode(),
    f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: wheel.py\nRoot-Is-Purelib: false\nTag: {tag}\n".encode(),
    f"{info}/licenses/LICENSE": (root / "LICENSE").read_bytes(),
    **{f"bindery-{version}.data/data/share/bindery/models/{model.name}": model.read_bytes() for model in models},
}
record = "".join(
    "{},sha256={},{}\n".format(
        name, base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode(), len(content))
    for name, content in files.items())
files[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n".encode()

folder.mkdir(parents=True, exist_ok=True)
wheel = folder / f"bindery-{version}-{tag}.whl"
with zipfile.ZipFile(wheel, "w", compression) as archive:
    for name, content in files.items():
        # The same bytes, whenever it is made: the oldest time that the format knows.
        entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
        entry.compress_type = compression
        entry.external_attr = (0o100755 if "/scripts/" in name else 0o100644) << 16
        archive.writestr(entry, content)
print(wheel)
