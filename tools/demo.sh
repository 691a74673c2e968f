#!/bin/sh
# dev demo: count words on 3 nodes while actors crash; compare with coreutils
#
# Ends with the line "identical", or says how the two answers differ and exits
# with status 1.
set -eu
. tools/common.sh
. tools/texts.sh

bytes_min=20000000
work=build/demo

seconds() {
    date +%s.%N
}

# since START: seconds since then, for a person.
since() {
    echo "$1 $(seconds)" | awk '{ printf "%.1f s", $2 - $1 }'
}

# Fills $work/text with at least bytes_min: the files found, from the start
# again (into another folder) if they are not enough.
collect() {
    rm -rf "$work"
    mkdir -p "$work/text"
    texts >"$work/texts"
    [ -s "$work/texts" ] || die "found no text on this machine"
    awk -v bytes_min="$bytes_min" '
        { size[NR] = $1; sub(/^[0-9]+ /, ""); path[NR] = $0 }
        END {
            for (round = 1; total < bytes_min; round++)
                for (i = 1; i <= NR && total < bytes_min; i++) {
                    total += size[i]
                    print path[i] >(FILENAME "." round)
                }
        }' "$work/texts"
    for list in "$work"/texts.*; do
        target=$work/text/round${list##*.}
        mkdir -p "$target"
        tr '\n' '\0' <"$list" | xargs -0 cp --parents -t "$target" --
    done
    chmod -R u+w "$work/text"
}

# The same count by other means, byte for byte.
with_coreutils() {
    # shellcheck disable=SC1003,SC2016,SC2018,SC2019 # sed's, and ASCII is meant
    find -H "$1" -type f -print0 | LC_ALL=C xargs -0 sed -s '$a\' -- |
        LC_ALL=C tr -cs A-Za-z '\n' | LC_ALL=C tr A-Z a-z | grep . |
        LC_ALL=C sort | uniq -c | awk '{print $1" "$2}' |
        LC_ALL=C sort -k1,1nr -k2,2
}

sh tools/setup.sh demo
say "building"
configure release
cmake --build --preset release --target example_wordcount >&2

collect
say "text: $(find "$work/text" -type f | wc -l) files," \
    "$(find "$work/text" -type f -printf '%s\n' |
        awk '{ n += $1 } END { printf "%.1f MB", n / 1000000 }')"

say "greenroom: 3 nodes, every 7th chunk crashes its actor, a node is killed"
start=$(seconds)
build/release/examples/wordcount --nodes 3 --crash-every 7 --kill-node \
    --all "$work/text" >"$work/greenroom.txt" ||
    die "wordcount failed: exit status $?"
say "greenroom: $(since "$start"), $(wc -l <"$work/greenroom.txt") words"

start=$(seconds)
with_coreutils "$work/text" >"$work/coreutils.txt"
say "coreutils: $(since "$start"), $(wc -l <"$work/coreutils.txt") words"

# Nothing compared with nothing would be identical too.
[ -s "$work/coreutils.txt" ] || die "coreutils counted nothing"
if ! cmp "$work/greenroom.txt" "$work/coreutils.txt" >&2; then
    diff "$work/greenroom.txt" "$work/coreutils.txt" | head -n 20 >&2
    echo "different (< greenroom, > coreutils)"
    exit 1
fi
echo "identical"
