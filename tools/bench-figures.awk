# Reads what ./dev bench has written: lines
#   round=N bench=NAME impl=NAME workers=N KEY=VALUE...
# and gives the other two scripts of the bench their figures. Of several files,
# each goes on with the rounds where the one before ended. Other lines are no
# business of this script's.

FNR == 1 { round_base = rounds }

/^round=/ {
    split("", field)
    for (i = 1; i <= NF; i++) {
        at = index($i, "=")
        field[substr($i, 1, at - 1)] = substr($i, at + 1)
    }
    round = round_base + field["round"]
    if (round > rounds)
        rounds = round
    run = field["impl"] SUBSEP field["workers"] SUBSEP field["bench"]
    seen[run] = 1
    seen_impl[field["impl"]] = 1
    for (key in field)
        figure[round, run, key] = field[key] + 0
}

# Puts the figures of all rounds into out[1..]; of which rounds, into at[1..].
# Returns how many there are. (Names behind the gap are local.)
function series(impl, workers, bench, key, out, at,    n, r) {
    for (r = 1; r <= rounds; r++)
        if ((r, impl, workers, bench, key) in figure) {
            out[++n] = figure[r, impl, workers, bench, key]
            at[n] = r
        }
    return n + 0
}

function sort(x, n,    i, j, t) {
    for (i = 2; i <= n; i++) {
        t = x[i]
        for (j = i - 1; j >= 1 && x[j] > t; j--)
            x[j + 1] = x[j]
        x[j + 1] = t
    }
}

# Of a sorted array.
function median(x, n) {
    return n % 2 ? x[(n + 1) / 2] : (x[n / 2] + x[n / 2 + 1]) / 2
}

# Three digits are all that such figures are worth.
function digits(x) {
    return sprintf(x >= 100 ? "%.0f" : x >= 10 ? "%.1f" : "%.2f", x)
}
