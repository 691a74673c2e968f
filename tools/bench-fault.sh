#!/bin/sh
# dev bench-fault [N]: what a crash and a restart cost, for each kind of fault, N times (100,000: half an hour)
#
# Most of that is for the two kinds that run the stack over, 3 to 9 ms a crash:
# a stack of 8 MiB is touched every time. Standard error, on which libc tells of
# each failed assertion, is thrown away. Exit status 1 if some run did not trap
# and restart all, if more was lost than what was in hand, if memory grew by more
# than 5 %, or if a write to NULL, or a process actor's restart, costs too much.
set -eu
. tools/common.sh

n=${1:-100000}
case $n in
'' | 0* | *[!0-9]*) die "not a number of crashes: $n" ;;
esac
limit_us=15 # of a crash by a write to NULL with its restart
process_us=1000 # that the restart of a process actor costs more, the median
work=build/bench
lines=$work/fault.txt

sh tools/setup.sh bench
configure release
cmake --build --preset release --target bench_fault >&2
program=build/release/bench/greenroom-bench-fault
mkdir -p "$work"
: >"$lines"

# one NAME [KEY=VALUE...]: adds its lines; one that says failed= if it did.
one() {
    say "$*"
    status=0
    "$program" "$@" >"$work/fault.out" 2>/dev/null || status=$?
    cat "$work/fault.out" >>"$lines"
    if [ "$status" -ne 0 ]; then
        echo "bench=$1 failed=$status" >>"$lines"
    fi
}

# Without arguments it lists them.
kinds=$("$program" 2>&1 | awk '/n=/ && $1 !~ /^(memory|lost|process)$/ {
    print $1
}' || true)
[ -n "$kinds" ] || die "bench-fault: no kinds of faults"
for kind in $kinds; do
    one "$kind" "n=$n"
done
echo "part=report" >>"$lines"
one write-null "n=$n" level=4
one write-null "n=$n" level=1
echo "part=process" >>"$lines"
one process
echo "part=memory" >>"$lines"
one memory n=1000000
echo "part=lost" >>"$lines"
one lost

awk -v n="$n" -v limit_us="$limit_us" -v process_us="$process_us" '
function head(text) {
    print (rows++ ? "\n" : "") text
}
function wrong(text) {
    bad[++bads] = text
}
function row(name) {
    printf "%-18s %12.1f %12d %10.1f\n", name, f["ns_per_op"] / 1000,
        1e9 / f["ns_per_op"], f["rss_kb"] / 1024
}
function heads(first) {
    printf "%-18s %12s %12s %10s\n", first, "us", "restarts/s", "RSS, MiB"
}
BEGIN {
    head("A crash and its restart, " n " of each kind")
    heads("kind")
}
/^part=/ {
    part = substr($1, 6)
    if (part == "report") {
        head("write-null with and without a crash report")
        heads("report")
    } else if (part == "process")
        head("Restart of a process actor beside a local one")
    else if (part == "memory")
        head("Memory after crashes and restarts")
    else
        head("Messages lost by crashes of a stable actor")
    next
}
{
    split("", f)
    for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        f[substr($i, 1, at - 1)] = substr($i, at + 1)
    }
}
"failed" in f {
    print f["bench"] ": failed with status " f["failed"]
    wrong(f["bench"] " failed")
    next
}
part == "" {
    row(f["bench"])
    if (f["bench"] != "error" && f["trapped"] != n)
        wrong(f["bench"] ": trapped " f["trapped"] " of " n)
    if (f["bench"] == "write-null" && f["ns_per_op"] > limit_us * 1000)
        wrong("write-null costs more than " limit_us " us")
}
part == "report" { row(f["level"] == 1 ? "off" : "on, to nobody") }
part == "process" {
    printf "%-18s median %s us, p99 %s us\n", f["bench"], f["median_us"],
        f["p99_us"]
    median_us[f["bench"]] = f["median_us"]
}
part == "memory" {
    printf "%d KiB after a tenth, %d KiB after 1,000,000\n", f["kb_before"],
        f["kb_after"]
    if (f["kb_after"] > f["kb_before"] * 1.05)
        wrong("memory grew by more than 5 %")
}
part == "lost" {
    printf "set aside after %d: sent %d, crashes %d, lost %d, in hand %d, " \
        "set aside %d\n", f["poison_after"], f["sent"], f["crashes"],
        f["lost"], f["in_hand"], f["set_aside"]
}
END {
    for (kind in median_us)
        if (median_us[kind] - median_us["process-none"] > process_us)
            wrong(kind " costs more than " process_us " us more than a local one")
    for (i = 1; i <= bads; i++)
        print "\nfailed: " bad[i]
    print bads ? "\nbench-fault: failed" : "\nbench-fault: passed"
    exit bads > 0
}' "$lines"
