#!/bin/sh
# conformance.sh WORK_FILE: each test that docs/conformance.md names, `file: test`, exists; of a row that says "uring, epoll" one at
# least is registered to run on both ports; and every row names a test, or the later work that it waits for.
set -eu
cd "$(dirname "$0")/../.."
document=docs/conformance.md
bad=0

complain()
{
    echo "$document: $*"
    bad=1
}

# "file test ports" of each test that is named in a table, and of each row that names none its first cell.
awk -F ' *[|] *' '
    !/^\|/ || /^\|---/ || $NF != "" { next }
    /^\| *(CPython)? *\|/ && $4 == "tests" { next }
    {
        tests = 0
        rest = $4
        ports = $5 == "" ? "-" : $5
        sub(/uring, epoll/, "both", ports)
        gsub(/ /, "_", ports)
        while (match(rest, /`tests\/[^`]*`/)) {
            one = substr(rest, RSTART + 1, RLENGTH - 2)
            rest = substr(rest, RSTART + RLENGTH)
            if (split(one, part, ": ") != 2 || part[2] !~ /^[a-z_0-9]+$/)
                print "bad", NR, one
            else
                print "test", NR, part[1], part[2], ports
            tests++
        }
        if (tests && ports != "both" && ports != "no_port")
            print "bad", NR, "ports: " $5
        if (!tests && $4 !~ /^later: / && $4 !~ /^not applicable: /)
            print "bad", NR, "no test, and nothing that it waits for: " $2
        print "row", NR, ports, tests
    }
' "$document" >"$1"

while read -r kind line rest; do
    [ "$kind" != bad ] || complain "line $line: $rest"
done <"$1"

on_both_ports()
{
    case $1 in
    tests/docs/examples/*) grep -q 'PORTS SOURCES examples/' tests/docs/CMakeLists.txt ;;
    *) grep -Eq "PORTS .*[ /]${1##*/}\)" "${1%/*}/CMakeLists.txt" ;;
    esac
}

count=0
both_line=
while read -r kind line file test ports; do
    [ "$kind" = test ] || continue
    count=$((count + 1))
    [ -e "$file" ] && grep -Eq "^Test\([a-z_]+, $test(,|\))" "$file" || complain "line $line: there is no $test in $file"
    if [ "$ports" = both ] && [ -e "$file" ] && on_both_ports "$file"; then
        both_line="$both_line $line "
    fi
done <"$1"

while read -r kind line ports tests; do
    [ "$kind" = row ] && [ "$ports" = both ] || continue
    case $both_line in
    *" $line "*) ;;
    *) complain "line $line: none of its tests runs on both ports" ;;
    esac
done <"$1"

echo "$count tests are named"
[ "$count" -gt 100 ] && [ "$bad" = 0 ]
