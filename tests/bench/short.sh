#!/bin/sh
# short.sh TROUPE-BENCH WORKLOAD WORKERS N OPS: runs a workload, twice, and checks the lines it prints, the second one in
# JSON: their form, and that it has done OPS operations. The emulator, if any, is in EMULATOR.
line=$(THREADS=$3 $EMULATOR "$1" "$2" "$4") || exit 1
line=$(printf %s "$line" | tr -d '\r')
echo "$line"
case $2 in
idle) more=' bytes_per_actor=-?[0-9]+' ;;
sim) more=' seeds=[0-9]+ seeds_per_s=[0-9]+' ;;
sleeper) more=' round_ns=[0-9]+ parks=[0-9.]+' ;;
timers) more=' arm_ns=[0-9.]+ cancel_ns=[0-9.]+ fired=[0-9]+ cancelled=[0-9]+' ;;
esac
echo "$line" | grep -Eqx "$2 troupe $5 [0-9]+\.[0-9]{6} [0-9]+ [0-9]+ cpu=[0-9.]+$more" ||
    { echo "that is not the line of $5 operations"; exit 1; }

line=$(THREADS=$3 $EMULATOR "$1" --json "$2" "$4") || exit 1
line=$(printf %s "$line" | tr -d '\r')
echo "$line"
workers=$3
[ "$2" = sim ] && workers=1
figures="\"operations\": $5, \"seconds\": [0-9]+\.[0-9]{9}, \"ns_per_op\": [0-9]+\.[0-9]{3}, \"peak_rss_kib\": [0-9]+"
more=$(echo "$more" | sed -E 's/ ([a-z_]+)=/, "\1": /g')
echo "$line" | grep -Eqx "\{\"workload\": \"$2\", \"workers\": $workers, $figures, \"cpu_seconds\": [0-9.]+$more\}" ||
    { echo "that is not the JSON of $5 operations"; exit 1; }
