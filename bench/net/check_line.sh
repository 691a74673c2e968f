#!/bin/sh
# check_line.sh PROGRAM NAME transport=T n=N [key=value...]: a run whose line has
# all that ./dev bench-net reads, and no line beside it.
set -eu

program=$1
name=$2
transport=${3#transport=}
n=${4#n=}
shift
case $(basename "$program") in
greenroom-bench-net) impl=greenroom-$transport ;;
*) impl=$(basename "$program" -net)-$transport ;;
esac
number='[0-9]+(\.[0-9]+)?'
case $name in
oneway*) more="senders=[0-9]+ mb_per_s=$number" ;;
*) more='p50=[1-9][0-9]* p99=[1-9][0-9]*' ;;
esac
wanted="bench=net_$name impl=$impl workers=[1-9][0-9]* ops=$n"
wanted="$wanted ns_per_op=$number rss_kb=[1-9][0-9]* $more"

printed=$("$program" "$@")
if ! printf '%s\n' "$printed" | grep -Eqx "$wanted" ||
    [ "$(printf '%s\n' "$printed" | wc -l)" -ne 1 ]; then
    printf 'printed: %s\nwanted:  %s\n' "$printed" "$wanted" >&2
    exit 1
fi
