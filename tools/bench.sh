#!/bin/sh
# dev bench [NAME [ARGUMENT...]]: build and run a program of bench/; or list
set -eu
. tools/common.sh

if [ $# -eq 0 ]; then
    for source in bench/*.c; do
        # The head comment begins with: bench/name.c - what it measures
        sed -n '2s,^ \* bench/\([a-z_0-9]*\)\.c,  \1,p' "$source"
    done
    echo "  greenroom-bench - the workloads by which actor runtimes are compared."
    exit 0
fi
name=$1
shift
if [ "$name" = greenroom-bench ]; then
    target=bench_greenroom
elif [ -f "bench/$name.c" ]; then
    target=bench_$name
else
    die "./dev bench: no such program: $name"
fi
sh tools/setup.sh bench
configure release
cmake --build --preset release --target "$target" >&2
exec "build/release/bench/$name" "$@"
