# Two hosts, as two network namespaces: chat and jobs run over TLS with a secret;
# without the right certificate or secret nothing is accepted, and both sides say
# why. Needs root, for the namespaces.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/nodes_common"

for tool in ip openssl; do
    command -v $tool >/dev/null || { echo "skipped: no $tool"; exit 77; }
done
chat=$GREENROOM_BUILD/examples/chat
jobs=$GREENROOM_BUILD/examples/jobs
work=$(mktemp -d)
here=gr$$a # alice's host
there=gr$$b
line=
clean() {
    kill_all
    ip netns del $here 2>/dev/null || true
    ip netns del $there 2>/dev/null || true
    rm -rf "$work"
}
trap clean EXIT

if ! { ip netns add $here && ip netns add $there &&
    ip link add veth netns $here type veth peer name veth netns $there &&
    ip -n $here addr add 10.9.8.1/24 dev veth &&
    ip -n $there addr add 10.9.8.2/24 dev veth &&
    ip -n $here link set veth up &&
    ip -n $there link set veth up; } 2>"$work/refused"; then
    echo "skipped: no network namespaces: $(cat "$work/refused")"
    exit 77
fi

make_secret "$work/secret"
make_secret "$work/other_secret"
make_authority ours
make_authority theirs
for name in alice bob carol queue w1; do
    make_certificate $name $name ours
done
make_certificate mallory bob theirs
make_certificate late bob ours expired

# tls CERTIFICATE [AUTHORITY]: $tls are the options for it.
tls() {
    tls="--certificate $work/$1.pem --key $work/$1.key"
    tls="$tls --authority $work/${2:-ours}.pem"
}

