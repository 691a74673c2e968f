# wordcount gives the answer of coreutils, whatever crashes or is killed while
# it counts, and leaves no process behind.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/wordcount_common"

runs=${GREENROOM_SANITIZED:+5} # each of which takes its time then
runs=${runs:-20}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A copy, so that its processes are told from those of other tests by their
# executable's path.
program=$work/wordcount
cp "$GREENROOM_BUILD/examples/wordcount" "$program"
# Long enough to be hit in the middle: the same tree, many times.
times=20

# Process ids of this test's program.
processes() {
    find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$program*" \
        -printf '%h\n' 2>/dev/null | sed 's,^/proc/,,'
}

# Those of them that are child nodes: the launcher is not.
nodes() {
    for process in $(processes); do
        if tr '\0' '\n' <"/proc/$process/cmdline" 2>/dev/null |
            grep -qx -e --greenroom-child-node; then
            echo "$process"
        fi
    done
}

none_left() {
    left=$(processes)
    [ -z "$left" ] || fail "$1: processes are left: $left"
}

# exact OPTION...: counts the tree and compares; the summary is in errors.
exact() {
    "$program" "$@" --all "$tree" >"$work/printed" 2>"$work/errors" ||
        fail "$*: exit status $?: $(cat "$work/errors")"
    cmp "$expected" "$work/printed" || fail "$*: differs"
    none_left "$*"
}

# The number in front of WORD in the summary.
summary() {
    sed -n "s/.*[ ;]\([0-9][0-9]*\) $1.*/\1/p" "$work/errors"
}

# at_least N WORD
at_least() {
    [ "$(summary "$2")" -ge "$1" ] ||
        fail "fewer than $1 $2: $(cat "$work/errors")"
}

# exits STATUS PATTERN ARGUMENT...: ends so, and says so.
exits() {
    want=$1
    pattern=$2
    shift 2
    status=0
    "$program" "$@" >"$work/printed" 2>"$work/errors" || status=$?
    [ "$status" -eq "$want" ] || fail "$*: exit status $status, not $want"
    grep -q -e "$pattern" "$work/errors" "$work/printed" ||
        fail "$*: does not say '$pattern': $(cat "$work/errors")"
    none_left "$*"
}

tree=$work/odd
expected=$work/expected
odd_tree "$tree"
# Larger than what is counted of a file whose size nobody asked for.
random 6000000 >"$tree/large"
pipeline "$tree" >"$expected"

# ---- one process, several, and every way to cut and send -------------------

exact
exact --nodes 0
exact --nodes 0 --workers 3 --chunk 5000
exact --nodes 2 --workers 2 --chunk 10K
exact --nodes 1 --bytes
exact --nodes 2 --bytes --chunk 3K --crash-every 5
exact --nodes 0 --crash-every 1
at_least 1 crashes
[ "$(summary crashes)" -eq "$(summary chunks)" ] ||
    fail "not every chunk crashed: $(cat "$work/errors")"
echo "cuts: exact"

# ---- crashes and a kill, as asked -------------------------------------------

rm "$tree/large" "$tree/giant_words"
pipeline "$tree" >"$expected"
i=0
while [ $i -lt "$runs" ]; do
    i=$((i + 1))
    exact --nodes 3 --crash-every 7 --kill-node --chunk 16K
    at_least 1 crashes
    at_least 1 "nodes lost"
    at_least 1 "nodes restarted"
    at_least 1 "chunks done again"
done
exact --nodes 3 --crash-every 7 --kill-node
exact --nodes 1 --kill-node
at_least 1 "nodes restarted"
echo "crashes and kills, $runs times: exact"

# ---- kills from outside -----------------------------------------------------

# Starts a long run in the background and waits until it has N child nodes.
# Fails: it ended before.
start_long() {
    want=$1
    shift
    set -- "$@" --all
    i=0
    while [ $i -lt $times ]; do
        i=$((i + 1))
        set -- "$@" "$tree"
    done
    "$program" "$@" >"$work/printed" 2>"$work/errors" &
    main=$!
    while [ "$(nodes | wc -l)" -lt "$want" ]; do
        kill -0 $main 2>/dev/null || return 1
    done
}

# Waits until the child PID counts: it has read more than its own program.
# Fails: it ended before.
wait_busy() {
    while red=$(awk '/^rchar/ { print $2 }' "/proc/$1/io" 2>/dev/null) &&
        [ -n "$red" ]; do
        [ "$red" -lt 500000 ] || return 0
    done
    return 1
}

