#!/bin/sh
# dev setup [VERB...]: install the Debian packages that are missing
#
# Each verb of ./dev calls this for what it needs, so that a first demo does
# not install linters. Without a verb: everything.
set -eu
. tools/common.sh

# a|b: the first that this Debian has. msgpack-c is called libmsgpack-dev in
# Debian 12 and libmsgpack-c-dev in 13.
build_set="cmake ninja-build gcc libc6-dev libnng-dev
    libmsgpack-c-dev|libmsgpack-dev libsodium-dev libssl-dev libdw-dev"
test_set="$build_set libcmocka-dev g++ pkgconf procps openssl iproute2
    python3-msgpack"
clang_set="clang libclang-rt-dev"
lint_set="$test_set $clang_set clang-format clang-tidy cppcheck shellcheck
    mandoc"

packages_for() {
    case $1 in
    demo | idle | mesh | bench | build | soak-faults) echo "$build_set" ;;
    bench-net) echo "$build_set openssl" ;;
    bench-go) echo golang-go ;;
    bench-erlang) echo erlang-base ;;
    bench-caf) echo "g++ libcaf-dev" ;;
    install) echo "$build_set pkgconf" ;; # the README's next command
    test | asan) echo "$test_set" ;;
    tsan | fuzz) echo "$test_set $clang_set" ;;
    memcheck) echo "$test_set valgrind" ;;
    model) echo "spin gcc libc6-dev" ;;
    lint) echo "$lint_set" ;;
    fresh) echo "git debootstrap" ;;
    *) die "./dev setup: no such set of packages: $1" ;;
    esac
}

installed() {
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Whether one of the alternatives a|b|c is installed.
present() {
    for name in $(echo "$1" | tr '|' ' '); do
        if installed "$name"; then
            return 0
        fi
    done
    return 1
}

# Prints the first of the alternatives a|b|c that can be installed.
choose() {
    for name in $(echo "$1" | tr '|' ' '); do
        if apt-cache policy "$name" | grep -q '^  Candidate: [^(]'; then
            echo "$name"
            return 0
        fi
    done
    die "no package of this system provides: $1"
}

if [ $# -eq 0 ]; then
    # Without bench-caf, which not every Debian has.
    set -- lint memcheck model fuzz fresh bench-go bench-erlang
fi
wanted=
for verb in "$@"; do
    wanted="$wanted $(packages_for "$verb")"
done

if ! command -v dpkg-query >/dev/null; then
    say "not a Debian system; what is needed is called there:"
    # shellcheck disable=SC2086 # a list of names, on purpose
    say "$(printf '%s\n' $wanted | sort -u)"
    exit 0
fi

missing=
for package in $wanted; do
    if ! present "$package"; then
        missing="$missing $package"
    fi
done
if [ -z "$missing" ]; then
    exit 0
fi

# shellcheck disable=SC2086 # a list of names, on purpose
missing=$(printf '%s\n' $missing | sort -u)
say "updating the package lists"
as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
names=
for package in $missing; do
    names="$names $(choose "$package")"
done
say "installing:$names"
mkdir -p build
# shellcheck disable=SC2086 # a list of names, on purpose
if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    --no-install-recommends $names >build/setup.log 2>&1; then
    cat build/setup.log >&2
    die "apt-get install failed"
fi
