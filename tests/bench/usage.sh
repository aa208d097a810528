#!/bin/sh
# usage.sh TROUPE-BENCH: what it answers when it is called wrongly, and that its list is one of workloads it has. The
# emulator, if any, is in EMULATOR.
program=$1
bench() { $EMULATOR "$program" "$@"; }
failed=0

answers() {
    expected=$1
    shift
    "$@" >/dev/null 2>&1
    status=$?
    [ $status = "$expected" ] && return
    echo "exit code $status, not $expected: $*"
    failed=1
}

answers 3 bench no-such-workload
answers 3 bench no-such-workload 5
answers 2 bench
answers 2 bench ring 5 5
for n in 0 -1 many 5x 99999999999999999999 ''; do
    answers 2 bench ring "$n"
    THREADS=$n answers 2 bench ring 5
done
answers 2 bench skynet1m 500
answers 2 bench timers 1500
bench no-such-workload 2>&1 | grep -q no-such-workload || { echo "it does not name what it has not"; failed=1; }

for workload in $(bench --list | tr -d '\r' | cut -d' ' -f1); do
    answers 0 bench "$workload" 10
done
twice=$(bench --list | tr -d '\r' | cut -d' ' -f1 | sort | uniq -d)
[ -z "$twice" ] || { echo "listed twice: $twice"; failed=1; }
count=$(bench --list | wc -l)
[ "$count" -ge 9 ] || { echo "only $count workloads are listed"; failed=1; }
exit $failed
