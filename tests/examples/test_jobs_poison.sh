# A job of the example jobs that kills each process that has it, whatever else
# that does meanwhile: it is given up after as many tries as it may have, told, and
# remembered; all others are done, also those that were lost with it.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/nodes_common"

program=$GREENROOM_BUILD/examples/jobs
count=60
poison=7
work=$(mktemp -d)
journal=$work/journal
address=ipc://$work/socket
clean() {
    kill_all # who looks after them first
    for name in w1 w2; do
        [ ! -f "$work/$name.pid" ] || kill -9 "$(cat "$work/$name.pid")" \
            2>/dev/null || true
    done
    rm -rf "$work"
}
trap clean EXIT
make_secret "$work/secret"

# start_queue OPTION...
start_queue() {
    "$program" queue --journal "$journal" --name queue --listen "$address" \
        --secret-file "$work/secret" "$@" \
        >"$work/queue.out" 2>>"$work/queue.errors" &
    queue=$!
    pids="$pids $queue"
}

# work_on NAME OPTION...: as whoever looks after services would: what dies is
# started again, as long as there is a queue. A line in $work/deaths each time.
work_on() {
    name=$1
    shift
    while [ ! -e "$work/over" ]; do
        status=0
        "$program" work --workers 3 --name "$name" --connect "$address" \
            --secret-file "$work/secret" "$@" \
            >>"$work/$name.out" 2>>"$work/$name.errors" &
        worker=$!
        echo $worker >"$work/$name.pid"
        # Either this is seen here, or that process is seen by who makes it.
        [ ! -e "$work/over" ] || kill -USR1 $worker
        wait $worker || status=$?
        [ $status -ne 137 ] || echo "$name" >>"$work/deaths"
        # Nobody would do the work any more.
        [ $status -eq 137 ] || [ -e "$work/over" ] || kill -9 "$queue"
    done
}

# end_work LOOP...: the queue has ended. Nothing catches that signal, and no job
# sends it. A SIGTERM may wait for ever in a process that does nothing, with
# ThreadSanitizer.
end_work() {
    : >"$work/over"
    for name in w1 w2; do
        kill -USR1 "$(cat "$work/$name.pid")" 2>/dev/null || true
    done
    wait "$@"
    rm "$work/over"
}

# ends STATUS: of the queue.
ends() {
    status=0
    wait "$queue" || status=$?
    [ $status -eq "$1" ] || fail "the queue's status: $status, and not $1"
}

says() {
    grep -qx "$1" "$work/queue.out" ||
        fail "the queue has not said '$1', but: $(cat "$work/queue.out")"
}

all=$(collatz_sum $count)
without=$((all - $(collatz_sum $poison) + $(collatz_sum $((poison - 1)))))

# ---- three deaths, and no more ----------------------------------------------

: >"$work/deaths"
start_queue --jobs $count --tries 3
work_on w1 --poison $poison &
one=$!
work_on w2 --poison $poison &
two=$!
pids="$pids $one $two"
ends 3
end_work $one $two
says "job $poison failed: given 3 times, and each time its worker was lost or late"
says "$((count - 1)) jobs, sum $without"
says "failed: 1, see $journal"
[ "$(wc -l <"$work/deaths")" -eq 3 ] || fail "deaths: $(cat "$work/deaths")"
[ "$(grep -c '^failed ' "$journal")" -eq 1 ] || fail "$(cat "$journal")"
grep -qx "failed $poison" "$journal" || fail "$(cat "$journal")"
[ "$(grep -c '^done ' "$journal")" -eq $((count - 1)) ] || fail "$(cat "$journal")"
echo "given up after 3 deaths; $((count - 1)) jobs are done"

# ---- it is remembered -------------------------------------------------------

start_queue --tries 3
ends 3
says "$((count - 1)) jobs, sum $without"
says "failed: 1, see $journal"

# ---- and may be tried again -------------------------------------------------

grep -v '^failed ' "$journal" >"$work/mended"
mv "$work/mended" "$journal"
start_queue
work_on w1 &
one=$!
work_on w2 &
two=$!
pids="$pids $one $two"
ends 0
end_work $one $two
says "$count jobs, sum $all"
[ "$(wc -l <"$work/deaths")" -eq 3 ] || fail "deaths: $(cat "$work/deaths")"
sane
echo "remembered, and done when it was mended"
