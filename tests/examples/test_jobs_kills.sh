# The queue of the example jobs and its workers are killed at random points, again
# and again, while there is work: each job's result counts exactly once, and the
# sum is right. Whom it hits is chance; how far the work has come between two kills
# is seen in the journal, so nothing here depends on time.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/nodes_common"

program=$GREENROOM_BUILD/examples/jobs
count=${JOBS_COUNT:-1000}
kills=${JOBS_KILLS:-10}
work=$(mktemp -d)
journal=$work/journal
address=ipc://$work/socket
trap 'kill_all; rm -rf "$work"' EXIT
make_secret "$work/secret"

# start_queue OPTION...
start_queue() {
    : >"$work/queue.out"
    "$program" queue --journal "$journal" --jobs "$count" --name queue \
        --listen "$address" --secret-file "$work/secret" "$@" \
        >"$work/queue.out" 2>>"$work/queue.errors" &
    queue=$!
    pids="$pids $queue"
}

# start_work N
start_work() {
    "$program" work --workers 2 --name "w$1" --connect "$address" \
        --secret-file "$work/secret" >>"$work/w$1.out" 2>>"$work/w$1.errors" &
    eval "work$1=$!"
    pids="$pids $!"
}

# A number from 0 to $1 - 1.
random() {
    echo $(($(od -An -N4 -tu4 /dev/urandom) % $1))
}

# Lines that are in the journal: results, and one.
lines() {
    if [ -f "$journal" ]; then wc -l <"$journal"; else echo 0; fi
}

# Waits until so many are.
await_lines() {
    while [ "$(lines)" -lt "$1" ]; do
        kill -0 "$queue" 2>/dev/null || fail "the queue ended too early"
    done
}

# What a queue that is killed while it writes may leave.
tear() {
    case $(random 4) in
    0) printf 'done 1' >>"$journal" ;;
    1) printf 'd' >>"$journal" ;;
    2) printf 'done 17 1234567890123456' >>"$journal" ;;
    esac
}

# Waits for the queue's end, and looks at what it came to.
counted_once() {
    wait "$queue" || fail "the queue ended with status $?"
    grep -qx "$count jobs, sum $sum" "$work/queue.out" ||
        fail "not $count jobs, sum $sum: $(cat "$work/queue.out")"
    [ "$(lines)" -eq $((count + 1)) ] || fail "the journal has $(lines) lines"
    tail -n +2 "$journal" | awk '{ print $2 }' | sort -n >"$work/counted"
    seq "$count" | cmp - "$work/counted" || fail "not each job once"
}

sum=$(collatz_sum "$count")

# ---- who has a job is lost --------------------------------------------------

# lose SIGNAL OPTION...: eight workers, each alone, get that in the middle of
# their work. The last one finds what they had.
lose() {
    signal=$1
    shift
    start_queue "$@"
    for n in 1 2 3 4 5 6 7 8; do
        start_work $n
        until grep -q "^w$n has come" "$work/queue.out"; do
            kill -0 "$queue" 2>/dev/null || break 2 # the one before was fast
        done
        await_lines $((n * count / 20 + $(random 10)))
        eval "kill -$signal \$work$n"
    done
    start_work 0
    counted_once
    kill_all
    rm "$journal"
    echo "SIG$signal to 8 workers: $count jobs counted once each"
    tail -n 1 "$work/queue.out"
}

# What it had is given to others when its loss is told, by nothing else. Who is
# stopped stays connected: then it is the end of the lease, and nothing else.
lose KILL --lease-ms 3600000
lose STOP --lease-ms 100 --silence-ms 1000000

# ---- anybody is killed ------------------------------------------------------

start_queue
for n in 0 1 2; do
    start_work $n
done
killed=0
while [ $killed -lt "$kills" ]; do
    killed=$((killed + 1))
    await_lines $((killed * count / (kills + 2) + $(random $((count / kills)))))
    n=$(random 6)
    if [ "$n" -lt 3 ]; then
        eval "kill -9 \$work$n"
        start_work "$n"
    else
        kill -9 "$queue" 2>/dev/null || true # it may be done meanwhile
        wait "$queue" 2>/dev/null || true
        tear
        start_queue
    fi
done
counted_once
sane
echo "killed $killed times: $count jobs counted once each"
