#!/bin/sh
# usage.sh TROUPE-BENCH: what it answers when it is called wrongly, that its list is one of workloads it has, and that its
# JSON is JSON. The emulator, if any, is in EMULATOR.
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
answers 2 bench --json
answers 2 bench --json ring 5 5
answers 2 bench --json ring many
answers 3 bench --json no-such-workload
answers 0 bench --json ring 5
for n in 0 -1 many 5x 99999999999999999999 ''; do
    answers 2 bench ring "$n"
    THREADS=$n answers 2 bench ring 5
done
answers 2 bench skynet1m 500
answers 2 bench timers 1500
answers 2 bench fib 41
bench no-such-workload 2>&1 | grep -q no-such-workload || { echo "it does not name what it has not"; failed=1; }

# Each works, and its JSON is what another program reads as JSON: a name and numbers.
lines=
for workload in $(bench --list | tr -d '\r' | cut -d' ' -f1); do
    line=$(bench --json "$workload" 10) || { echo "exit code $?: $workload 10"; failed=1; }
    lines="$lines$line
"
done
if python3 -c pass 2>/dev/null; then
    printf %s "$lines" | python3 -c '
import json, sys
for line in sys.stdin:
    figures = json.loads(line)
    assert isinstance(figures.pop("workload"), str) and all(isinstance(v, (int, float)) for v in figures.values()), line
' || failed=1
fi
twice=$(bench --list | tr -d '\r' | cut -d' ' -f1 | sort | uniq -d)
[ -z "$twice" ] || { echo "listed twice: $twice"; failed=1; }
count=$(bench --list | wc -l)
[ "$count" -ge 40 ] || { echo "only $count workloads are listed"; failed=1; }
exit $failed
