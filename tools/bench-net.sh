#!/bin/sh
# dev bench-net [NAME...] [KEY=...]: messages between two processes, beside Erlang, CAF, NNG and sockets
#
#   ./dev bench-net [NAME...] [rounds=5] [impl=greenroom,raw,nng,erlang,caf]
#                   [scale=100]
# Without names all workloads: ./dev bench-net help lists them, docs/performance.md
# tells what they are. Without impl= all implementations. scale=10 takes a tenth
# of the messages: for a quick look, not for figures.
# Each workload is run by tcp, ipc and TLS where there is a choice, on two
# processors and with both processes on one; in each round the implementations
# take turns. Every line that a program prints is kept in
# build/bench/net-<date>.txt, from which
#   ./dev bench-net table [FILE...]
# makes the tables (printed) and the chart (build/bench/chart-net.svg) again. A
# run of everything, and all of it in turn, puts its chart into docs/bench-net.svg.
#   ./dev bench-net greenroom-bench-net NAME [transport=tcp] [key=value...]
# is one run of our own program. Exit status: 1 when a program failed; whether
# the goals are reached is what the tables say.
set -eu
. tools/common.sh

workloads="oneway32 rtt32 oneway64k oneway1m ask1 ask1000"
implementations="greenroom raw nng erlang caf"
work=build/bench
limit_s=120 # for one run of one program; the slowest take a tenth of it

# among WORD LIST
among() {
    for one in $2; do
        if [ "$one" = "$1" ]; then
            return 0
        fi
    done
    return 1
}

help() {
    echo "usage: ./dev bench-net [NAME...] [rounds=5] [impl=a,b] [scale=100]"
    echo "       ./dev bench-net table [FILE...]"
    echo "       ./dev bench-net greenroom-bench-net NAME [key=value...]"
    echo "workloads: $workloads"
    echo "implementations: $implementations"
}

# ---- building ---------------------------------------------------------------

build_ours() {
    configure release
    cmake --build --preset release --target bench_net bench_net_raw \
        bench_net_nng >&2
}

build_erlang() {
    command -v erlc >/dev/null || return 1
    erlc -o "$work/peers" bench/peers/net/erlang/net_bench.erl ||
        die "building bench/peers/net/erlang failed"
    cp bench/peers/net/erlang/erlang-net "$work/peers/"
}

# Its headers take some time, so only when something has changed.
build_caf() {
    [ -e /usr/include/caf/io/all.hpp ] || return 1
    program=$work/peers/caf-net
    if [ -e "$program" ] &&
        [ -z "$(find bench/peers/net/caf -newer "$program")" ]; then
        return 0
    fi
    say "building bench/peers/net/caf"
    g++ -std=c++17 -O3 -DNDEBUG bench/peers/net/caf/*.cpp -o "$program" \
        -lcaf_io -lcaf_core -pthread ||
        die "building bench/peers/net/caf failed"
}

# Installs and builds what the wanted implementations need; those that this
# system has no package for are left out.
prepare() {
    sets=bench-net
    if among erlang "$wanted"; then
        sets="$sets bench-erlang"
    fi
    # shellcheck disable=SC2086 # a list of words
    sh tools/setup.sh $sets
    # Not every Debian has it.
    if among caf "$wanted"; then
        sh tools/setup.sh bench-caf || true
    fi
    mkdir -p "$work/peers"
    build_ours
    found=
    for impl in $wanted; do
        there=yes
        case $impl in
        erlang) build_erlang || there= ;;
        caf) build_caf || there= ;;
        esac
        if [ -n "$there" ]; then
            found="$found $impl"
        else
            say "left out, as it is not installed: $impl"
        fi
    done
    wanted=$found
}

program_of() {
    case $1 in
    greenroom) echo build/release/bench/greenroom-bench-net ;;
    raw | nng) echo "build/release/bench/$1-net" ;;
    *) echo "$work/peers/$1-net" ;;
    esac
}

# ---- running ----------------------------------------------------------------

# How many operations each takes about a second for.
count_of() {
    case $1-$2 in
    greenroom-oneway32) echo 4000000 ;;
    raw-oneway32) echo 20000000 ;;
    nng-oneway32) echo 10000000 ;;
    erlang-oneway32) echo 400000 ;;
    caf-oneway32) echo 100000 ;;
    raw-oneway64k | nng-oneway64k) echo 50000 ;;
    *-oneway64k) echo 20000 ;;
    raw-oneway1m | nng-oneway1m) echo 3000 ;;
    *-oneway1m) echo 1000 ;;
    caf-rtt32 | caf-ask1) echo 3000 ;;
    *-rtt32 | *-ask1) echo 10000 ;;
    greenroom-ask1000) echo 500000 ;;
    *-ask1000) echo 50000 ;;
    esac
}

# one IMPLEMENTATION PROCESSORS NAME TRANSPORT SENDERS: adds the line of a run.
one() {
    impl=$1
    cores=$2
    name=$3
    transport=$4
    label=$name
    among "$impl" "$wanted" || return 0
    n=$(($(count_of "$impl" "$name") * scale / 100))
    set -- "transport=$transport" "pin=$((2 - cores))" "n=$((n > 0 ? n : 1))" \
        "senders=$5"
    case $name in
    oneway*)
        if [ "$4" != senders=1 ]; then
            label=${name}x${4#senders=}
        fi
        ;;
    esac
    # Those that have one sender only have no parameter for it.
    if [ "$4" = senders=1 ]; then
        set -- "$1" "$2" "$3"
    fi
    status=0
    timeout "$limit_s" "$(program_of "$impl")" "$name" "$@" \
        >"$work/out" 2>"$work/errors" || status=$?
    key="round=$round bench=$label-$transport impl=$impl workers=$cores"
    if [ "$status" -eq 0 ]; then
        sed "s/^bench=[^ ]* impl=[^ ]* workers=[^ ]*/$key/" "$work/out" >>"$raw"
        return 0
    fi
    echo "$key failed=$status" >>"$raw"
    say "$impl $name $*: failed with status $status"
    cat "$work/errors" >&2
    failed=1
}

