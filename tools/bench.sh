#!/bin/sh
# dev bench [NAME...] [KEY=...]: greenroom beside Erlang, Go, CAF and threads: tables, a chart
#
#   ./dev bench [NAME...] [rounds=5] [impl=greenroom,go,erlang,caf,pthread]
# Without names all workloads: ./dev bench help lists them, docs/performance.md
# tells what they are. Without impl= all implementations.
# In each round the implementations take turns at each workload. Every line that
# a program prints is kept in build/bench/<date>.txt, from which
#   ./dev bench table [FILE...]
# makes the tables (printed) and the chart (build/bench/chart.svg) again. A run of
# everything, and all of it in turn, puts its chart into docs/bench.svg.
#   ./dev bench greenroom-bench NAME [key=value...]
# is one run of our own program. Exit status: 1 when a program failed; whether
# the goals are reached is what the tables say.
set -eu
. tools/common.sh

workloads="pingpong pairs threadring counting mailbox fjthroughput fjcreate fib
    idle big chameneos bank latency mixed behind beside jobs compute burst"
implementations="greenroom go erlang caf pthread"
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
    echo "usage: ./dev bench [NAME...] [rounds=5] [impl=a,b]"
    echo "       ./dev bench table [FILE...]"
    echo "       ./dev bench greenroom-bench NAME [workers=2] [key=value...]"
    # shellcheck disable=SC2086 # lists of words
    echo "workloads:" $workloads
    echo "implementations: $implementations"
    echo "idlewake is the second half of idle; latency is run with both ticks."
}

# ---- building ---------------------------------------------------------------

build_ours() {
    configure release
    cmake --build --preset release --target bench_greenroom bench_pthread >&2
}

# Nothing of it outside of build/, and nothing from the network.
build_go() {
    command -v go >/dev/null || return 1
    top=$PWD
    (
        cd bench/peers/go
        GOCACHE=$top/$work/go-cache GOPATH=$top/$work/go GOENV=off GOWORK=off \
            GO111MODULE=on GOFLAGS='' GOPROXY=off GOTOOLCHAIN=local \
            go build -buildvcs=false -o "$top/$work/peers/go-bench" .
    ) || die "building bench/peers/go failed"
}

build_erlang() {
    command -v erlc >/dev/null || return 1
    erlc -o "$work/peers" bench/peers/erlang/bench.erl ||
        die "building bench/peers/erlang failed"
    cp bench/peers/erlang/erlang-bench "$work/peers/"
}

