#!/bin/sh
# Read by the scripts of ./dev, which run at the top of the repository.

# For a person to follow; results go to stdout, this does not.
say() {
    printf '%s\n' "$*" >&2
}

die() {
    say "$*"
    exit 1
}

# As root: the command itself or through sudo, if there is one.
as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        say "this needs root, and there is no sudo: $*"
        return 1
    fi
}

# Configures a preset: configure PRESET [CMAKE_ARGUMENT...]
configure() {
    mkdir -p build
    if ! cmake --preset "$@" >"build/configure-$1.log" 2>&1; then
        cat "build/configure-$1.log" >&2
        die "configuring the preset $1 failed"
    fi
}
