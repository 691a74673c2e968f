#!/bin/sh
# test_recorder.sh: a program is killed with SIGKILL, and greenroom-recorder
# says what it did last; and of files that are none, that they are not.
set -eu

work=$GREENROOM_BUILD/tests/recorder
tool=$GREENROOM_BUILD/tools/greenroom-recorder
rm -rf "$work"
mkdir -p "$work"

fail() {
    echo "$*" >&2
    exit 1
}

# Two actors, one of which fails; then it waits to be killed.
cat >"$work/program.c" <<'PROGRAM'
#include <greenroom/greenroom.h>
#include <stdio.h>

static int work(gr_actor *self, void *state, const gr_msg *msg)
{
    (void)state;
    return gr_match(msg, "fail") ? GR_EUSER : gr_reply(self, msg, "done");
}

static int fault(gr_actor *self, void *state, const gr_msg *msg)
{
    static int *volatile nowhere;
    (void)self, (void)state, (void)msg;
    *nowhere = 1;
    return 0;
}

static const gr_behavior trapped = {.name = "trapped", .receive = fault};
static const gr_behavior doomed = {
    .name = "doomed", .receive = fault, .grade = GR_GRADE_ABORT};
static const gr_behavior baker = {.name = "baker", .receive = work};
static const gr_behavior butcher = {.name = "butcher", .receive = work};

static int app(gr_actor *self, int argc, char **argv)
{
    gr_pid a;
    gr_pid b;
    gr_ref ref;
    const gr_msg *msg;
    if (argc > 1) {
        gr_spawn_opts opts = {.monitor = &ref, .name = "victim"};
        GR_TRY(gr_spawn(self, argv[1][0] == 'a' ? &doomed : &trapped, &opts,
                        &a));
        GR_TRY(gr_send(self, a, "fault", 1));
        return gr_receive(self, GR_FOREVER, &msg);
    }
    GR_TRY(gr_spawn(self, &baker, NULL, &a));
    GR_TRY(gr_spawn(self, &butcher, &(gr_spawn_opts){.monitor = &ref}, &b));
    GR_TRY(gr_call(self, a, GR_FOREVER, gr_expect("done"), "work"));
    GR_TRY(gr_send(self, b, "fail"));
    GR_TRY(gr_receive(self, GR_FOREVER, &msg));
    puts("ready");
    fflush(stdout);
    return gr_receive(self, GR_FOREVER, &msg);
}

int main(int argc, char **argv)
{
    return gr_main(argc, argv, app);
}
PROGRAM
flags=$(sed -n 's/^CMAKE_C_FLAGS:[A-Z]*=//p' "$GREENROOM_BUILD/CMakeCache.txt")
# shellcheck disable=SC2086 # the flags are words
"$CC" -std=c11 -Wall -Wextra -Wpedantic $flags \
    -I "$GREENROOM_SOURCE/include" "$work/program.c" \
    -L "$GREENROOM_BUILD" -Wl,-rpath,"$GREENROOM_BUILD" -lgreenroom \
    -o "$work/program"

mkfifo "$work/said"
GREENROOM_WORKERS=2 GREENROOM_RECORDER="$work/%p.rec" \
    "$work/program" >"$work/said" &
program=$!
read -r said <"$work/said"
[ "$said" = ready ] || fail "the program said: $said"
kill -KILL "$program"
wait "$program" 2>/dev/null || true

"$tool" "$work/$program.rec" >"$work/told" || fail "exit status $?"
tell() {
    grep -q "$1" "$work/told" || {
        cat "$work/told" >&2
        fail "it does not tell: $1"
    }
}
tell "^flight recorder of program, process $program, node "
tell "^it runs, or was killed$"
tell "^worker 0: "
tell "^worker 1: "
tell "^other threads:$"
tell "last turns, the newest first: .*baker <"
tell " spawn butcher <.* by <"
tell " crash butcher <.*> error GR_EUSER$"

# A fault that ends its actor, and one that ends the process. With a sanitizer
# other handlers have a say.
case $flags in
*-fsanitize*) ;;
*)
    GREENROOM_RECORDER="$work/trap.rec" "$work/program" trap 2>"$work/errors" ||
        fail "a trapped fault ended the program: $?"
    grep -q '^greenroom: error: trapped <.*> ended: signal, SIGSEGV at 0' \
        "$work/errors" || fail "no report: $(cat "$work/errors")"
    "$tool" "$work/trap.rec" >"$work/told" || fail "exit status $?"
    tell "^stopped in order$"
    tell " crash trapped <.*> signal 11$"

    status=0
    GREENROOM_RECORDER="$work/abort.rec" "$work/program" abort \
        2>"$work/errors" || status=$?
    [ "$status" = 139 ] || fail "an abort: exit status $status"
    grep -q '^aborted by signal 11 (SIGSEGV), .*, in doomed <' \
        "$work/errors" || fail "no last words: $(cat "$work/errors")"
    grep -q '^other threads:$' "$work/errors" || fail "last words are cut off"
    grep '^    #0 program+0x' "$work/errors" >"$work/frames" ||
        fail "no frame: $(cat "$work/errors")"
    "$tool" "$work/abort.rec" >"$work/told" || fail "exit status $?"
    tell '^aborted by signal 11 (SIGSEGV), .*, in doomed <'
    tell ' spawn doomed <'
    tell '^    in doomed <[0-9.]*@[0-9a-f]*>$'
    tell '^    registered as victim$'
    tell '^    at \["fault", 1\], from <'
    tell '^    0 messages wait; bytes: state 0, arena, blobs and kept messages '
    tell '^    spawned by <'
    tell "^$(cat "$work/frames")\$"
    [ "$(grep -c '^    #0 ' "$work/errors")" = 1 ] || fail "told twice"
    # It is what addr2line asks for.
    [ "$(addr2line -f -e "$work/program" "$(sed 's/.*+//' "$work/frames")" |
        head -n 1)" = fault ] || fail "not in fault: $(cat "$work/frames")"
    ;;
esac

# A whole file with a hole, half a file, none, and what is no file of ours.
cp "$work/$program.rec" "$work/bad"
dd if=/dev/urandom of="$work/bad" bs=4096 seek=1 count=20 conv=notrunc \
    2>/dev/null
"$tool" "$work/bad" >"$work/told" || fail "a damaged file: $?"
tell "^flight recorder of program"
dd if="$work/$program.rec" of="$work/half" bs=4096 count=20 2>/dev/null
"$tool" "$work/half" >"$work/told" || fail "half a file: $?"
tell "^the rest is missing$"
for name in "$work/program.c" "$work/absent" /dev/null "$work"; do
    if "$tool" "$name" >"$work/told" 2>"$work/errors"; then
        fail "$name passed for a recorder's file"
    fi
    grep -q "^greenroom-recorder: $name: " "$work/errors" ||
        fail "no word of $name"
done
status=0
"$tool" 2>/dev/null || status=$?
[ "$status" = 2 ] || fail "without a file: exit status $status"
