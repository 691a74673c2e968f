#!/bin/sh
# The first program of the README, cut out of its text, compiles without a
# warning against this tree and prints what the README says.
set -eu
work=$GREENROOM_BUILD/tests/readme
mkdir -p "$work"
awk '/^```c$/ { inside = 1; next } /^```$/ { if (inside) exit } inside' \
    "$GREENROOM_SOURCE/README.md" >"$work/counter.c"
[ -s "$work/counter.c" ] || { echo "README.md has no C program"; exit 1; }

flags=$(sed -n 's/^CMAKE_C_FLAGS:[A-Z]*=//p' "$GREENROOM_BUILD/CMakeCache.txt")
# shellcheck disable=SC2086 # the flags are words
"$CC" -std=c11 -Wall -Wextra -Wpedantic -Werror $flags \
    -I "$GREENROOM_SOURCE/include" "$work/counter.c" \
    -L "$GREENROOM_BUILD" -Wl,-rpath,"$GREENROOM_BUILD" -lgreenroom \
    -o "$work/counter"
printed=$("$work/counter")
# shellcheck disable=SC2016 # the backquotes are those of the text
said=$(sed -n 's/^It prints `\(.*\)`\..*/\1/p' "$GREENROOM_SOURCE/README.md")
if [ "$printed" != "$said" ]; then
    echo "the README says '$said', the program printed '$printed'"
    exit 1
fi
