# The plain counter, which is what wordcount's speed is compared with and shares
# its parts, prints what coreutils print: for a tree of odd files, for real
# text, and for the errors that it should name.
set -eu
# shellcheck source-path=SCRIPTDIR
. "$GREENROOM_SOURCE/tests/examples/wordcount_common"

plain=$GREENROOM_BUILD/bench/plain_wordcount
if [ ! -x "$plain" ]; then
    echo "not built: $plain"
    exit 77
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

same() {
    pipeline "$1" >"$work/expected"
    "$plain" "$1" >"$work/printed" || fail "$1: exit status $?"
    cmp "$work/expected" "$work/printed" || fail "$1: differs"
}

odd_tree "$work/odd"
same "$work/odd"
ln -s odd "$work/link"
same "$work/link"
same "$work/odd/text"
mkdir "$work/nothing"
same "$work/nothing"
for folder in /usr/share/common-licenses /usr/share/perl; do
    if [ -d "$folder" ]; then
        same "$folder"
    fi
done

# What cannot be read is named, and the rest is counted.
status=0
"$plain" "$work/odd/text" "$work/none" >"$work/printed" 2>"$work/errors" ||
    status=$?
[ "$status" -eq 1 ] || fail "a missing path: exit status $status"
grep -q "$work/none: No such file or directory" "$work/errors" ||
    fail "a missing path is not named"
pipeline "$work/odd/text" | cmp - "$work/printed" || fail "the rest differs"
echo "all equal"
