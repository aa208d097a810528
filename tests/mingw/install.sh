#!/bin/sh
# install.sh: installs what the preset `windows` needs on Debian 12, as root or with sudo: the compiler, Wine, and an entry
# for source packages, made of the entries there are, unless ck's source can be had already.
set -eu
sudo=$(command -v sudo || true)
$sudo apt-get update
$sudo apt-get install -y --no-install-recommends cmake ninja-build gcc-mingw-w64-x86-64 wine wine64
if ! apt-cache showsrc ck 2>/dev/null | grep -q '^Package'; then
    folder=/etc/apt/sources.list.d
    modern=$(for file in "$folder"/*.sources; do
        [ ! -e "$file" ] || sed 's/^Types: deb$/Types: deb-src/' "$file"
        echo
    done)
    old=$(for file in /etc/apt/sources.list "$folder"/*.list; do
        [ ! -e "$file" ] || sed -n 's/^deb /deb-src /p' "$file"
    done)
    printf '%s\n' "$modern" | $sudo tee "$folder/troupe-source.sources" >/dev/null
    printf '%s\n' "$old" | $sudo tee "$folder/troupe-source.list" >/dev/null
    $sudo apt-get update
fi
