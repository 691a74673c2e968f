#!/bin/sh
# test_compile_fail.sh: each file of compile_fail/ is a mistake that the compiler
# must refuse, with an error that holds the words after WANT in its first line.
# With -DRIGHT the same file must compile: so it is the mistake that is refused,
# and not something else.
#
# From the environment: GREENROOM_SOURCE, CC, CXX.
set -eu

cd "$GREENROOM_SOURCE/tests/mailbox/compile_fail"
failed=0
checked=0

complain() {
    echo "$1" >&2
    failed=1
}

# try FILE COMPILER FLAG...
try() {
    file=$1
    shift
    checked=$((checked + 1))
    want=$(sed -n '1s,^/\* WANT: \(.*\) \*/$,\1,p' "$file")
    [ -n "$want" ] || complain "$file: its first line does not say what it wants"
    # A result that is not looked at is a warning; here it is one too many.
    set -- "$@" -Werror=unused-result -I"$GREENROOM_SOURCE/include" \
        -c -o /dev/null "$file"
    if errors=$("$@" 2>&1); then
        complain "$file: it compiles with: $*"
    elif ! printf '%s\n' "$errors" | grep -q "error:.*\($want\)"; then
        complain "$file: no error says '$want', but:
$errors"
    fi
    "$@" -DRIGHT -Wall -Wextra -Wpedantic -Werror ||
        complain "$file: what is right does not compile either"
}

for file in *.c; do
    try "$file" "$CC" -std=c11
done
for file in *.cpp; do
    try "$file" "$CXX" -std=c++17
done

echo "$checked compilations"
[ "$checked" -gt 0 ] && [ "$failed" -eq 0 ]
