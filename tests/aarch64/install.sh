#!/bin/sh
# install.sh [folder]: installs what the preset `aarch64` needs on Debian 12, as root or with sudo: the compiler and QEMU.
# The packages of arm64 are unpacked into a folder (~/.cache/troupe/aarch64), not installed: some of them cannot be beside
# those of the machine itself.
set -eu
folder=${1:-$HOME/.cache/troupe/aarch64}
sudo=$(command -v sudo || true)
$sudo dpkg --add-architecture arm64
$sudo apt-get update
$sudo apt-get install -y --no-install-recommends cmake ninja-build pkg-config gcc-aarch64-linux-gnu libc6-dev-arm64-cross \
    qemu-user-static
packages=$(mktemp -d)
trap 'rm -rf "$packages"' EXIT
cd "$packages"
apt-get download libck-dev:arm64 libcork-dev:arm64 liburing-dev:arm64
mkdir -p "$folder"
for package in *.deb; do
    dpkg-deb --extract "$package" "$folder"
done
