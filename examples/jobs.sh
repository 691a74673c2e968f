# jobs.sh PROGRAM: a queue and two workers, as three hosts would be; a worker that
# leaves and another that comes while they work.
# tests/examples/test_jobs_kills.sh kills them.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tests/examples/nodes_common"

program=$1
count=2000
work=$(mktemp -d)
trap 'kill_all; rm -rf "$work"' EXIT
make_secret "$work/secret"

# start_work NAME: its process is $!.
start_work() {
    "$program" work --name "$1" --connect "$address" \
        --secret-file "$work/secret" >>"$work/$1.out" 2>>"$work/$1.errors" 4<&- &
    pids="$pids $!"
}

mkfifo "$work/out"
"$program" queue --journal "$work/journal" --jobs $count --name queue \
    --listen tcp://127.0.0.1:0 --secret-file "$work/secret" \
    >"$work/out" 2>"$work/queue.errors" &
queue=$!
pids=$queue
exec 4<"$work/out"
expect 4 "listening at "
# shellcheck disable=SC2154 # expect sets it
address=${line#listening at }

# How far they come meanwhile is theirs.
start_work w1
first=$!
expect 4 "w1 has come"
start_work w2
kill -TERM $first
start_work w3
expect 4 "$count jobs, sum $(collatz_sum $count)"
wait $queue || fail "the queue ended with status $?"

# Once more: all is done already.
"$program" queue --journal "$work/journal" --name queue \
    --listen tcp://127.0.0.1:0 --secret-file "$work/secret" >"$work/again"
grep -q "$count jobs, sum $(collatz_sum $count)" "$work/again" ||
    fail "the journal says something else: $(cat "$work/again")"

# refuses TEXT ARGUMENT...
refuses() {
    text=$1
    shift
    status=0
    "$program" queue --name queue --listen tcp://127.0.0.1:0 \
        --secret-file "$work/secret" "$@" >"$work/again" 2>&1 || status=$?
    [ $status -eq 1 ] || fail "$*: status $status"
    grep -q "$text" "$work/again" || fail "$*: $(cat "$work/again")"
}
refuses "another number of jobs" --journal "$work/journal" --jobs 5
for other in "$0" "$work/secret"; do
    cp "$other" "$work/other"
    refuses "no journal of jobs" --journal "$work/other" --jobs 5
    cmp "$other" "$work/other" || fail "what is no journal was written to"
done
refuses "say how many" --journal "$work/new"
refuses "No such file" --journal "$work/no/folder" --jobs 5
printf 'jobs 1 0123456789abcdef 3\ndone 1 0\ndone 4 1\n' >"$work/odd"
refuses "no queue has written" --journal "$work/odd"
sane
echo "jobs: each counted once"
