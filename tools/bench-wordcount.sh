#!/bin/sh
# dev bench-wordcount [RUNS]: wordcount against a plain counter; time, memory
#
# The text is what `./dev demo` counts, repeated as real copies to 100 MB, and to
# 1 GB for the memory. Both programs print all words to a file. Exits with 1 when
# an answer differs or a ratio is over what is promised.
set -eu
. tools/common.sh
. tools/texts.sh

runs=${1:-41}
work=build/bench-wordcount
base_bytes=20000000
small_rounds=5  # of base_bytes: 100 MB
large_rounds=50 # 1 GB
wordcount=build/release/examples/wordcount
plain=build/release/bench/plain_wordcount

# Fills $work/base with base_bytes, from the start again if there is less.
make_base() {
    texts | awk -v most="$base_bytes" '
        { size[NR] = $1; sub(/^[0-9]+ /, ""); path[NR] = $0 }
        END {
            while (NR > 0 && total < most)
                for (i = 1; i <= NR && total < most; i++) {
                    total += size[i]
                    print path[i]
                }
        }' | tr '\n' '\0' |
        xargs -0 cp --parents --backup=numbered -t "$work/base.new" --
    chmod -R u+w "$work/base.new"
    mv "$work/base.new" "$work/base"
}

# copies NAME N: a folder of N copies of the base.
copies() {
    if [ -d "$work/$1" ]; then
        return
    fi
    say "making $work/$1: $2 copies of the text"
    rm -rf "$work/$1.new"
    mkdir -p "$work/$1.new"
    n=0
    while [ $n -lt "$2" ]; do
        n=$((n + 1))
        cp -r "$work/base" "$work/$1.new/$n"
    done
    mv "$work/$1.new" "$work/$1"
}

# field NAME LINE: of the LINE-th line of JSON.
field() {
    sed -n "$2s/.*\"$1\":\([0-9.]*\).*/\1/p" "$work/result"
}

sh tools/setup.sh bench
configure release
cmake --build --preset release \
    --target example_wordcount bench_plain_wordcount bench_alternate >&2
mkdir -p "$work/out"
if [ ! -d "$work/base" ]; then
    rm -rf "$work/base.new"
    mkdir -p "$work/base.new"
    make_base
fi
copies small $small_rounds
copies large $large_rounds
say "text: $(find "$work/small" -type f | wc -l) files," \
    "$(du -sb "$work/small" | cut -f 1) bytes;" \
    "large: $(du -sb "$work/large" | cut -f 1) bytes"

failed=0

# ratio NAME VALUE LIMIT
ratio() {
    verdict=$(awk -v x="$2" -v most="$3" 'BEGIN {
        printf "%.3f of at most %s%s", x, most, (x > most ? ": TOO MUCH" : "") }')
    echo "$1: $verdict"
    case $verdict in *TOO*) failed=1 ;; esac
}

# quotient A B
quotient() {
    awk -v a="$1" -v b="$2" 'BEGIN { printf "%.4f", a / b }'
}

build/release/bench/alternate "$runs" "$work/out" \
    -- "$plain" "$work/small" \
    -- "$wordcount" --nodes 1 --workers 2 --all "$work/small" \
    -- "$wordcount" --nodes 3 --all "$work/small" \
    -- "$wordcount" --nodes 0 --all "$work/small" \
    >"$work/result" 2>"$work/errors" || die "$(cat "$work/errors")"
cat "$work/result"
for i in 1 2 3; do
    cmp "$work/out/0.out" "$work/out/$i.out" || failed=1
done
ratio "1 node with 2 workers / plain" \
    "$(quotient "$(field median_s 2)" "$(field median_s 1)")" 0.7
ratio "3 nodes / plain" \
    "$(quotient "$(field median_s 3)" "$(field median_s 1)")" 1.0
echo "this process alone / plain: $(quotient \
    "$(field median_s 4)" "$(field median_s 1)")"
small_1=$(field peak_kb 2)
small_3=$(field peak_kb 3)

build/release/bench/alternate 1 "$work/out" \
    -- "$wordcount" --nodes 1 --workers 2 --all "$work/large" \
    -- "$wordcount" --nodes 3 --all "$work/large" \
    >"$work/result" 2>"$work/errors" || die "$(cat "$work/errors")"
cat "$work/result"
ratio "memory for 1 GB / for 100 MB, 1 node" \
    "$(quotient "$(field peak_kb 1)" "$small_1")" 1.05
echo "memory for 1 GB / for 100 MB, 3 nodes: $(quotient \
    "$(field peak_kb 2)" "$small_3")"
exit $failed
