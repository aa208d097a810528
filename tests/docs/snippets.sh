#!/bin/sh
# snippets.sh WORK LIBRARY CC [FLAG…]: compiles every block of C in README.md and docs/*.md.
#
#   ```c            a whole source file, as it stands; if it has a main it is linked as well
#   ```c fragment   declarations and functions: <troupe/troupe.h> is included before them
#   ```c handler    statements, which may use self, state and m: they become the body of a handler
#
# Complaints of the compiler are about the lines of the document.
set -eu
cd "$(dirname "$0")/../.."
work=$1
library=$2
shift 2
rm -rf "$work"
mkdir -p "$work"

awk -v work="$work" '
    function finish()
    {
        if (kind == "handler")
            print "#line 1 \"(after the snippet)\"\nreturn TR_CONTINUE;\n}" >file
        close(file)
        inside = 0
    }
    /^```c/ && !/^```(console|cmake)$/ {
        kind = $2
        if ($1 != "```c" || (kind != "" && kind != "fragment" && kind != "handler")) {
            print FILENAME ":" FNR ": what kind of snippet is " $0 "?"
            bad = 1
        }
        name = FILENAME
        gsub(/[^A-Za-z0-9]/, "_", name)
        file = work "/" name "_" FNR ".c"
        inside = 1
        if (kind != "")
            print "#include <troupe/troupe.h>" >file
        if (kind == "handler")
            print "int snippet(tr_self *self, void *state, const tr_msg *m);\n" \
                "int snippet(tr_self *self, void *state, const tr_msg *m)\n{\n(void)self, (void)state, (void)m;" >file
        print "#line " FNR + 1 " \"" FILENAME "\"" >file
        next
    }
    /^```/ { if (inside) finish(); next }
    inside { print >file }
    END { exit bad }
' README.md docs/*.md

count=0
for file in "$work"/*.c; do
    [ -e "$file" ] || break
    case $(grep -c '^int main(' "$file") in
    0) "$@" -c -o "${file%.c}.o" "$file" ;;
    *) "$@" -o "${file%.c}" "$file" "$library" ;;
    esac
    count=$((count + 1))
done
echo "$count snippets compiled"
[ "$count" -gt 0 ]