# Its headers take half a minute, so only when something has changed.
build_caf() {
    [ -e /usr/include/caf/all.hpp ] || return 1
    program=$work/peers/caf-bench
    if [ -e "$program" ] &&
        [ -z "$(find bench/peers/caf -newer "$program")" ]; then
        return 0
    fi
    say "building bench/peers/caf"
    g++ -std=c++17 -O3 -DNDEBUG bench/peers/caf/*.cpp -o "$program" \
        -lcaf_core -pthread || die "building bench/peers/caf failed"
}

# Installs and builds what the wanted implementations need; those that this
# system has no package for are left out.
prepare() {
    sets=bench
    for impl in go erlang; do
        if among "$impl" "$wanted"; then
            sets="$sets bench-$impl"
        fi
    done
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
        go) build_go || there= ;;
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
    greenroom | pthread) echo "build/release/bench/$1-bench" ;;
    *) echo "$work/peers/$1-bench" ;;
    esac
}

# ---- running ----------------------------------------------------------------

# one IMPLEMENTATION WORKERS NAME [KEY=VALUE...]: adds the lines of one run.
one() {
    impl=$1
    workers=$2
    name=$3
    shift 3
    among "$impl" "$wanted" || return 0
    status=0
    timeout "$limit_s" "$(program_of "$impl")" "$name" "workers=$workers" "$@" \
        >"$work/out" 2>"$work/errors" || status=$?
    if [ "$status" -eq 0 ]; then
        sed "s/^bench=/round=$round &/" "$work/out" >>"$raw"
        return 0
    fi
    case $name in
    latency) name=latency_${1%=*}${1#*=} ;;
    esac
    echo "round=$round bench=$name impl=$impl workers=$workers failed=$status" \
        >>"$raw"
    say "$impl $name, workers=$workers: failed with status $status"
    cat "$work/errors" >&2
    failed=1
}

# Ours and Go's stand side by side, as they are compared.
compared() {
    one greenroom 2 "$@"
    one go 2 "$@"
    one greenroom 1 "$@"
    one go 1 "$@"
    one erlang 2 "$@"
    one caf 2 "$@"
    one pthread 2 "$@"
}

crowded() {
    for n in 4 8 16; do
        one greenroom "$n" "$@"
    done
}

turn() {
    case $1 in
    latency)
        compared latency tick=1000
        compared latency tick=50
        ;;
    mixed | behind | beside | jobs) one greenroom 2 "$1" ;;
    burst | compute)
        one greenroom 2 "$1"
        one greenroom 1 "$1"
        if [ "$1" = compute ]; then
            crowded "$1"
        fi
        ;;
    *)
        compared "$1"
        crowded "$1"
        ;;
    esac
}

# What the figures belong to: lines that begin with #.
circumstances() {
    # shellcheck disable=SC1091,SC2153 # the system's own file and its names
    os=$(. /etc/os-release && echo "$PRETTY_NAME")
    echo "# $(date -u '+%Y-%m-%d %H:%M') UTC, commit $(git rev-parse --short \
        HEAD 2>/dev/null || echo unknown), $rounds rounds"
    echo "# $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)," \
        "$(nproc) processors, Linux $(uname -r), $os"
    for impl in $wanted; do
        case $impl in
        go) echo "# go: $(go version | cut -d ' ' -f 3)" ;;
        erlang) echo "# erlang: OTP $(erl -noshell -eval \
            'io:put_chars(erlang:system_info(otp_release)), halt().')" ;;
        caf) echo "# caf: $(dpkg-query -W -f '${Version}' libcaf-dev \
            2>/dev/null || echo unknown)" ;;
        esac
    done
}

measure() {
    raw=$work/$(date -u +%Y%m%d-%H%M%S).txt
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
    awk -f tools/bench-figures.awk -f tools/bench-table.awk "$@"
    if awk -f tools/bench-figures.awk -f tools/bench-chart.awk "$@" \
        >"$work/chart.new" 2>/dev/null; then
        mv "$work/chart.new" "$work/chart.svg"
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
greenroom-bench)
    shift
    sh tools/setup.sh bench
    build_ours
    exec build/release/bench/greenroom-bench "$@"
    ;;
table)
    shift
    if [ $# -eq 0 ]; then
        # The names are dates.
        for file in "$work"/[0-9]*.txt; do
            last=$file
        done
        [ -e "$last" ] || die "./dev bench table: nothing has been measured yet"
        set -- "$last"
    fi
    mkdir -p "$work"
    tell "$@"
    exit 0
    ;;
esac

names=
rounds=5
wanted=$implementations
for argument in "$@"; do
    case $argument in
    rounds=[1-9] | rounds=[1-9][0-9]) rounds=${argument#rounds=} ;;
    impl=*)
        wanted=$(echo "${argument#impl=}" | tr ',' ' ')
        for impl in $wanted; do
            among "$impl" "$implementations" ||
                die "./dev bench: no such implementation: $impl"
        done
        ;;
    idlewake) names="$names idle" ;;
    *)
        if ! among "$argument" "$workloads"; then
            help >&2
            die "./dev bench: no such workload or option: $argument"
        fi
        names="$names $argument"
        ;;
    esac
done
whole=
if [ -z "$names" ]; then
    names=$workloads
    if [ "$wanted" = "$implementations" ]; then
        whole=yes
    fi
fi

failed=0
prepare
measure
tell "$raw"
if [ -n "$whole" ] && [ -e "$work/chart.svg" ]; then
    cp "$work/chart.svg" docs/bench.svg
fi
exit "$failed"
