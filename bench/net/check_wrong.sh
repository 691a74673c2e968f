#!/bin/sh
# check_wrong.sh PROGRAM: a bad command line ends greenroom-bench-net with status
# 2, a word on what is wrong, and nothing printed.
set -eu

# wrong WORD ARGUMENT...
wrong() {
    word=$1
    shift
    status=0
    printed=$("$program" "$@" 2>&1 >&3) || status=$?
    if [ "$status" -ne 2 ] || ! printf '%s\n' "$printed" | grep -q "$word"; then
        printf '%s: status %s, said: %s\n' "$*" "$status" "$printed" >&2
        exit 1
    fi
}

program=$1
exec 3>&1
wrong usage:
wrong 'nothing: no such workload' nothing
wrong 'transport=pigeon: no such parameter' rtt32 transport=pigeon
wrong 'transport=: no such parameter' rtt32 transport=
wrong 'transport=tc: no such parameter' rtt32 transport=tc
wrong 'pin=2: no such parameter' rtt32 pin=2
wrong 'n=0: no such parameter' rtt32 n=0
wrong 'n=1x: no such parameter' rtt32 n=1x
wrong 'senders=1: no such parameter' rtt32 senders=1
wrong 'workers=65: no such parameter' rtt32 workers=65
wrong 'senders may be 64 at most' oneway32 senders=65
wrong 'n may be 5000000 at most' rtt32 n=5000001
wrong 'started by the program itself' the-other-end
