#!/bin/sh
# test_pages.sh: the man pages say what the public headers say. Each public
# name has a page, each declaration in a SYNOPSIS is the header's, no page names
# what does not exist, the tables of errors and limits are right, each EXAMPLE
# compiles (and runs, where there is a library to run it with), and mandoc,
# where it is installed, finds nothing to warn of.
#
# From the environment: GREENROOM_SOURCE (else found from here), GREENROOM_BUILD
# (may be unset), CC.
set -eu

top=${GREENROOM_SOURCE:-$(cd "$(dirname "$0")/../.." && pwd)}
man=$top/docs/man
include=$top/include/greenroom
cc=${CC:-cc}
LC_ALL=C
export LC_ALL
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
: >"$work/failures"

fail() {
    printf 'test_pages: %s\n' "$*" | tee -a "$work/failures" >&2
}

# fail_lines TEXT: a failure for each line of standard input.
fail_lines() {
    while read -r line; do
        fail "$1: $line"
    done
}

# ---- reading C and roff -----------------------------------------------------

# The declarations of C text, one a line, without comments and needless blanks,
# so that the headers' and the pages' can be compared. Inline functions lose
# their bodies.
declarations() {
    awk '
    { text = text $0 "\n" }
    END {
        while ((start = index(text, "/*")) > 0) {
            rest = substr(text, start + 2)
            text = substr(text, 1, start - 1) " " \
                substr(rest, index(rest, "*/") + 2)
        }
        gsub(/\\\n/, " ", text)
        lines = split(text, line, "\n")
        text = ""
        for (i = 1; i <= lines; i++)
            if (line[i] !~ /^ *#/)
                text = text line[i] " "
        gsub(/GR_BEGIN_DECLS|GR_END_DECLS|GR_API|GR_MUST_CHECK/, " ", text)
        gsub(/static inline/, " ", text)
        gsub(/[ \t]+/, " ", text)
        parts = split("( ) { } [ ] , ; = * <", part, " ")
        for (i = 1; i <= parts; i++) {
            gsub(" *[" part[i] "] *", part[i], text)
        }
        depth = 0
        found = ""
        for (i = 1; i <= length(text); i++) {
            c = substr(text, i, 1)
            if (c == "{" && depth++ == 0)
                body = found !~ /^ *typedef/
            if (body) {
                if (c == "}" && --depth == 0) {
                    print found ";"
                    found = ""
                    body = 0
                }
                continue
            }
            if (c == "}")
                depth--
            found = found c
            if (c == ";" && depth == 0) {
                sub(/^ */, "", found)
                print found
                found = ""
            }
        }
    }'
}

# What declarations declare: types, functions, variables.
names_of() {
    awk '{
        sub(/;$/, "")
        if (/^typedef.*\}/)
            sub(/.*\}/, "")
        sub(/\(.*/, "")
        sub(/.*[^A-Za-z0-9_]/, "")
        print
    }'
}

