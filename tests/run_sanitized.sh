#!/bin/sh
# run_sanitized.sh LOG COMMAND…: runs a test under its sanitizer and fails when the sanitizer has reported anything.
#
# Criterion runs each test in a process of its own and does not notice a leak that LeakSanitizer reports there. So the
# reports go to files LOG.*, and a file that exists is a failure, whatever the test says of itself.
log=$1
shift
mkdir -p "$(dirname "$log")"
rm -f "$log".*
ASAN_OPTIONS="log_path=$log:detect_leaks=1:$ASAN_OPTIONS" \
UBSAN_OPTIONS="log_path=$log:print_stacktrace=1:$UBSAN_OPTIONS" \
TSAN_OPTIONS="log_path=$log:halt_on_error=1:$TSAN_OPTIONS" \
LSAN_OPTIONS="suppressions=$(dirname "$0")/leaks.supp:print_suppressions=0:$LSAN_OPTIONS" \
    "$@"
status=$?
for report in "$log".*; do
    [ -e "$report" ] || continue
    echo "sanitizer report $report:"
    cat "$report"
    status=99
done
exit $status
