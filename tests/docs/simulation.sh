#!/bin/sh
# simulation.sh [--write] WORK TROUPE_SIM BANK: runs the commands of docs/simulation.md and compares what they write with
# what the page says they do; times may differ. With --write the page is made to say it.
set -eu
write=
[ "$1" != --write ] || { write=yes; shift; }
page=$(cd "$(dirname "$0")/../.." && pwd)/docs/simulation.md
rm -rf "$1"
mkdir -p "$1"
cd "$1"
ln -s "$3" bank
ln -s "$2" troupe-sim
PATH=$PWD:$PATH
export PATH
unset TROUPE_SEED TROUPE_SIM_TRACE

# The seed that the page is about is the first that fails.
if [ -n "$write" ]; then
    old=$(sed -n 's|^again: ./bank --seed ||p' "$page" | head -n 1)
    new=$(troupe-sim ./bank --seeds 1000 --jobs 2 | sed -n 's|^again: ./bank --seed ||p')
    sed -i "s/\\bseed $old\\b/seed $new/g; s/TROUPE_SEED=$old /TROUPE_SEED=$new /g" "$page"
fi

awk '
    /^```console/ { inside = 1; print; next }
    inside && /^```/ { inside = 0 }
    inside && /^\$ / {
        print
        command = "{ " substr($0, 3) "; } 2>&1"
        while ((command | getline line) > 0)
            print line
        close(command)
        count++
    }
    !inside { print }
    END { exit count == 0 }
' "$page" >page.md

if [ -n "$write" ]; then
    cp page.md "$page"
    exit
fi
for file in "$page" page.md; do
    sed 's/; [0-9.]* s, [0-9]* seeds a second$/; … s, … seeds a second/' "$file" >"$(basename "$file").timeless"
done
diff simulation.md.timeless page.md.timeless || {
    echo "docs/simulation.md does not say what happens. If what happens is right: tests/docs/simulation.sh --write $*"
    exit 1
}