# synopsis PAGE: its C text. The macros of fonts only set words apart.
synopsis() {
    awk '/^\.SH / { inside = $2 == "SYNOPSIS"; next }
        inside && /^\.BI? / { sub(/^\.BI? /, ""); gsub(/"/, ""); print; next }
        inside && !/^\./ { print }' "$1" | sed -e 's/\\-/-/g'
}

# example PAGE: its program.
example() {
    awk '/^\.SH / { inside = $2 == "EXAMPLE"; next }
        inside && !/^\.E[XE]$/ { print }' "$1" |
        sed -e 's/^\\&//' -e 's/\\-/-/g' -e "s/\\\\(aq/'/g" \
            -e 's/\\(ga/`/g' -e 's/\\(ha/^/g' -e 's/\\(ti/~/g' -e 's/\\e/\\/g'
}

# names_in PAGE: the names of its NAME section.
names_in() {
    awk '/^\.SH / { inside = $2 == "NAME"; next }
        /^\\-/ { inside = 0 }
        inside { gsub(/,/, " "); n = split($0, w, " ")
                 for (i = 1; i <= n; i++) print w[i] }' "$1"
}

# ---- what there is ----------------------------------------------------------

cat "$include"/*.h | declarations | grep -v '[^a-z_]gri_' |
    sort -u >"$work/declared"
# Macros of programs: the verbs, and those in capitals that take arguments.
find "$include" -name '*.h' -exec cat {} + |
    sed -n 's/^#define \(gr_[a-z0-9_]*\|GR_[A-Z]*\)(.*/\1/p' |
    sort -u >"$work/macros"
names_of <"$work/declared" | sort -u - "$work/macros" >"$work/public"
# Every word that a page may use.
find "$include" -name '*.h' -exec cat {} + |
    tr -cs 'A-Za-z0-9_' '\n' | grep -E '^(gr|GR)_' | sort -u >"$work/words"
[ "$(wc -l <"$work/declared")" -gt 100 ] || fail "cannot read the headers"
[ "$(wc -l <"$work/macros")" -gt 10 ] || fail "cannot read the macros"

grep -L '^\.so ' "$man"/man*/*.[137] >"$work/pages"
grep -l '^\.so ' "$man"/man*/*.[137] >"$work/aliases"

# ---- each name has a page, each page a name ---------------------------------

while read -r name; do
    [ -f "$man/man3/$name.3" ] || fail "no page: $name"
done <"$work/public"

while read -r alias; do
    target=$man/$(sed -n 's/^\.so //p' "$alias")
    name=$(basename "$alias" .3)
    if ! [ -f "$target" ]; then
        fail "$name: no such page: $target"
    elif ! names_in "$target" | grep -qx "$name"; then
        fail "$name: the page it stands for does not name it"
    fi
    grep -qx "$name" "$work/public" || fail "a page of nothing: $name"
done <"$work/aliases"

# Subjects: a page may have a name that is none of the library's.
sed 's|.*/||; s|\.[137]$||' "$work/pages" | sort -u >"$work/subjects"
sort -u "$work/words" "$work/subjects" >"$work/known"

while read -r page; do
    title=$(basename "$page")
    number=${title##*.}
    names_in "$page" >"$work/names"
    grep -qx "${title%.*}" "$work/names" || fail "$title: NAME is another"
    while read -r name; do
        [ -f "$man/man$number/$name.$number" ] ||
            fail "$title names $name, which has no page"
    done <"$work/names"

    tr -cs 'A-Za-z0-9_' '\n' <"$page" | sed 's/^f[BIP]g/g/; s/^f[BIP]G/G/' |
        grep -E '^(gr|GR)_' | sort -u | comm -23 - "$work/known" |
        fail_lines "$title names what does not exist"

    # References, such as \fBgr_send\fP(3).
    tr ' ,.;:' '\n' <"$page" |
        sed -n 's/^(*\\fB\(gr[a-z0-9_]*\|GR_[A-Z]*\)\\fP(\([0-9]\)).*/\1 \2/p' |
        sort -u | while read -r name section; do
        [ -f "$man/man$section/$name.$section" ] ||
            fail "$title refers to $name($section), which is no page"
    done

    [ "$number" = 3 ] || continue
    for section in NAME SYNOPSIS DESCRIPTION '"RETURN VALUE"' ERRORS THREADS \
        OWNERSHIP EXAMPLE '"SEE ALSO"'; do
        grep -qx ".SH $section" "$page" || fail "$title: no $section"
    done
done <"$work/pages"

# ---- declarations, errors, limits -------------------------------------------

while read -r page; do
    synopsis "$page" | declarations | while read -r declaration; do
        printf '%s\n' "$declaration" >>"$work/told"
        if ! grep -qxF -e "$declaration" "$work/declared" &&
            ! printf '%s\n' "$declaration" | names_of |
                grep -qxf "$work/macros"; then
            fail "$(basename "$page"): not in the headers: $declaration"
        fi
    done
done <"$work/pages"
sort -u "$work/told" | comm -13 - "$work/declared" |
    fail_lines "in no SYNOPSIS"

overview=$man/man7/greenroom.7
sed -n 's/^ *\(GR_[A-Z]*\) = \(-*[0-9]*\),* .*/\1 \2/p' "$include/error.h" |
    sed -e 's/-/\\-/' -e 's/\(.*\) \(.*\)/\\fB\1\\fP (\2)/' >"$work/table"
cat "$include"/*.h | sed -e ':more' -e '/\\$/{' -e 'N' -e 's/ *\\\n */ /' \
    -e 't more' -e '}' -e 's| */\*.*||' |
    sed -n 's/^#define \(GR_[A-Z_]*\)  *\(.*\)/\\fB\1\\fP = \2/p' |
    grep -E '_(MAX|MIN|DEFAULT)\\fP' >>"$work/table"
[ "$(wc -l <"$work/table")" -gt 40 ] || fail "cannot read errors and limits"
while read -r row; do
    grep -qxF -e "$row" "$overview" || fail "greenroom.7 does not say: $row"
done <"$work/table"

# Each error that the comment before a declaration names is on its page.
cat "$include"/*.h | awk '
    /^\/\*/ { comment = "" }
    /^(\/\*| \*)/ { comment = comment " " $0 }
    /^#ifndef|^#define/ { comment = "" }
    /^GR_API / {
        text = $0
        while (text !~ /;/ && (getline line) > 0)
            text = text " " line
        if (!match(text, /gr_[a-z0-9_]+[(;]/))
            next
        name = substr(text, RSTART, RLENGTH - 1)
        n = split(comment, word, /[^A-Z_]+/)
        for (i = 1; i <= n; i++)
            if (word[i] ~ /^GR_E[A-Z]+$/ && word[i] !~ /_EXIT/)
                print name, word[i]
    }' | sort -u >"$work/errors"
[ "$(wc -l <"$work/errors")" -gt 100 ] || fail "cannot read the comments"
while read -r name error; do
    page=$man/man3/$name.3
    target=$(sed -n 's/^\.so //p' "$page" 2>/dev/null)
    grep -q "$error" "$man/${target:-man3/$name.3}" 2>/dev/null ||
        fail "$error of $name is not on its page"
done <"$work/errors"

# ---- examples ---------------------------------------------------------------

library=${GREENROOM_BUILD:-}/libgreenroom.so
if ! [ -f "$library" ]; then
    library=
elif grep -q -e __asan_init -e __tsan_init "$library"; then
    library=
fi
[ -n "$library" ] || echo "no library to run the examples with: only compiled"

while read -r page; do
    title=$(basename "$page")
    case $title in *.1) continue ;; esac # of a program, not of C
    example "$page" >"$work/example.c"
    if ! "$cc" -std=c11 -Wall -Wextra -Wpedantic -Werror -I "$top/include" \
        -c "$work/example.c" -o "$work/example.o"; then
        fail "$title: its example does not compile"
        continue
    fi
    grep -q 'int main(' "$work/example.c" || fail "$title: no whole program"
    [ -n "$library" ] || continue
    if ! "$cc" "$work/example.o" -o "$work/example" "$library" \
        -Wl,-rpath,"$GREENROOM_BUILD"; then
        fail "$title: its example does not link"
    elif ! "$work/example" </dev/null >"$work/output" 2>&1; then
        fail "$title: its example fails"
        cat "$work/output" >&2
    fi
done <"$work/pages"

# ---- roff -------------------------------------------------------------------

if command -v mandoc >/dev/null 2>&1; then
    while read -r page; do
        (cd "$man" && mandoc -Tlint -Wwarning "$page") >"$work/lint" 2>&1 ||
            fail_lines "mandoc" <"$work/lint"
    done <"$work/pages"
else
    echo "mandoc is not installed: the pages are not linted"
fi

echo "$(wc -l <"$work/pages") pages for $(wc -l <"$work/public") names"
! [ -s "$work/failures" ]
