#!/bin/sh
# Makes a Debian package of a program that is built: deb.sh BINARY VERSION FOLDER [COMPRESSION [MODELS]]. Prints its path.
# Needs dpkg-deb. The systemd unit is installed and not enabled. MODELS is a folder into which `bindery models install` has put what
# reads scans.
set -eu
binary=$(realpath "$1") version=$2 out=$3 compression=${4:-xz} models=${5:-}
here=$(dirname "$(realpath "$0")")
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

"$here/tree.sh" "$binary" "$tree" "$models"
if [ -n "$models" ]; then
    printf '\nThe models in /usr/share/bindery/models are under the Apache License 2.0, see\n/usr/share/common-licenses/Apache-2.0.\n' \
        >> "$tree/usr/share/doc/bindery/copyright"
fi

# The newest C library that the program asks for.
libc=$(grep -ao 'GLIBC_2\.[0-9]*' "$binary" | sort -uV | tail -1 | sed 's/GLIBC_//')
install -d "$tree/DEBIAN"
cat > "$tree/DEBIAN/control" <<CONTROL
Package: bindery
Version: $version
Architecture: $architecture
Maintainer: Bindery <bindery@example.invalid>
Installed-Size: $(du -ks "$tree" | cut -f1)
Depends: libc6 (>= ${libc:-2.31}), libgcc-s1, ca-certificates
Suggests: tesseract-ocr
Section: text
Priority: optional
Description: PDFs to Markdown, page by page and in parallel
 Reads PDFs through an LLM behind any OpenAI-compatible endpoint, local OCR or
 the text layer, and finishes the job even if the process dies.
CONTROL
mkdir -p "$out"
dpkg-deb --root-owner-group --build "-Z$compression" "$tree" "$out/bindery_${version}_$architecture.deb" >/dev/null
echo "$out/bindery_${version}_$architecture.deb"