# alice NAME CERTIFICATE OPTION...: listens on her host, as that name; what she
# prints is read from 4, and $place is where.
alice() {
    name=$1
    tls "$2"
    shift 2
    mkfifo "$work/pipe"
    : >"$work/alice.errors"
    # Nobody types, and the input does not end.
    # shellcheck disable=SC2086 # options are words
    ip netns exec $here "$chat" --name "$name" $tls "$@" \
        --listen tls+tcp://10.9.8.1:0 <>"$work/silence" >"$work/pipe" \
        2>"$work/alice.errors" &
    alice=$!
    pids="$pids $!"
    exec 4<"$work/pipe"
    rm "$work/pipe"
    expect 4 "listening at tls+tcp://"
    # shellcheck disable=SC2154 # expect sets it
    place=${line#listening at tls+tcp://}
}

# says FILE TEXT: waits until it does.
says() {
    until grep -q "$2" "$work/$1"; do
        kill -0 $alice 2>/dev/null || fail "$1 never says '$2'"
    done
}

# She has seen nobody.
end_alice() {
    kill -9 $alice
    wait $alice || true
    ! grep . <&4 || fail "somebody got in"
    exec 4<&-
}

# refused WHO CERTIFICATE SAYS ALICE_SAYS OPTION...: dials as that name, and is
# refused.
refused() {
    who=$1
    tls "$2"
    text=$3
    alices=$4
    shift 4
    status=0
    # shellcheck disable=SC2086 # options are words
    ip netns exec $there "$chat" --name "$who" $tls "$@" \
        --connect "tls+tcp://alice@$place" <>"$work/silence" \
        >"$work/bob.out" 2>"$work/bob.errors" || status=$?
    [ $status -eq 1 ] || fail "$text: status $status"
    says bob.errors "$text"
    says bob.errors "GR_EDENIED"
    says alice.errors "$alices"
    ! grep -q "is here" "$work/bob.out" || fail "$text: it was let in"
    end_alice
    echo "refused: $text"
}

mkfifo "$work/silence"
secret="--secret-file $work/secret"
# shellcheck disable=SC2086 # options are words
{
    # ---- without the right secret -------------------------------------------
    alice alice alice $secret
    refused bob bob "refused: the secrets differ" \
        "a stranger: the secrets differ" --secret-file "$work/other_secret"
    alice alice alice $secret
    refused bob bob "only one of the two nodes has a secret" \
        "it has no secret to prove"
    alice alice alice
    refused bob bob "only one of the two nodes has a secret" \
        "it demands a secret, and this node has none" $secret

    # ---- without the right certificate --------------------------------------
    wrong="a certificate is wrong or missing"
    alice alice alice $secret
    refused bob mallory "$wrong" "$wrong" $secret
    # One that has expired: whoever has it does not start, and if it is shown all
    # the same, she does not believe it.
    alice alice alice $secret
    tls late
    status=0
    ip netns exec $there "$chat" --name bob $tls $secret --connect \
        "tls+tcp://alice@$place" <>"$work/silence" >"$work/bob.out" \
        2>"$work/bob.errors" || status=$?
    [ $status -eq 1 ] || fail "an expired certificate: status $status"
    says bob.errors "late.pem: it has expired, at 2020-02-01 00:00:00 UTC"
    says bob.errors "GR_EEXPIRED"
    ip netns exec $there openssl s_client -connect "$place" -cert \
        "$work/late.pem" -key "$work/late.key" -CAfile "$work/ours.pem" \
        </dev/null >"$work/openssl.log" 2>&1 || true
    says alice.errors "$wrong"
    end_alice
    echo "refused: an expired certificate"
    # She has a certificate for another name than the one that is dialed.
    alice alice carol $secret
    refused bob bob "$wrong" "$wrong" $secret
    # She has one for it, but claims another.
    alice carol alice $secret
    refused bob bob "its certificate is not for the name that it claims" \
        "refused: the certificate is not for this node's name" $secret

    # None at all: it does not even dial.
    alice alice alice $secret
    status=0
    ip netns exec $there "$chat" --name bob $secret --connect \
        "tls+tcp://alice@$place" <>"$work/silence" >"$work/bob.out" \
        2>"$work/bob.errors" || status=$?
    [ $status -eq 1 ] || fail "no certificate: status $status"
    # Nor does TLS without one help, nor the secret without TLS.
    ip netns exec $there openssl s_client -connect "$place" \
        -CAfile "$work/ours.pem" </dev/null >"$work/openssl.log" 2>&1 || true
    says alice.errors "$wrong"
    end_alice
    alice alice alice $secret
    ip netns exec $there "$chat" --name bob $secret --connect \
        "tcp://$place" </dev/null >"$work/bob.out" 2>"$work/bob.errors" || true
    says alice.errors "$wrong"
    end_alice
    echo "refused: no certificate"

    # ---- without TLS --------------------------------------------------------
    status=0
    ip netns exec $here "$chat" --name alice $secret \
        --listen tcp://10.9.8.1:0 </dev/null >"$work/bob.out" \
        2>"$work/bob.errors" || status=$?
    [ $status -eq 1 ] || fail "listening without TLS: status $status"
    grep -q "GR_EINSECURE" "$work/bob.errors" || fail "no GR_EINSECURE"
    echo "refused: to listen without TLS"

    # ---- chat, as it should be ----------------------------------------------
    seen_anew 4
    alice alice alice $secret
    tls bob
    mkfifo "$work/typed"
    ip netns exec $there "$chat" --name bob $tls $secret --connect \
        "tls+tcp://alice@$place" <"$work/typed" >"$work/bob.out" \
        2>"$work/bob.errors" &
    bob=$!
    pids="$pids $!"
    exec 5>"$work/typed"
    expect 4 "* bob is here"
    echo "/join hall" >"$work/silence"
    expect 4 "* alice joined hall"
    echo "/join hall" >&5
    expect 4 "* bob joined hall"
    says bob.out "alice .* hall"
    echo "my voice carries" >&5
    expect 4 "[hall] bob: my voice carries"
    kill -9 $bob
    expect 4 "* bob has gone"
    exec 5>&-
    kill -9 $alice
    exec 4<&-
    echo "chat over TLS, between two hosts"

    # ---- jobs ---------------------------------------------------------------
    count=300
    mkfifo "$work/pipe"
    tls queue
    ip netns exec $here "$jobs" queue --journal "$work/journal" --jobs $count \
        --name queue $tls $secret --listen tls+tcp://10.9.8.1:0 \
        >"$work/pipe" 2>"$work/queue.errors" &
    queue=$!
    pids="$pids $!"
    exec 4<"$work/pipe"
    expect 4 "listening at tls+tcp://"
    place=${line#listening at tls+tcp://}
    tls w1
    status=0
    ip netns exec $there "$jobs" work --name w1 $tls --secret-file \
        "$work/other_secret" --connect "tls+tcp://queue@$place" \
        >"$work/w1.out" 2>"$work/w1.errors" || status=$?
    [ $status -eq 1 ] || fail "a worker with another secret: status $status"
    grep -q "refused: the secrets differ" "$work/w1.errors" ||
        fail "a worker with another secret is not told"
    ip netns exec $there "$jobs" work --name w1 $tls $secret --connect \
        "tls+tcp://queue@$place" >"$work/w1.out" 2>"$work/w1.errors" &
    pids="$pids $!"
    expect 4 "$count jobs, sum $(collatz_sum $count)"
    wait $queue || fail "the queue: status $?"
    sane
    echo "jobs over TLS, between two hosts"
}
