#!/usr/bin/env python3
"""Makes npm packages of a program that is built: npm.py BINARY VERSION FOLDER [--scope @SCOPE] [--models FOLDER] [--store].

Prints two paths: of `bindery`, whose command starts the program, and of the package with the program for this system, which npm
installs with it where it fits (`os`, `cpu`, `libc`). `npm install BOTH` installs them from the files; published, `npx bindery` runs
it. With --models the second one brings what reads scans. --store leaves it uncompressed.
"""
import argparse
import gzip
import io
import json
import pathlib
import platform
import tarfile

arguments = argparse.ArgumentParser()
arguments.add_argument("binary", type=pathlib.Path)
arguments.add_argument("version")
arguments.add_argument("folder", type=pathlib.Path)
arguments.add_argument("--scope", default="")
arguments.add_argument("--models", type=pathlib.Path)
arguments.add_argument("--store", action="store_true")
given = arguments.parse_args()
models = sorted(given.models.glob("*.onnx")) if given.models else []
if given.models and not models:
    arguments.error(f"--models: there are none in {given.models}")
root = pathlib.Path(__file__).resolve().parents[2]
prefix = f"{given.scope}/" if given.scope else ""
# As npm calls the processors that releases are built for.
PROCESSORS = {"x86_64": "x64", "aarch64": "arm64"}
LICENCE = "MIT OR Apache-2.0"


def package_of(processor):
    return f"{prefix}bindery-linux-{processor}"


# Starts the program in the place of this one: its exit code and the signals that it ends by are the command's.
LAUNCHER = """#!/usr/bin/env node
"use strict";
const { spawn } = require("node:child_process");
const { constants } = require("node:os");

let program;
try {
  program = require.resolve(`PREFIXbindery-${process.platform}-${process.arch}/bin/bindery`);
} catch {
  console.error(`bindery: there is no program for ${process.platform} on ${process.arch}, or npm has left it out (--omit=optional)`);
  process.exit(1);
}
const child = spawn(program, process.argv.slice(2), { stdio: "inherit" });
// A terminal interrupts both by itself, and a server that is interrupted twice leaves at once.
const inTerminal = [process.stdin, process.stdout, process.stderr].some((stream) => stream.isTTY);
process.on("SIGINT", () => inTerminal || child.kill("SIGINT"));
for (const signal of ["SIGTERM", "SIGHUP"]) process.on(signal, () => child.kill(signal));
child.on("error", (why) => {
  console.error(`bindery: ${program} cannot be started: ${why.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => process.exit(signal ? 128 + constants.signals[signal] : code));
"""


def packed(name, about, files):
    """Writes a package as `npm pack` does; each file is a name, its bytes and whether it is run."""
    manifest = {
        "name": name,
        "version": given.version,
        "description": "Turns PDFs into Markdown, page by page and in parallel, and finishes the job even if the process dies",
        **about,
    }
    files = [("package.json", json.dumps(manifest, indent=2).encode(), False), *files]
    given.folder.mkdir(parents=True, exist_ok=True)
    path = given.folder / f"{name.lstrip('@').replace('/', '-')}-{given.version}.tgz"
    with open(path, "wb") as out, gzip.GzipFile("", "wb", 0 if given.store else 9, out, mtime=0) as zipped:
        with tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for file, content, is_run in files:
                entry = tarfile.TarInfo(f"package/{file}")
                # The same bytes, whenever it is made: the time that npm gives to all files.
                entry.size, entry.mode, entry.mtime = len(content), 0o755 if is_run else 0o644, 499_162_500
                archive.addfile(entry, io.BytesIO(content))
    print(path)


licence = ("LICENSE", (root / "LICENSE").read_bytes(), False)
packed(f"{prefix}bindery", {
    "license": LICENCE,
    "bin": {"bindery": "bin/bindery.js"},
    "engines": {"node": ">=18"},
    "optionalDependencies": {package_of(processor): given.version for processor in PROCESSORS.values()},
}, [("bin/bindery.js", LAUNCHER.replace("PREFIX", prefix).encode(), True),
    ("README.md", (root / "README.md").read_bytes(), False), licence])
processor = PROCESSORS[platform.machine()]
packed(package_of(processor), {
    # That of the models is Apache-2.0.
    "license": f"({LICENCE}) AND Apache-2.0" if models else LICENCE,
    "os": ["linux"],
    "cpu": [processor],
    "libc": ["glibc"],
}, [("bin/bindery", given.binary.read_bytes(), True), licence,
    *((f"share/bindery/models/{model.name}", model.read_bytes(), False) for model in models)])
