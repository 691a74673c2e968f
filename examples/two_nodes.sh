# two_nodes.sh PROGRAM: a host and a guest meet, over tcp and over ipc; somebody
# with another secret does not.
set -eu

program=$1
work=$(mktemp -d)
host=
# shellcheck disable=SC2064 # the folder's name is fixed from here on
trap "[ -z \"\$host\" ] || kill \$host 2>/dev/null; rm -rf '$work'" EXIT

fail() {
    echo "two_nodes: $*" >&2
    exit 1
}

umask 077
head -c 32 /dev/urandom | base64 >"$work/secret"
head -c 32 /dev/urandom | base64 >"$work/other"
chmod 640 "$work/other"
status=0
"$program" host tcp://127.0.0.1:0 "$work/other" 2>"$work/error" || status=$?
[ "$status" -eq 1 ] || fail "a secret that others may read was taken"
chmod 600 "$work/other"

for address in tcp://127.0.0.1:0 "ipc://$work/socket"; do
    mkfifo "$work/lines"
    "$program" host "$address" "$work/secret" >"$work/lines" &
    host=$!
    exec 3<"$work/lines"
    rm "$work/lines"
    read -r line <&3
    real=${line#host: at }

    status=0
    "$program" guest "$real" "$work/other" 2>"$work/error" || status=$?
    [ "$status" -eq 1 ] || fail "a guest with another secret got in"

    "$program" guest "$real" "$work/secret" >"$work/guest"
    cat <&3 >"$work/host"
    exec 3<&-
    wait "$host" || fail "the host failed"
    host=
    diff -u - "$work/guest" <<'END'
guest: I am number 1
guest: the greeter ended: normal, enough for today
END
    diff -u - "$work/host" <<'END'
host: Robin says hello
host: guest has gone
END
done
