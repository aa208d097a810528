#!/bin/sh
# instructions_test.sh: instructions.sh by itself, with a valgrind that counts what it is told to: COST instructions an
# operation.
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d) || exit 1
trap 'rm -rf "$folder"' EXIT
cp "$here/instructions.sh" "$folder"
mkdir "$folder/bin"
cat >"$folder/bin/valgrind" <<'EOF'
#!/bin/sh
for argument in "$@"; do
    case $argument in --log-file=*) log=${argument#*=} ;; esac
    workload=$operations operations=$argument
done
[ "$workload" = "$BROKEN" ] && { echo "it has crashed" >"$log"; exit 1; }
echo "==1== I   refs:      $((100000 + COST * operations))" | sed 's/\([0-9]\)\([0-9]\{3\}\)$/\1,\2/' >"$log"
echo "$workload troupe $operations 0.1 1 1 cpu=1"
EOF
printf '#!/bin/sh\n' >"$folder/bench"
chmod +x "$folder/bin/valgrind" "$folder/bench"
failed=0

# answers EXPECTED TEXT COMMAND…: it exits with EXPECTED and says TEXT, a pattern.
answers() {
    expected=$1 text=$2
    shift 2
    said=$(PATH=$folder/bin:$PATH "$@" 2>&1)
    status=$?
    [ $status = "$expected" ] && echo "$said" | tr '\n' ' ' | grep -q -- "$text" && return
    echo "exit code $status, not $expected, or not \"$text\": $*"
    echo "$said"
    failed=1
}

check() { "$folder/instructions.sh" "$@"; }

echo "# comment" >"$folder/instructions.txt"
export COST BROKEN
COST=1000 BROKEN=none
answers 2 "TROUPE-BENCH BUILD" check
answers 2 "TROUPE-BENCH BUILD" check "$folder/none" some build
answers 77 "nothing of some build" check "$folder/bench" some build
answers 0 "no baseline" check --write "$folder/bench" some build
answers 0 "no baseline" check --write "$folder/bench" some build -g
answers 0 "as before" check "$folder/bench" some build
answers 77 "nothing of build" check "$folder/bench" build
COST=1049 answers 0 "+4.9 %, as before" check "$folder/bench" some build
COST=1051 answers 1 "+5.1 %, dearer.* [^ ]*instructions.sh --write [^ ]*/bench 'some build'" check "$folder/bench" some build
COST=940 answers 0 "-6.0 %, cheaper.* [^ ]*instructions.sh --write [^ ]*/bench 'some build'" check "$folder/bench" some build
COST=1100 answers 0 dearer check --write "$folder/bench" some build
COST=1100 answers 0 "as before" check "$folder/bench" some build
answers 0 "as before" check "$folder/bench" some build -g
BROKEN=spawn answers 1 "it has crashed" check "$folder/bench" some build
sed -i '/^spawn.* build$/d' "$folder/instructions.txt"
answers 1 "spawn on epoll: .*no baseline" check "$folder/bench" some build
[ "$(head -1 "$folder/instructions.txt")" = "# comment" ] || { echo "the comment is gone"; failed=1; }
exit $failed