# by PROCESSORS NAME SENDERS: ours stands beside those that it is compared with.
by() {
    one greenroom "$1" "$2" tcp "$3"
    one erlang "$1" "$2" tcp "$3"
    one greenroom "$1" "$2" ipc "$3"
    one greenroom "$1" "$2" tls "$3"
    one caf "$1" "$2" tcp "$3"
    # Without actors there are no asks, and nobody to take turns.
    case $2-$3 in
    ask* | *-4) return ;;
    esac
    one raw "$1" "$2" tcp "$3"
    one raw "$1" "$2" ipc "$3"
    one nng "$1" "$2" tcp "$3"
    one nng "$1" "$2" ipc "$3"
}

turn() {
    for cores in 2 1; do
        by "$cores" "$1" 1
        if [ "$1" = oneway32 ]; then
            by "$cores" "$1" 4
        fi
    done
}

# What the figures belong to: lines that begin with #.
circumstances() {
    # shellcheck disable=SC1091,SC2153 # the system's own file and its names
    os=$(. /etc/os-release && echo "$PRETTY_NAME")
    echo "# $(date -u '+%Y-%m-%d %H:%M') UTC, commit $(git rev-parse --short \
        HEAD 2>/dev/null || echo unknown), $rounds rounds, scale $scale"
    echo "# $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
        "$(nproc) processors, Linux $(uname -r), $os"
    echo "# load when it began: $(cut -d ' ' -f 1 /proc/loadavg)"
    for impl in $wanted; do
        case $impl in
        nng) echo "# nng: $(dpkg-query -W -f '${Version}' libnng1 \
            2>/dev/null || echo unknown)" ;;
        erlang) echo "# erlang: OTP $(erl -noshell -eval \
            'io:put_chars(erlang:system_info(otp_release)), halt().')" ;;
        caf) echo "# caf: $(dpkg-query -W -f '${Version}' libcaf-dev \
            2>/dev/null || echo unknown)" ;;
        esac
    done
}

measure() {
    raw=$work/net-$(date -u +%Y%m%d-%H%M%S).txt
    circumstances >"$raw"
    round=1
    while [ "$round" -le "$rounds" ]; do
        for name in $names; do
            say "round $round of $rounds: $name"
            turn "$name"
        done
        round=$((round + 1))
    done
    say "the lines of all runs: $raw"
}

# ---- telling ----------------------------------------------------------------

tell() {
    awk -f tools/bench-figures.awk -f tools/bench-net-table.awk "$@"
    if awk -v chart=net -f tools/bench-figures.awk -f tools/bench-chart.awk \
        "$@" >"$work/chart.new" 2>/dev/null; then
        mv "$work/chart.new" "$work/chart-net.svg"
    else
        rm -f "$work/chart.new" # without figures that it shows
    fi
}

# ---- the command line -------------------------------------------------------

case ${1-} in
help)
    help
    exit 0
    ;;
greenroom-bench-net)
    shift
    sh tools/setup.sh bench-net
    build_ours
    exec build/release/bench/greenroom-bench-net "$@"
    ;;
table)
    shift
    if [ $# -eq 0 ]; then
        # The names are dates.
        for file in "$work"/net-[0-9]*.txt; do
            last=$file
        done
        [ -e "$last" ] ||
            die "./dev bench-net table: nothing has been measured yet"
        set -- "$last"
    fi
    mkdir -p "$work"
    tell "$@"
    exit 0
    ;;
esac

names=
rounds=5
scale=100
wanted=$implementations
for argument in "$@"; do
    case $argument in
    rounds=[1-9] | rounds=[1-9][0-9]) rounds=${argument#rounds=} ;;
    scale=[1-9] | scale=[1-9][0-9] | scale=[1-9][0-9][0-9])
        scale=${argument#scale=}
        ;;
    impl=*)
        wanted=$(echo "${argument#impl=}" | tr ',' ' ')
        for impl in $wanted; do
            among "$impl" "$implementations" ||
                die "./dev bench-net: no such implementation: $impl"
        done
        ;;
    *)
        if ! among "$argument" "$workloads"; then
            help >&2
            die "./dev bench-net: no such workload or option: $argument"
        fi
        names="$names $argument"
        ;;
    esac
done
whole=
if [ -z "$names" ]; then
    names=$workloads
    if [ "$wanted" = "$implementations" ] && [ "$scale" -ge 100 ]; then
        whole=yes
    fi
fi

failed=0
prepare
measure
tell "$raw"
if [ -n "$whole" ] && [ -e "$work/chart-net.svg" ]; then
    cp "$work/chart-net.svg" docs/bench-net.svg
fi
exit "$failed"
