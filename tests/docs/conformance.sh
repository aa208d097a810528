#!/bin/sh
# conformance.sh WORK_FILE: each test that docs/conformance.md names, `file: test`, exists; of a row that says "uring, epoll" one at
# least is registered to run on both ports; a row says "sim" if, and only if, one of its tests runs there (those of
# tests/io/sim_*.c); of one that says "no port" one at least is another; and every row names a test, or the later work that it
# waits for.
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
        sub(/no port/, "none", ports)
        gsub(/, /, "+", ports)
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
        if (tests && ports !~ /^(sim|(sim[+])?(both|none))$/)
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

on_sim()
{
    case $1 in
    tests/io/sim_*.c) grep -Eq "^troupe_test\(.* SOURCES .*[ /]?${1##*/}\)" "${1%/*}/CMakeLists.txt" ;;
    *) return 1 ;;
    esac
}

count=0
both_line=
sim_line=
none_line=
while read -r kind line file test ports; do
    [ "$kind" = test ] || continue
    count=$((count + 1))
    [ -e "$file" ] && grep -Eq "^Test\([a-z_]+, $test(,|\))" "$file" || complain "line $line: there is no $test in $file"
    if on_sim "$file"; then
        sim_line="$sim_line $line "
        continue
    fi
    none_line="$none_line $line "
    if [ -e "$file" ] && on_both_ports "$file"; then
        both_line="$both_line $line "
    fi
done <"$1"

# has LINES LINE
has()
{
    case $1 in
    *" $2 "*) return 0 ;;
    *) return 1 ;;
    esac
}

while read -r kind line ports tests; do
    [ "$kind" = row ] && [ "$tests" -gt 0 ] || continue
    case $ports in
    *both*) has "$both_line" "$line" || complain "line $line: none of its tests runs on both ports" ;;
    *none*) has "$none_line" "$line" || complain "line $line: all of its tests run on sim" ;;
    esac
    case $ports in
    *sim*) has "$sim_line" "$line" || complain "line $line: none of its tests runs on sim" ;;
    *) ! has "$sim_line" "$line" || complain "line $line: a test of it runs on sim, and it does not say so" ;;
    esac
done <"$1"

# What a test on sim says that it comes from has a row with that file.
for file in tests/io/sim_*.c; do
    for origin in $(grep -Eo 'test_[a-z_]+::[A-Za-z_0-9]+' "$file"); do
        grep -F "| $origin" "$document" | grep -Fq "$file" || complain "no row of $origin names $file"
    done
done

echo "$count tests are named"
[ "$count" -gt 100 ] && [ "$bad" = 0 ]
