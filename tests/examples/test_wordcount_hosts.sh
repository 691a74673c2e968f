# wordcount with nodes that are started by hand, over TLS and with a secret: the
# same answer as with child processes, also when such a node is killed in the
# middle, comes back, or joins late, and when the coordinator is killed.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/wordcount_common"
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/nodes_common"

program=$GREENROOM_BUILD/examples/wordcount
work=$(mktemp -d)
trap 'kill_all; rm -rf "$work"' EXIT
make_secret "$work/secret"
make_authority ours
for name in one two main; do
    make_certificate $name $name ours
done

# node NAME: $options makes that node.
node() {
    options="--name $1 --secret-file $work/secret --authority $work/ours.pem"
    options="$options --certificate $work/$1.pem --key $work/$1.key"
}

# serve NAME ADDRESS: counts for others; $place is where, its process is $!.
serve() {
    : >"$work/$1.out"
    node "$1"
    # shellcheck disable=SC2086 # options are words
    "$program" --listen "$2" $options >>"$work/$1.out" 2>>"$work/$1.errors" &
    pids="$pids $!"
    until grep -q "^listening at " "$work/$1.out"; do
        kill -0 $! 2>/dev/null || fail "$1 does not listen"
    done
    place=$(sed -n 's,^listening at tls+tcp://,,p' "$work/$1.out")
}

# same: what was printed is what coreutils print.
same() {
    cmp "$work/expected" "$work/printed" || fail "$1: differs"
    [ ! -s "$work/errors" ] || grep -q " 0 files failed" "$work/errors" ||
        fail "$1: $(cat "$work/errors")"
}

tree=$work/tree
odd_tree "$tree"
pipeline "$tree" >"$work/expected"

# ---- two nodes --------------------------------------------------------------

# begin ARGUMENT...: counts in the background, on both nodes.
begin() {
    : >"$work/one.out"
    node main
    # shellcheck disable=SC2086 # options are words
    "$program" --connect "tls+tcp://one@$first" --all "$@" $options \
        --connect "tls+tcp://two@$second" >"$work/printed" 2>"$work/errors" &
    main=$!
    pids="$pids $!"
}

count() {
    begin "$@"
    wait $main
}

serve one tls+tcp://127.0.0.1:0
one=$!
first=$place
serve two tls+tcp://127.0.0.1:0
two=$!
second=$place
count "$tree" || fail "two nodes: status $?"
same "two nodes"
# The same nodes, for the next one; what crashes there is restarted there.
count --crash-every 3 --chunk 16K "$tree" || fail "crashes: status $?"
same "two nodes and crashes"
grep -q " [1-9][0-9]* restarts" "$work/errors" || fail "nothing was restarted"
echo "two nodes by hand: exact"

# ---- killed in the middle ---------------------------------------------------

# The tree without its giants, many times: as many as it takes for a kill to come
# in the middle.
times=8
rm "$tree/giant_words" "$tree/one_giant"
pipeline "$tree" >"$work/once"

# Makes $paths, and what is expected of them.
prepare() {
    paths=
    i=0
    while [ $i -lt $times ]; do
        paths="$paths $tree"
        i=$((i + 1))
    done
    awk -v times=$times '{ print $1 * times " " $2 }' "$work/once" \
        >"$work/expected"
}

# Processor time that a process has had, in ticks: 10 ms, most often.
ticks_of() {
    awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$1/stat"
}

# await_work PROCESS: waits until it has worked, or the run ends.
await_work() {
    before=$(ticks_of "$1")
    while [ "$(ticks_of "$1")" -lt $((before + 2)) ] &&
        kill -0 $main 2>/dev/null; do
        :
    done
}

# Waits until one has got work from the run that has begun, or that ends.
wait_busy() {
    until grep -q "^main has come" "$work/one.out"; do
        kill -0 $main 2>/dev/null || return 0
    done
    await_work $one
}

# Kills one when it has something to do: it is stopped, and, while the other one
# counts, given a chunk if it had none.
kill_one() {
    wait_busy
    kill -STOP $one
    await_work $two
    kill -9 $one
    wait $one || true # until it is gone, its place is taken
}

# Whether the kill came in the middle; if not, there is to be more to do.
in_the_middle() {
    if grep -q " [1-9][0-9]* nodes lost.* [1-9][0-9]* chunks done again" \
        "$work/errors"; then
        return 0
    fi
    times=$((2 * times))
    return 1
}

# Lost, and not back: the other one does it all.
while :; do
    prepare
    # shellcheck disable=SC2086 # paths are words
    begin $paths
    kill_one
    wait $main || fail "a lost node: status $?"
    same "a lost node"
    serve one "tls+tcp://$first"
    one=$!
    if in_the_middle; then
        break
    fi
done
echo "a node that was killed: exact"

# Lost, and back at the same place before the other one has done all: that one is
# stopped meanwhile.
while :; do
    prepare
    # shellcheck disable=SC2086 # paths are words
    begin $paths
    kill_one
    kill -STOP $two
    serve one "tls+tcp://$first"
    one=$!
    kill -CONT $two
    wait $main || fail "a node that is back: status $?"
    same "a node that is back"
    if in_the_middle; then
        break
    fi
done
echo "a node that is back: exact"

# Who counts for somebody who is killed counts for the next one. If it has done
# all before that, there is to be more to do.
while :; do
    # shellcheck disable=SC2086 # paths are words
    begin $paths
    wait_busy
    kill -9 $main 2>/dev/null || true
    status=0
    wait $main 2>/dev/null || status=$?
    if [ $status -eq 137 ]; then # SIGKILL
        break
    fi
    times=$((2 * times))
    prepare
done
# shellcheck disable=SC2086 # paths are words
count $paths || fail "the next one: status $?"
same "the next one"
echo "a coordinator that was killed: the next one is exact"

# ---- who listens may be the one who counts ----------------------------------

kill_all

# It dials nobody; the others come to it, the second one when the first has begun.
: >"$work/one.out"
node main
mkfifo "$work/pipe"
# shellcheck disable=SC2086 # options and paths are words
"$program" --listen tls+tcp://127.0.0.1:0 --all $options $paths \
    >"$work/printed" 2>"$work/pipe" &
main=$!
pids=$main
exec 4<"$work/pipe"
line=
expect 4 "listening at "
place=${line#listening at tls+tcp://}
for name in one two; do
    node $name
    # shellcheck disable=SC2086 # options are words
    "$program" --connect "tls+tcp://main@$place" $options \
        >>"$work/$name.out" 2>>"$work/$name.errors" &
    pids="$pids $!"
    if [ $name = one ]; then
        one=$!
        wait_busy
    fi
done
cat <&4 >"$work/errors"
wait $main || fail "who listens: status $?"
same "who listens"
grep -q " 0 nodes lost" "$work/errors" || fail "a node was lost"
sane
echo "a coordinator that listens: exact"
