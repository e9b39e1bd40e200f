#!/bin/sh
# Puts what packages for systems install below a folder, as Debian has it: tree.sh BINARY TREE [MODELS]. MODELS is a folder into
# which `bindery models install` has put what reads scans. The systemd unit is installed and not enabled.
set -eu
binary=$(realpath "$1") tree=$2 models=${3:-}
here=$(dirname "$(realpath "$0")")
root=$(realpath "$here/../..")

install -Dm755 "$binary" "$tree/usr/bin/bindery"
install -Dm644 "$root/LICENSE" "$tree/usr/share/doc/bindery/copyright"
install -Dm644 "$root/README.md" "$tree/usr/share/doc/bindery/README.md"
if [ -n "$models" ]; then
    install -d "$tree/usr/share/bindery/models"
    install -m644 "$models"/*.onnx "$tree/usr/share/bindery/models"
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
