#!/bin/sh
# symbols.sh: the shared library exports what the public headers declare with
# GR_API: all of it, and nothing else.
#
# From the environment: GREENROOM_SOURCE, GREENROOM_BUILD.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# A declaration may go over several lines. A function's name stands before the
# first parenthesis that follows a gr_ (or, for what inline functions call, a
# gri_) word, a variable's before the semicolon.
find "$GREENROOM_SOURCE/include/greenroom" -name '*.h' -exec cat {} + | awk '
    /^GR_API / { text = ""; open = 1 }
    open { text = text " " $0 }
    open && /[;{]/ {
        open = 0
        if (match(text, /gri?_[a-z0-9_]+\(/) ||
            match(text, /gri?_[a-z0-9_]+;/))
            print substr(text, RSTART, RLENGTH - 1)
    }' | LC_ALL=C sort -u >"$work/declared"
# (The linker lists the ends of a section too, but hides them from others.)
nm -D --defined-only "$GREENROOM_BUILD/libgreenroom.so" |
    awk '$3 !~ /^__(start|stop)_gri_/ { print $3 }' |
    LC_ALL=C sort -u >"$work/exported"

if ! diff -u "$work/declared" "$work/exported"; then
    echo "- declared with GR_API, + exported by libgreenroom.so" >&2
    exit 1
fi

# In the static library all code stands in sections of its own, by which it is
# told from that of the programs that link it (actors/guard.c).
if readelf -SW "$GREENROOM_BUILD/libgreenroom.a" | awk '
    / AX / && !/ (gri_text|gri_calls) / && !/ 000000 00 +AX / { print; n++ }
    / gri_text /  { text++ }
    / gri_calls / { calls++ }
    END { exit n == 0 && text > 0 && calls > 0 }'; then
    echo "libgreenroom.a has code outside of gri_text and gri_calls" >&2
    exit 1
fi
echo "$(wc -l <"$work/declared") symbols"
[ -s "$work/declared" ]
