#!/bin/sh
# dev bench-check: instructions per operation (callgrind); 5 % more than recorded fails
#
# Instructions, not time: nearly the same on a busy machine; but how many actors
# live at once depends on time, in fjcreate by a tenth, so what grew is counted
# up to three times, and the least taken. Each workload runs twice
# with one worker, once with more operations than the other; the difference,
# over the operations more, is what one costs without the start and the end. Of
# the two processes of greenroom-bench-net (net_...) those of the one that sends
# or asks are counted, all its threads together.
#
# bench/instructions.txt has a line for each: the workload, the parameter that
# says how many, its two values, operations for each of it, and the recorded
# figure. `./dev bench-check record` writes what it finds there: do so when a
# figure grew for a reason that is worth it, and say it in docs/performance.md.
set -eu
. tools/common.sh

sh tools/setup.sh memcheck
list=bench/instructions.txt
configure release
cmake --build build/release --target bench_greenroom bench_net >&2

# count NAME KEY=VALUE: instructions of the whole run.
count() {
    program=greenroom-bench
    name=$1
    case $name in
    net_*)
        program=greenroom-bench-net
        name=${name#net_}
        ;;
    esac
    BENCH_NO_SIGNAL=1 \
        valgrind --tool=callgrind --callgrind-out-file=build/callgrind.out \
        "build/release/bench/$program" "$name" workers=1 "$2" \
        >build/callgrind.log 2>&1 || {
        cat build/callgrind.log >&2
        die "$1 $2 failed under callgrind"
    }
    sed -n 's/^totals: //p' build/callgrind.out
}

# grew LINE: does it cost 5 % more than recorded?
grew() {
    echo "$1" | awk '{ exit !(($8 - $7) / (($4 - $3) * $5) > $6 * 1.05) }'
}

found=build/instructions.txt
: >"$found"
while read -r name key few many ops recorded; do
    case $name in '' | '#'*) continue ;; esac
    least=
    for _ in 1 2 3; do
        a=$(count "$name" "$key=$few")
        b=$(count "$name" "$key=$many")
        if [ -z "$least" ] || [ $((b - a)) -lt "$least" ]; then
            least=$((b - a))
            line="$name $key $few $many $ops $recorded $a $b"
        fi
        grew "$line" || break
    done
    echo "$line" >>"$found"
done <"$list"

if [ "${1:-}" = record ]; then
    {
        sed -n '/^#/p' "$list"
        awk '{ printf "%s %s %d %d %s %.0f\n", $1, $2, $3, $4, $5,
            ($8 - $7) / (($4 - $3) * $5) }' "$found"
    } >build/instructions.new
    mv build/instructions.new "$list"
    cat "$list"
    exit 0
fi

awk '
{
    now = ($8 - $7) / (($4 - $3) * $5)
    verdict = now > $6 * 1.05 ? "GREW" : now < $6 * 0.95 ? "fewer: record it" : "as recorded"
    bad += now > $6 * 1.05
    printf "%-14s %8.0f instructions, recorded %8.0f: %s\n", $1, now, $6, verdict
}
END {
    print bad ? "bench-check: " bad " grew by more than 5 %" : "bench-check: none grew by more than 5 %"
    exit bad != 0
}' "$found"
