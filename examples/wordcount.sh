# wordcount.sh PROGRAM: what its README shows is what it prints.
# tests/examples/test_wordcount.sh does the rest.
set -eu

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir "$work/text"
printf 'The cat saw the dog.\nThe dog did not.' >"$work/text/one"
printf "The cat's 9 lives" >"$work/text/two"
cat >"$work/expected" <<'END'
4 the
2 cat
2 dog
1 did
1 lives
1 not
1 s
1 saw
END
for nodes in 0 1 2; do
    "$1" --nodes $nodes --all "$work/text" >"$work/printed"
    diff -u "$work/expected" "$work/printed"
done
