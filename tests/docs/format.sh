#!/bin/sh
# format.sh [--fix]: every C file is written as .clang-format says (version 14; others differ in small things), and no line,
# comments included, is longer than 128. What is not is named, with the first line that differs; --fix writes it anew (but
# breaks no comments).
set -u
cd "$(dirname "$0")/../.." || exit 1
format=$(command -v clang-format-14 || command -v clang-format) || {
    echo "there is no clang-format"
    exit 1
}
case $("$format" --version) in
*" 14."*) ;;
*) echo "this is $("$format" --version), not 14" && exit 1 ;;
esac
files=$(find mailbox sched actors io tests docs -name '*.[ch]' | sort)
if [ "${1-}" = --fix ]; then
    # shellcheck disable=SC2086
    "$format" -i $files
    exit
fi
# shellcheck disable=SC2086
long=$(grep -nE '^.{129,}' $files | cut -c1-100)
[ -z "$long" ] || echo "longer than 128:
$long"
# shellcheck disable=SC2086
said=$("$format" --dry-run -Werror $files 2>&1)
[ -z "$said$long" ] && exit 0
[ -z "$said" ] && exit 1
echo "$said" | grep -E '^[^ ]+\.[ch]:[0-9]+' | sort -t: -k1,1 -u
echo "$(echo "$said" | grep -Ec '^[^ ]+\.[ch]:[0-9]+') places; tests/docs/format.sh --fix mends them"
exit 1
