#!/bin/sh
# conformance.sh WORK_FILE: each test that docs/conformance.md names, `file: test`, exists; a row says "uring, epoll" if, and only if,
# one of its tests is registered to run on both ports, "sim" if one runs there (those of tests/io/sim_*.c), "iocp" if one is for
# Windows alone, and "no port" if one is run once, on the port that a program gets by default: so none is taken for one that runs
# elsewhere; and every row names a test, or the later work that it waits for.
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
        if (tests && ports !~ /^(sim|iocp|(sim[+])?(both|none|both[+]none))$/)
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

on_iocp()
{
    case $1 in
    *windows.c | */iocp*.c) grep -Eq "[ /]${1##*/}\)" "${1%/*}/CMakeLists.txt" ;;
    *) return 1 ;;
    esac
}

count=0
iocp_line=
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
    if on_iocp "$file"; then
        iocp_line="$iocp_line $line "
    elif [ -e "$file" ] && on_both_ports "$file"; then
        both_line="$both_line $line "
    else
        none_line="$none_line $line "
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

# says PORTS ONE LINES LINE WORDS: the row in this line says ONE if it is among LINES, and only then.
says()
{
    case $1 in
    *"$2"*) has "$3" "$4" || complain "line $4: none of its tests runs $5" ;;
    *) ! has "$3" "$4" || complain "line $4: a test of it runs $5, and it does not say so" ;;
    esac
}

while read -r kind line ports tests; do
    [ "$kind" = row ] && [ "$tests" -gt 0 ] || continue
    says "$ports" both "$both_line" "$line" "on both ports"
    says "$ports" none "$none_line" "$line" "on no particular port"
    says "$ports" iocp "$iocp_line" "$line" "on Windows alone"
    says "$ports" sim "$sim_line" "$line" "on sim"
done <"$1"

# What a test on sim says that it comes from has a row with that file.
for file in tests/io/sim_*.c; do
    for origin in $(grep -Eo 'test_[a-z_]+::[A-Za-z_0-9]+' "$file"); do
        grep -F "| $origin" "$document" | grep -Fq "$file" || complain "no row of $origin names $file"
    done
done

echo "$count tests are named"
[ "$count" -gt 100 ] && [ "$bad" = 0 ]
