#!/bin/sh
# dev install [--prefix DIR]: install the release build (default /usr/local)
set -eu
. tools/common.sh

prefix=/usr/local
case $#:${1-} in
0:) ;;
2:--prefix) prefix=$2 ;;
1:--prefix=*) prefix=${1#--prefix=} ;;
*) die "usage: ./dev install [--prefix DIR]" ;;
esac

sh tools/setup.sh install
configure release
cmake --build --preset release --target greenroom greenroom_static

# The nearest folder that exists decides whether this user may write there.
folder=$prefix
while [ ! -d "$folder" ]; do
    folder=$(dirname "$folder")
done
if [ -w "$folder" ]; then
    cmake --install build/release --prefix "$prefix"
else
    as_root cmake --install build/release --prefix "$prefix"
fi
# So that programs find the library without being told where it is.
case $prefix in
/usr | /usr/local) as_root ldconfig ;;
esac
