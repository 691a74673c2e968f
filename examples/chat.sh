# chat.sh PROGRAM: two people in a room. Whoever is killed is said to be gone,
# once, and welcomed back; the other one dials again. Killed are both, the one
# who listens and the one who connects.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/../tests/examples/nodes_common"

program=$1
work=$(mktemp -d)
alice=
bob=
stop_all() {
    for process in $alice $bob; do
        kill -9 "$process" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap stop_all EXIT
make_secret "$work/secret"
address=ipc://$work/socket

# Each types into a pipe and prints into another one: alice's are 3 and 4, bob's
# are 5 and 6.
start_alice() {
    seen_anew 4
    mkfifo "$work/in" "$work/out"
    "$program" --name alice --listen "$address" --secret-file "$work/secret" \
        <"$work/in" >"$work/out" 2>>"$work/alice.errors" 5>&- 6<&- &
    alice=$!
    exec 3>"$work/in" 4<"$work/out"
    rm "$work/in" "$work/out"
    expect 4 "listening at $address"
    echo "/join kitchen" >&3
    expect 4 "* alice joined kitchen"
}

start_bob() {
    seen_anew 6
    mkfifo "$work/in" "$work/out"
    "$program" --name bob --connect "$address" --secret-file "$work/secret" \
        <"$work/in" >"$work/out" 2>>"$work/bob.errors" 3>&- 4<&- &
    bob=$!
    exec 5>"$work/in" 6<"$work/out"
    rm "$work/in" "$work/out"
    echo "/join kitchen" >&5
    expect 6 "* bob joined kitchen"
}

# Both know that both are in the room, whoever came first.
talk() {
    echo "$1, bob" >&3
    echo "$1, alice" >&5
    expect 4 "[kitchen] bob: $1, alice"
    expect 6 "[kitchen] alice: $1, bob"
}

# sees FD NAME: until that one is told to be in the room, what is said may pass
# it by. This may have been told before.
sees() {
    until grep -q "^\* $2 .* kitchen" "$work/seen$1"; do
        expect "$1" "$2"
    done
}

start_alice
start_bob
expect 4 "* bob is here"
expect 4 "* bob joined kitchen"
sees 6 alice
talk "good morning"

echo "/members" >&3
expect 4 "* kitchen, 2 in all: alice bob"
printf 'a bell \007 rings\n' >&5
expect 4 "[kitchen] bob: a bell ? rings"
echo "/leave" >&5
expect 4 "* bob left kitchen"
echo "does anybody hear me?" >&5
expect 6 "! /join a room first"
echo "/join kitchen" >&5
expect 4 "* bob joined kitchen"
echo "joins and leaves: told"

# ---- who connected is killed, and comes back --------------------------------

kill -9 $bob
expect 4 "* bob has gone"
exec 5>&- 6<&-
wait $bob || true
start_bob
expect 4 "* welcome back, bob"
expect 4 "* bob joined kitchen"
sees 6 alice
talk "good day"

# ---- who listens is killed, and dialed until it is back ---------------------

kill -9 $alice
expect 6 "* alice has gone"
exec 3>&- 4<&-
wait $alice || true
start_alice
expect 6 "* welcome back, alice"
expect 6 "* alice joined kitchen"
expect 4 "* bob is here"
sees 4 bob
talk "good evening"
echo "killed and back: told"

# ---- in order ---------------------------------------------------------------

exec 5>&-
wait $bob || fail "bob ended with status $?"
bob=
expect 4 "* bob has gone: said goodbye"
echo "/quit" >&3
wait $alice || fail "alice ended with status $?"
alice=
cat <&4 >>"$work/seen4"
cat <&6 >>"$work/seen6"
seen_anew 4
seen_anew 6

# count N FILE TEXT
count() {
    [ "$(grep -cF "$3" "$work/$2")" -eq "$1" ] ||
        fail "$2: not $1 times '$3': $(cat "$work/$2")"
}
count 2 all4 "* bob has gone"
count 1 all4 "* welcome back, bob"
count 0 all6 "* alice left kitchen"
count 1 all6 "* alice has gone"
count 1 all6 "* welcome back, alice"
[ "$("$program" 2>&1 --name x | grep -c "^usage: chat")" -eq 1 ] ||
    fail "no usage"
sane
echo "chat: all told once"
