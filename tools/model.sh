#!/bin/sh
# dev model: check the protocols' models with spin, and that each mutant fails
#
# A model of tests/model names its mutants in its head: lines
# "mutant NAME: what is left out". With -DNAME it must give a counterexample.
set -eu
. tools/common.sh

sh tools/setup.sh model
work=$PWD/build/model
mkdir -p "$work"
failed=

# verify MODEL [-DMUTANT]: prints spin's report.
verify() {
    rm -rf "$work/run"
    mkdir -p "$work/run"
    (
        cd "$work/run"
        spin -a ${2+"$2"} "$OLDPWD/$1" >spin.log 2>&1 ||
            { cat spin.log >&2; exit 1; }
        # -DSAFETY: assertions and ends, no cycles. -n: no list of dead code.
        cc -O2 -w -DSAFETY -DCOLLAPSE -DVECTORSZ=2048 -o pan pan.c
        ./pan -n -m1000000 -w24
    )
}

for model in tests/model/*.pml; do
    name=$(basename "$model" .pml)
    verify "$model" >"$work/$name.log" || die "cannot check $model"
    states=$(sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' "$work/$name.log")
    if grep -q 'errors: 0' "$work/$name.log" &&
        ! grep -q -e 'max search depth too small' -e 'out of memory' \
            "$work/$name.log"; then
        say "$name: holds ($states states)"
    else
        cat "$work/$name.log" >&2
        failed="$failed $name"
    fi
    # shellcheck disable=SC2013 # the names hold no blanks
    for mutant in $(sed -n 's/^ \* mutant \([A-Z_0-9]*\):.*/\1/p' "$model"); do
        verify "$model" "-D$mutant" >"$work/$name-$mutant.log" ||
            die "cannot check $model with $mutant"
        if grep -q 'errors: 0' "$work/$name-$mutant.log"; then
            say "$name: the mutant $mutant is not seen"
            failed="$failed $name:$mutant"
        else
            say "$name: $mutant fails, as it must"
        fi
    done
done

[ -z "$failed" ] || die "model: failed:$failed"
say "model: all hold, and each mutant fails"
