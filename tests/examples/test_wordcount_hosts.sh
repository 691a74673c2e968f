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
pids=
kill_all() {
    for process in $pids; do
        kill -9 "$process" 2>/dev/null || true
    done
    pids=
}
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
    mkfifo "$work/pipe"
    node "$1"
    # shellcheck disable=SC2086 # options are words
    "$program" --listen "$2" $options >"$work/pipe" 2>>"$work/$1.errors" &
    pids="$pids $!"
    exec 4<"$work/pipe"
    rm "$work/pipe"
    expect 4 "listening at "
    exec 4<&-
    # shellcheck disable=SC2154 # expect sets it
    place=${line#listening at tls+tcp://}
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

# The same tree without its giants, some times; in the middle is when the one that is killed has had
# to do for a while.
times=10
rm "$tree/giant_words" "$tree/one_giant"
pipeline "$tree" >"$work/expected"
set --
while [ $# -lt $times ]; do
    set -- "$@" "$tree"
done
awk -v times=$times '{ print $1 * times " " $2 }' "$work/expected" \
    >"$work/expected_long"
mv "$work/expected_long" "$work/expected"

# Clock ticks that a process has had.
ticks() {
    awk '{ print $14 + $15 }' "/proc/$1/stat"
}

# Waits until one counts.
wait_busy() {
    before=$(ticks $one)
    while [ "$(ticks $one)" -lt $((before + 3)) ]; do
        kill -0 $main 2>/dev/null || fail "ended too early"
    done
}

# Lost, and not back: the other one does it all.
begin "$@"
wait_busy
kill -9 $one
wait $main || fail "a lost node: status $?"
same "a lost node"
grep -q " 1 nodes lost" "$work/errors" || fail "no node was lost"
echo "a node that was killed: exact"

# It is back, at the same place, and the other one is lost.
serve one "tls+tcp://$first"
one=$!
begin "$@"
wait_busy
kill -9 $two
serve two "tls+tcp://$second"
wait $main || fail "a node that is back: status $?"
same "a node that is back"
echo "a node that is back: exact"

# Who counts for somebody who is killed counts for the next one.
begin "$@"
wait_busy
kill -9 $main
wait $main 2>/dev/null || true
count "$@" || fail "the next one: status $?"
same "the next one"
echo "a coordinator that was killed: the next one is exact"

# ---- who listens may be the one who counts ----------------------------------

kill_all

# It dials nobody; the others come to it, the second one later.
node main
mkfifo "$work/pipe"
# shellcheck disable=SC2086 # options are words
"$program" --listen tls+tcp://127.0.0.1:0 --all $options "$@" \
    >"$work/printed" 2>"$work/pipe" &
main=$!
pids=$main
exec 4<"$work/pipe"
expect 4 "listening at "
place=${line#listening at tls+tcp://}
for name in one two; do
    node $name
    # shellcheck disable=SC2086 # options are words
    "$program" --connect "tls+tcp://main@$place" $options \
        >"$work/$name.out" 2>>"$work/$name.errors" &
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