# Starts a long run on three nodes, of which the Nth, $child, counts. One that
# has ended by then was too short for a machine as busy as this.
start_busy() {
    until start_long 3 --nodes 3 --chunk 4K &&
        child=$(nodes | sed -n "${1}p") && wait_busy "$child"; do
        wait $main || fail "exit status $?: $(cat "$work/errors")"
        times=$((times * 2))
        [ $times -lt 10000 ] || fail "ended too early"
    done
    awk -v times=$times '{ print $1 * times " " $2 }' "$expected" \
        >"$work/expected_long"
}

victim=0
for signal in KILL SEGV TERM KILL; do
    victim=$((victim % 3 + 1))
    start_busy $victim
    kill -$signal "$child"
    wait $main ||
        fail "SIG$signal to a child: exit status $?: $(cat "$work/errors")"
    cmp "$work/expected_long" "$work/printed" ||
        fail "SIG$signal to a child: differs"
    at_least 1 "nodes lost"
    none_left "SIG$signal to a child"
done
echo "children killed from outside: exact"

start_busy 1
kill -9 "$main"
wait "$main" 2>/dev/null || true
# Ends, or this test runs into its deadline.
while [ -n "$(processes)" ]; do
    :
done
echo "the coordinator killed: nothing is left"

# ---- what it prints, and what it refuses -----------------------------------

"$program" --top 3 "$tree" 2>/dev/null >"$work/printed"
head -n 3 "$expected" | cmp - "$work/printed" || fail "--top 3 differs"
"$program" "$tree" 2>/dev/null >"$work/printed"
head -n 10 "$expected" | cmp - "$work/printed" || fail "the default differs"
"$program" --json --all "$tree" 2>/dev/null >"$work/printed"
sed -n 's/^{"word":"\([a-z]*\)","count":\([0-9]*\)},*$/\2 \1/p' \
    "$work/printed" | cmp - "$expected" || fail "--json --all differs"

mkdir "$work/nothing"
exits 0 "0 words" "$work/nothing"
exits 0 "Usage:" --help
exits 0 "wordcount (greenroom)" --version
exits 1 "$work/none: No such file or directory" "$work/none"
exits 1 "neither a regular file nor a folder" "$tree/fifo" "$tree/text"
exits 1 "more than 5 distinct words" --words-max 5 "$tree"
status=0
"$program" --all "$tree" >/dev/full 2>"$work/errors" || status=$?
[ $status -eq 1 ] || fail "a full disk: exit status $status"
grep -q "cannot write the answer: No space left" "$work/errors" ||
    fail "a full disk is not named: $(cat "$work/errors")"
status=0
"$program" --help >/dev/full 2>"$work/errors" || status=$?
[ $status -eq 1 ] || fail "--help to a full disk: exit status $status"
grep -q "cannot write" "$work/errors" || fail "--help to a full disk is silent"
(
    export GREENROOM_SEED=1
    exits 1 "use --nodes 0 with it" "$tree"
    exits 0 "" --nodes 0 "$tree"
)
exits 2 "no PATH is given"
exits 2 "Try 'wordcount --help'" --no-such-option "$tree"
exits 2 "not a number" --nodes many "$tree"
exits 2 "needs a node to kill" --nodes 0 --kill-node "$tree"

# A file that cannot be read, for a user who may not read everything.
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
    cp -a "$tree" "$work/locked"
    chmod 000 "$work/locked/text" "$work/locked/.hidden"
    chmod 755 "$work"
    # That user may not reach the folder that it was built in.
    cp "$program" "$work/program"
    cp "$GREENROOM_BUILD"/libgreenroom.so* "$work"
    for nodes in 0 1; do
        status=0
        LD_LIBRARY_PATH=$work \
            setpriv --reuid 65534 --regid 65534 --clear-groups \
            "$work/program" --nodes $nodes --all "$work/locked" \
            >"$work/printed" 2>"$work/errors" || status=$?
        [ $status -eq 1 ] || fail "unreadable files: exit status $status"
        grep -q "locked/text: Permission denied" "$work/errors" ||
            fail "an unreadable file is not named"
        grep -q "locked/.hidden: Permission denied" "$work/errors" ||
            fail "an unreadable folder is not named"
        # Two files and a folder: hard_link is text, too.
        [ "$(summary "files failed")" -eq 3 ] ||
            fail "not 3 problems: $(cat "$work/errors")"
        chmod 644 "$work/locked/text"
        rm -rf "$work/locked/text" "$work/locked/hard_link" \
            "$work/locked/.hidden"
        pipeline "$work/locked" | cmp - "$work/printed" ||
            fail "what can be read differs"
        cp "$tree/text" "$work/locked/text"
        ln "$work/locked/text" "$work/locked/hard_link"
        mkdir "$work/locked/.hidden"
        chmod 000 "$work/locked/text" "$work/locked/.hidden"
    done
fi
echo "all exact"
