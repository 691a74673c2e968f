# Prints the tables of ./dev bench-net, in Markdown, and which goals hold; read
# bench-figures.awk first. In these lines `workers` is the number of processors
# that both processes had, and a bench is NAME-TRANSPORT. A goal is judged in
# each round by that round's own figures, and holds on the whole when it does so
# in four of five rounds.

BEGIN {
    impls = split("greenroom raw nng erlang caf", impl_of, " ")
    # What a goal's figure is held against; "": it stands for itself. Erlang
    # knows tcp only, and is what both of ours are compared with.
    goal("oneway32-tcp oneway32-ipc oneway32x4-tcp oneway32x4-ipc", 2, "rate",
        "", ">=", 8)
    goal("oneway32-tcp oneway32-ipc oneway32x4-tcp oneway32x4-ipc", 2, "rate",
        "erlang", ">=", 20)
    goal("oneway32-tls", 2, "rate", "", ">=", 3)
    goal("rtt32-tcp rtt32-ipc", 2, "p50", "erlang", "<=", 1.6)
    goal("rtt32-tcp rtt32-ipc", 1, "p50", "erlang", "<=", 2.2)
    goal("oneway64k-tcp oneway64k-ipc", 2, "mb", "raw", ">=", 0.6)
    name_of[""] = ""
    name_of["erlang"] = " x Erlang"
    name_of["raw"] = " x sockets"
}

/^#/ { print }

function goal(benches, cores, metric, against, way, limit,    part, n, i) {
    n = split(benches, part, " ")
    for (i = 1; i <= n; i++) {
        goals++
        goal_bench[goals] = part[i]
        goal_cores[goals] = cores
        goal_metric[goals] = metric
        goal_against[goals] = against
        goal_way[goals] = way
        goal_limit[goals] = limit
    }
}

# A round's figure in the table's unit; -1: there is none.
function value(round, impl, cores, bench, metric,    at, key) {
    key = metric == "rate" || metric == "thousands" ? "ns_per_op" : \
        metric == "mb" ? "mb_per_s" : metric
    at = round SUBSEP impl SUBSEP cores SUBSEP bench SUBSEP key
    if (!(at in figure) || figure[at] <= 0)
        return -1
    return metric == "rate" ? 1e3 / figure[at] : \
        metric == "thousands" ? 1e6 / figure[at] : \
        metric == "mb" ? figure[at] : figure[at] / 1e3
}

# "median (least-most)", or why there is none.
function cell(impl, cores, bench, metric,    r, v, x, n) {
    for (r = 1; r <= rounds; r++)
        if ((v = value(r, impl, cores, bench, metric)) >= 0)
            x[++n] = v
    if (n == 0)
        return (impl, cores, bench) in seen ? "failed" : "-"
    sort(x, n)
    if (n == 1)
        return digits(x[1])
    return digits(median(x, n)) " (" digits(x[1]) "-" digits(x[n]) ")"
}

# Whose figures of which bench a goal's are held against.
function other_bench(bench, against) {
    if (against == "erlang")
        sub(/-.*/, "-tcp", bench)
    return bench
}

# The goal, what is reached (the median), and in how many rounds it holds.
function judge(g,    r, ours, other, x, n, count, holds, text, against) {
    against = goal_against[g]
    other = other_bench(goal_bench[g], against)
    for (r = 1; r <= rounds; r++) {
        # A round in which it was not run at all does not count.
        if (!((r, "greenroom", goal_cores[g], goal_bench[g], "round") in figure))
            continue
        if (against != "" && \
                !((r, against, goal_cores[g], other, "round") in figure))
            continue
        count++
        ours = value(r, "greenroom", goal_cores[g], goal_bench[g],
            goal_metric[g])
        if (against != "" && ours >= 0) {
            r_other = value(r, against, goal_cores[g], other, goal_metric[g])
            ours = r_other > 0 ? ours / r_other : -1
        }
        if (ours < 0)
            continue
        x[++n] = ours
        if (goal_way[g] == ">=" ? ours >= goal_limit[g] : ours <= goal_limit[g])
            holds++
    }
    if (count == 0)
        return ""
    judged++
    if (5 * holds >= 4 * count)
        judged_hold++
    sort(x, n)
    text = goal_way[g] " " goal_limit[g] name_of[against]
    return text ": " (n ? digits(median(x, n)) : "-") ", " holds + 0 " of " \
        count
}

