#!/bin/sh
# Writes a Homebrew formula for a release: homebrew.sh VERSION URL SHA256SUMS, where URL is that of its archives' folder and
# SHA256SUMS has their checksums as sha256sum prints them. A tap has it as Formula/bindery.rb.
set -eu
version=$1 url=$2 sums=$3
sum() {
    found=$(awk -v file="$1" '$2 == file || $2 == "*" file {print $1}' "$sums")
    [ -n "$found" ] || { echo "homebrew.sh: $sums has no checksum of $1" >&2; exit 1; }
    echo "$found"
}
intel=bindery-$version-x86_64-unknown-linux-gnu.tar.gz arm=bindery-$version-aarch64-unknown-linux-gnu.tar.gz
intel_sum=$(sum "$intel") arm_sum=$(sum "$arm")
cat <<FORMULA
class Bindery < Formula
  desc "Turns PDFs into Markdown, page by page and in parallel"
  homepage "${url%%/releases/*}"
  version "$version"
  license any_of: ["MIT", "Apache-2.0"]
  depends_on :linux

  on_intel do
    url "$url/$intel"
    sha256 "$intel_sum"
  end
  on_arm do
    url "$url/$arm"
    sha256 "$arm_sum"
  end

  def install
    bin.install "bindery"
    man1.mkpath
    system bin/"bindery", "man", man1
    generate_completions_from_executable(bin/"bindery", "completions")
  end

  service do
    run [opt_bin/"bindery", "serve"]
    environment_variables BINDERY_DATA_DIR: var/"bindery"
    keep_alive true
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/bindery --version")
  end
end
FORMULA
