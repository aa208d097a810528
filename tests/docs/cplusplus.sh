#!/bin/sh
# cplusplus.sh WORK LIBRARY CXX [FLAG…]: each public header compiles by itself as C++, and what is declared is found in the library.
set -eu
cd "$(dirname "$0")/../.."
work=$1
library=$2
shift 2
rm -rf "$work"
mkdir -p "$work"

for header in */include/troupe/*.h; do
    echo "#include <troupe/${header##*/}>" >"$work/header.cpp"
    "$@" -Wall -Wextra -Wpedantic -Werror -fsyntax-only "$work/header.cpp"
done

cat >"$work/program.cpp" <<'END'
#include <troupe/troupe.h>
#include <cstring>

int main()
{
    tr_system system = {};
    tr_options none = {};
    tr_log_to([](void *, const tr_log_record *) {}, nullptr);
    bool refused = tr_open(&system, &none) == TR_EINVAL && tr_close(&system) == TR_ECLOSED;
    return refused && std::strcmp(tr_error_name(TR_EINVAL), "TR_EINVAL") == 0 ? 0 : 1;
}
END
"$@" -Wall -Wextra -Werror -o "$work/program" "$work/program.cpp" "$library" -Wl,-rpath,"$(dirname "$library")" -pthread
"$work/program"
