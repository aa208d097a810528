#!/bin/sh
# instructions.sh [--write] TROUPE-BENCH BUILD…: counts the instructions that an operation takes, and fails when one takes
# over 5 % more than instructions.txt says of this kind of build. That does not depend on what else the machine does, and
# hardly on the machine. With --write it puts what it has counted into that file.
#
# BUILD says how the program was built: compiler, processor, options. Exits with 0; 1; 2 when it was called wrongly; or 77
# when there is nothing to compare with.
#
# Valgrind counts, over two runs of different sizes: what they differ by is the work, without the beginning and the end.
# It cannot run io_uring. Under it the clock moves on some fifty times as fast, so it is read more often than otherwise.
here=$(cd "$(dirname "$0")" && pwd)
baseline=$here/instructions.txt
write=no
if [ "$1" = --write ]; then
    write=yes
    shift
fi
if [ $# -lt 2 ] || [ ! -x "$1" ]; then
    sed -n '2,3s/^# //p' "$0" >&2
    exit 2
fi
program=$1
shift
build=$*
command -v valgrind >/dev/null || { echo "skipped: there is no valgrind"; exit 77; }

# of_build TEST: the workloads and figures of the lines of the baseline whose build is ours (TEST is ==), or the whole
# lines of the others (!=).
of_build() {
    awk -v build="$build" '{ whole = $0; name = $1; figure = $2; sub(/^[^ ]+ [^ ]+ /, "") }
        $0 '"$1"' build { print "'"$1"'" == "==" ? name " " figure : whole }' "$baseline"
}

if [ $write = no ] && [ -z "$(of_build '==')" ]; then
    echo "skipped: $baseline has nothing of $build"
    exit 77
fi
out=$(mktemp -d) || exit 1
trap 'rm -rf "$out"' EXIT

# count PORT WORKLOAD N: the operations of a run and its instructions.
count() {
    TROUPE_PORT=$1 THREADS=1 timeout -s KILL 1000 valgrind --tool=cachegrind --cache-sim=no \
        --cachegrind-out-file=/dev/null --log-file="$out/log" "$program" "$2" "$3" >"$out/line" ||
        { echo "$2 $3 on $1 has failed:" >&2; cat "$out/log" >&2; return 1; }
    set -- "$(cut -d' ' -f3 "$out/line")" "$(sed -n 's/.*I *refs: *//p' "$out/log" | tr -d ,)"
    [ -n "$1" ] && [ -n "$2" ] || { echo "valgrind has counted nothing:" >&2; cat "$out/log" >&2; return 1; }
    echo "$1 $2"
}

# measure PORT WORKLOAD SMALL LARGE: the instructions of an operation.
measure() {
    small=$(count "$1" "$2" "$3") && large=$(count "$1" "$2" "$4") || return 1
    echo "$small $large" | awk '{ printf "%.1f\n", ($4 - $2) / ($3 - $1) }'
}

result=0 cheaper=
: >"$out/new"
while read -r port workload small large; do
    now=$(measure "$port" "$workload" "$small" "$large") || exit 1
    echo "$workload.$port $now $build" >>"$out/new"
    before=$(of_build '==' | awk -v name="$workload.$port" '$1 == name { print $2 }')
    if [ -z "$before" ]; then
        echo "$workload on $port: $now instructions an operation; no baseline"
        [ $write = yes ] || result=1
        continue
    fi
    verdict=$(awk -v now="$now" -v before="$before" 'BEGIN {
        f = now / before
        printf "%+.1f %%, %s\n", (f - 1) * 100, (f > 1.05) ? "dearer" : (f < 0.95) ? "cheaper" : "as before" }')
    echo "$workload on $port: $now instructions an operation, $before before: $verdict"
    case $verdict in
    *dearer) [ $write = yes ] || result=1 ;;
    *cheaper) cheaper=yes ;;
    esac
done <<EOF
epoll pingpong 5000 105000
epoll spawn 5000 55000
epoll echo 2000 22000
sim echo 1000 4000
EOF

command="$0 --write $program '$build'"
if [ $write = yes ]; then
    of_build '!=' >"$out/all" && cat "$out/all" "$out/new" >"$baseline"
elif [ $result = 1 ]; then
    echo "If it is meant to be so: $command"
elif [ -n "$cheaper" ]; then
    echo "Cheaper than what is written; let it stay so: $command"
fi
exit $result
