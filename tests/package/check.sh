#!/bin/sh
# check.sh: installs the tree and builds the project in outside/ against it,
# by CMake and by pkg-config, in C and in C++, shared and static.
#
# From the environment: GREENROOM_SOURCE, GREENROOM_BUILD, CC, CXX.
set -eu

outside=$GREENROOM_SOURCE/tests/package/outside
work=$GREENROOM_BUILD/tests/package
rm -rf "$work"
mkdir -p "$work"

fail() {
    echo "$*" >&2
    exit 1
}

# The tree moves after its installation: nothing in it may know where it was.
cmake --install "$GREENROOM_BUILD" --prefix "$work/first" >"$work/install.log"
prefix=$work/prefix
mv "$work/first" "$prefix"
if grep -rl -I -e "$GREENROOM_SOURCE" -e "$work/first" "$prefix"; then
    fail "the files above name the tree they were built in"
fi

lib=$(dirname "$(find "$prefix" -name 'libgreenroom.so')")
[ -e "$lib/libgreenroom.so.0" ] || fail "no libgreenroom.so.0"
export LD_LIBRARY_PATH="$lib"

# check PROGRAM shared|static: prints what it should, by the right library.
check() {
    output=$("$1") || fail "$1: exit status $?"
    [ "$output" = 55 ] || fail "$1 printed: $output"
    linked=static
    if readelf -d "$1" | grep -q 'NEEDED.*libgreenroom\.so\.0'; then
        linked=shared
    fi
    [ "$linked" = "$2" ] || fail "$1 is linked $linked, not $2"
    echo "ok: ${1#"$work"/}"
}

cmake -S "$outside" -B "$work/cmake" -G Ninja \
    -DCMAKE_C_COMPILER="$CC" -DCMAKE_CXX_COMPILER="$CXX" \
    -DCMAKE_PREFIX_PATH="$prefix" >"$work/cmake.log" ||
    fail "the outside project does not configure"
cmake --build "$work/cmake" >"$work/build.log" || {
    cat "$work/build.log" >&2
    fail "the outside project does not build with CMake"
}
for program in c_shared tree_shared cxx17_shared cxx20_shared; do
    check "$work/cmake/$program" shared
done
check "$work/cmake/c_static" static
check "$work/cmake/cxx_static" static

pc=$(dirname "$(find "$prefix" -name greenroom.pc)")
export PKG_CONFIG_PATH="$pc"
strict="-Wall -Wextra -Wpedantic -Werror"
# It has another name from version 5 on.
msgpack=msgpack
pkg-config --exists msgpack || msgpack='msgpack-c'
mkdir "$work/pkgconfig"
cd "$work/pkgconfig"
# shellcheck disable=SC2046,SC2086 # lists of flags, on purpose
{
    $CC -std=c11 $strict -o c_shared "$outside/counter.c" \
        $(pkg-config --cflags --libs greenroom)
    $CC -std=c11 $strict -o tree_shared "$outside/tree.c" \
        $(pkg-config --cflags --libs greenroom $msgpack)
    $CXX -std=c++17 $strict -o cxx17_shared "$outside/counter.cpp" \
        $(pkg-config --cflags --libs greenroom)
    $CXX -std=c++20 $strict -o cxx20_shared "$outside/counter.cpp" \
        $(pkg-config --cflags --libs greenroom)
    # The archive by name, as the linker prefers a shared library.
    $CC -std=c11 $strict -o c_static "$outside/counter.c" \
        $(pkg-config --cflags --libs --static greenroom |
            sed 's/-lgreenroom/-l:libgreenroom.a/')
}
for program in c_shared tree_shared cxx17_shared cxx20_shared; do
    check "$work/pkgconfig/$program" shared
done
check "$work/pkgconfig/c_static" static
