#!/bin/sh
# Makes a Debian package of a program that is built: deb.sh BINARY VERSION FOLDER [COMPRESSION [MODELS]]. Prints its path.
# Needs dpkg-deb. The systemd unit is installed and not enabled. MODELS is a folder into which `bindery models install` has put what
# reads scans.
set -eu
binary=$(realpath "$1") version=$2 out=$3 compression=${4:-xz} models=${5:-}
here=$(dirname "$(realpath "$0")")
root=$(realpath "$here/../..")
architecture=$(dpkg --print-architecture)
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
chmod 755 "$tree"

install -Dm755 "$binary" "$tree/usr/bin/bindery"
install -Dm644 "$root/LICENSE" "$tree/usr/share/doc/bindery/copyright"
install -Dm644 "$root/README.md" "$tree/usr/share/doc/bindery/README.md"
if [ -n "$models" ]; then
    install -d "$tree/usr/share/bindery/models"
    install -m644 "$models"/*.onnx "$tree/usr/share/bindery/models"
    printf '\nThe models in /usr/share/bindery/models are under the Apache License 2.0, see\n/usr/share/common-licenses/Apache-2.0.\n' \
        >> "$tree/usr/share/doc/bindery/copyright"
fi
mkdir -p "$tree/lib/systemd/system"
sed 's|/usr/local/bin/|/usr/bin/|' "$root/.docker/bindery.service" > "$tree/lib/systemd/system/bindery.service"
"$binary" man "$tree/usr/share/man/man1"
gzip -9n "$tree"/usr/share/man/man1/*
install -d "$tree/usr/share/bash-completion/completions" "$tree/usr/share/zsh/vendor-completions" \
    "$tree/usr/share/fish/vendor_completions.d"
"$binary" completions bash > "$tree/usr/share/bash-completion/completions/bindery"
"$binary" completions zsh > "$tree/usr/share/zsh/vendor-completions/_bindery"
"$binary" completions fish > "$tree/usr/share/fish/vendor_completions.d/bindery.fish"
find "$tree" -type d -exec chmod 755 {} +
find "$tree/usr/share" "$tree/lib" -type f -exec chmod 644 {} +

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
