#!/bin/sh
# check_headers.sh: every header compiles alone. Public headers must do so
# under the strictest settings of a user's program, in C and in C++; internal
# ones as the library is compiled.
#
# From the environment: GREENROOM_SOURCE, CC, CXX.
set -eu

cd "$GREENROOM_SOURCE"
failed=0
checked=0

# try HEADER COMPILER FLAG...
try() {
    header=$1
    shift
    checked=$((checked + 1))
    # Twice: a header must guard itself against a second inclusion.
    if ! printf '#include <%s>\n#include <%s>\n' "$header" "$header" |
        "$@" -fsyntax-only -Wall -Wextra -Wpedantic -Werror -Iinclude -; then
        echo "$header does not compile alone with: $*" >&2
        failed=1
    fi
}

for header in $(cd include && find greenroom -name '*.h' | sort); do
    try "$header" "$CC" -x c -std=c11 -Wundef -Wconversion
    try "$header" "$CXX" -x c++ -std=c++17 -Wundef
    try "$header" "$CXX" -x c++ -std=c++20 -Wundef
done
for header in $(find base sched mailbox actors supervisor patterns process \
    transport tests/support -name '*.h' 2>/dev/null | sort); do
    try "$header" "$CC" -x c -std=c11 -D_GNU_SOURCE -I. -Wundef -Wshadow \
        -Wstrict-prototypes
done

echo "$checked compilations"
# A check of nothing is not a success.
[ "$checked" -gt 0 ] && [ "$failed" -eq 0 ]