function goals_text(cores, bench, metric,    g, one, text) {
    for (g = 1; g <= goals; g++) {
        if (goal_bench[g] != bench || goal_cores[g] != cores || \
                goal_metric[g] != metric)
            continue
        one = judge(g)
        if (one != "")
            text = text (text == "" ? "" : "; ") one
    }
    return text == "" ? "-" : text
}

# ---- a table: its cells are kept until its widths are known -----------------

function put(text) {
    cells[lines, ++columns] = text
}

function next_line() {
    lines++
    columns = 0
}

function begin_table(text,    i) {
    title = text
    lines = columns = 0
    put("workload")
    put("greenroom")
    put("sockets")
    put("NNG")
    put("Erlang")
    put("CAF")
    put("to reach: reached, holds")
    next_line()
}

# Prints nothing of a table without rows.
function end_table(    r, c, w, most) {
    if (lines < 2)
        return
    print "\n### " title "\n"
    for (c = 1; c <= 7; c++)
        for (r = 0; r < lines; r++)
            if (length(cells[r, c]) > most[c])
                most[c] = length(cells[r, c])
    for (r = 0; r < lines; r++) {
        for (c = 1; c <= 7; c++)
            printf(c == 1 ? "| %-" most[c] "s |" : " %" most[c] "s |", \
                cells[r, c])
        print ""
        for (c = 1; r == 0 && c <= 7; c++) {
            w = sprintf("%" most[c] "s", "")
            gsub(/ /, "-", w)
            printf(c == 1 ? "|-%s-|" : "-%s:|", w)
        }
        if (r == 0)
            print ""
    }
}

function row(text, cores, bench, metric,    i, any) {
    for (i = 1; i <= impls; i++)
        any = any || ((impl_of[i], cores, bench) in seen)
    if (!any)
        return
    put(text)
    for (i = 1; i <= impls; i++)
        put(cell(impl_of[i], cores, bench, metric))
    put(goals_text(cores, bench, metric))
    next_line()
}

function all(text, cores, bench, metric) {
    row(text ", tcp", cores, bench "-tcp", metric)
    row(text ", ipc", cores, bench "-ipc", metric)
    row(text ", tls", cores, bench "-tls", metric)
}

function tables_of(cores, where) {
    begin_table(where ": messages of 32 bytes one way, millions a second")
    all("oneway32", cores, "oneway32", "rate")
    all("oneway32, 4 senders", cores, "oneway32x4", "rate")
    end_table()
    begin_table(where ": large messages one way, MB a second")
    all("oneway64k", cores, "oneway64k", "mb")
    all("oneway1m", cores, "oneway1m", "mb")
    end_table()
    begin_table(where ": round trips, microseconds")
    all("rtt32: p50", cores, "rtt32", "p50")
    all("rtt32: p99", cores, "rtt32", "p99")
    all("ask1: p50", cores, "ask1", "p50")
    all("ask1: p99", cores, "ask1", "p99")
    end_table()
    begin_table(where ": 1,000 asks at a time, thousands a second")
    all("ask1000", cores, "ask1000", "thousands")
    end_table()
}

END {
    if (rounds == 0) {
        print "no figures" > "/dev/stderr"
        exit 1
    }
    print "\nCells: median (least-most) of " rounds \
        (rounds == 1 ? " round" : " rounds") ". Ratios are medians" \
        " of the rounds' own; Erlang and CAF know tcp only."
    tables_of(2, "Two processors")
    tables_of(1, "Both processes on one processor")
    if (judged > 0)
        print "\nGoals that hold in at least four of five rounds: " \
            judged_hold + 0 " of " judged "."
}
