# wordcount ends in order by a signal, whatever it is doing: one line that says
# so, the status that a shell gives to such an end, no answer, no process and no
# folder left.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/wordcount_common"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# A copy, so that its processes are told from those of other tests by their
# executable's path.
program=$work/wordcount
cp "$GREENROOM_BUILD/examples/wordcount" "$program"
XDG_RUNTIME_DIR=$work/runtime
export XDG_RUNTIME_DIR
mkdir -m 700 "$XDG_RUNTIME_DIR"
# Never counted to its end, and takes no room: there is nothing in it.
truncate -s 200G "$work/long"

processes() {
    find /proc -maxdepth 2 -path '/proc/[0-9]*/exe' -lname "$program*" \
        -printf '%h\n' 2>/dev/null | sed 's,^/proc/,,'
}

# ends SIGNAL STATUS NODES
ends() {
    # A shell lets what it starts in the background ignore SIGINT.
    env --default-signal "$program" --nodes "$3" "$work/long" \
        >"$work/printed" 2>"$work/errors" &
    main=$!
    # The processes are all there (nodes have a launcher), and the first of them
    # takes signals, SIGHUP last.
    while [ "$(processes | wc -l)" -lt $(($3 + 1 + ($3 > 0))) ] ||
        ! awk '/^SigCgt/ { exit $2 !~ /[13579bdf]$/ }' \
            "/proc/$main/status"; do
        kill -0 $main 2>/dev/null || fail "ended too early"
    done
    kill "-$1" $main
    status=0
    wait $main || status=$?
    [ $status -eq "$2" ] ||
        fail "SIG$1: status $status, not $2: $(cat "$work/errors")"
    echo "$program: stopped by SIG$1" | cmp - "$work/errors" ||
        fail "SIG$1: says $(cat "$work/errors")"
    [ ! -s "$work/printed" ] || fail "SIG$1: $(cat "$work/printed")"
    left=$(processes)
    [ -z "$left" ] || fail "SIG$1: processes are left: $left"
    left=$(ls -A "$XDG_RUNTIME_DIR")
    [ -z "$left" ] || fail "SIG$1: folders are left: $left"
}

for nodes in 0 1 3; do
    ends INT 130 $nodes
    ends TERM 143 $nodes
    ends HUP 129 $nodes
done
echo "signals: it ends in order"
