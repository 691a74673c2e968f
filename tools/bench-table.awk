# Prints the tables of ./dev bench, in Markdown, and which goals hold; read
# bench-figures.awk first. A goal is judged in each round by that round's own
# figures, and holds on the whole when it does so in four of five rounds.

BEGIN {
    impls = split("greenroom go erlang caf pthread", impl_of, " ")
    benches = split("pingpong pairs threadring counting mailbox fjthroughput " \
        "fjcreate fib idle idlewake big chameneos bank compute burst", bench_of,
        " ")
    metric_name["p50_us"] = "p50"
    metric_name["p99_us"] = "p99"
    metric_name["p999_us"] = "p99.9"
    metric_name["max_us"] = "most"
    metric_name["p99_ns"] = "p99"

    # Against Go with as many workers.
    for (w = 1; w <= 2; w++) {
        goal(w, "big", "ns_per_op", "go", 0.35)
        goal(w, "counting", "ns_per_op", "go", 0.75)
        goal(w, "mailbox", "ns_per_op", "go", 0.75)
        goal(w, "fjthroughput", "ns_per_op", "go", 0.75)
        goal(w, "fjcreate", "ns_per_op", "go", 0.25)
        goal(w, "chameneos", "ns_per_op", "go", 0.35)
        goal(w, "bank", "ns_per_op", "go", 0.35)
        goal(w, "fib", "ns_per_op", "go", 0.5)
        goal(w, "idle", "ns_per_op", "go", 0.1)
        goal(w, "idlewake", "ns_per_op", "go", 0.5)
        for (tick = 50; tick <= 1000; tick += 950) {
            goal(w, "latency_tick" tick, "p50_us", "go", 1)
            goal(w, "latency_tick" tick, "p99_us", "go", 1)
        }
    }
    goal(2, "pingpong", "ns_per_op", "go", 0.22)
    goal(2, "threadring", "ns_per_op", "go", 0.22)
    # By themselves.
    goal(1, "pingpong", "ns_per_op", "", 22)
    goal(1, "threadring", "ns_per_op", "", 22)
    goal(2, "counting", "rss_kb", "", 32 * 1024)
    goal(2, "mailbox", "rss_kb", "", 32 * 1024)
    goal(2, "fjthroughput", "rss_kb", "", 32 * 1024)
    goal(2, "idle", "bytes_per_actor", "", 256)
    goal(2, "mixed", "p99_us", "", 6000)
    goal(2, "mixed", "p999_us", "", 12000)
    goal(2, "behind", "max_us", "", 2000)
    goal(2, "beside", "max_us", "", 20000)
    goal(2, "burst", "settled_kb", "", 32 * 1024)
    goal(1, "burst", "settled_kb", "", 32 * 1024)
    # Against the same figure of an idle system, in the same run.
    goal(2, "jobs", "p99_ns", "p99_idle_ns", 2)
    # Against the same with one worker, or with two.
    goal(2, "pairs", "ns_per_op", "one", 1.8)
    goal(2, "compute", "ns_per_op", "one", 1.8)
    for (w = 4; w <= 16; w *= 2)
        for (b = 1; b <= benches; b++)
            if (bench_of[b] != "burst")
                goal(w, bench_of[b], "ns_per_op", "two", 1.5)
}

/^#/ { print }

function goal(workers, bench, key, against, limit) {
    against_of[workers, bench, key] = against
    limit_of[workers, bench, key] = limit
}

# What the goal's limit is held against in a round; -1: there is no such figure.
# A program that failed has no figures, and so no goal of its holds.
function judged(round, workers, bench, key, against,    ours, other) {
    if (!((round, "greenroom", workers, bench, key) in figure))
        return -1
    ours = figure[round, "greenroom", workers, bench, key]
    if (against == "")
        return ours
    if (against ~ /_ns$/)
        other = round SUBSEP "greenroom" SUBSEP workers SUBSEP bench SUBSEP \
            against
    else if (against == "go")
        other = round SUBSEP "go" SUBSEP workers SUBSEP bench SUBSEP key
    else
        other = round SUBSEP "greenroom" SUBSEP (against == "one" ? 1 : 2) \
            SUBSEP bench SUBSEP key
    if (!(other in figure) || figure[other] <= 0 || ours <= 0)
        return -1
    return against == "one" ? figure[other] / ours : ours / figure[other]
}

# Puts the median of what is judged into reached[""], and returns in how many
# rounds of count[""] the goal holds.
function judge(workers, bench, key, against, limit, reached, count,
        r, x, all, n, holds) {
    n = holds = count[""] = 0
    for (r = 1; r <= rounds; r++) {
        # A round in which it was not run at all does not count.
        if (!((r, "greenroom", workers, bench, "round") in figure))
            continue
        if (against == "go" && !((r, "go", workers, bench, "round") in figure))
            continue
        count[""]++
        x = judged(r, workers, bench, key, against)
        if (x < 0)
            continue
        all[++n] = x
        if (against == "one" ? x >= limit : x <= limit)
            holds++
    }
    sort(all, n)
    reached[""] = n ? median(all, n) : -1
    return holds
}

function scale(key) {
    return key ~ /_kb$/ ? 1024 : 1
}

# "median (least-most)", or why there is none.
function cell(impl, workers, bench, key,    x, at, n, s) {
    n = series(impl, workers, bench, key, x, at)
    if (n == 0)
        return (impl, workers, bench) in seen && \
            series(impl, workers, bench, "ops", x, at) == 0 ? "failed" : "-"
    sort(x, n)
    s = scale(key)
    if (n == 1)
        return digits(x[1] / s)
    return digits(median(x, n) / s) " (" digits(x[1] / s) "-" \
        digits(x[n] / s) ")"
}

function ratio_to_go(workers, bench, key,    reached, count) {
    judge(workers, bench, key, "go", 0, reached, count)
    return reached[""] < 0 ? "-" : sprintf("%.2f", reached[""])
}

# The goal in words; notes how often it holds.
function goal_text(workers, bench, key,    against, limit, reached, count, n) {
    holds_text = "-"
    if (!((workers, bench, key) in limit_of))
        return "-"
    against = against_of[workers, bench, key]
    limit = limit_of[workers, bench, key]
    n = judge(workers, bench, key, against, limit, reached, count)
    if (count[""] == 0)
        return "-"
    holds_text = n " of " count[""]
    goals++
    if (5 * n >= 4 * count[""])
        goals_hold++
    else
        missed[++misses] = bench " with " workers \
            (workers == 1 ? " worker: " : " workers: ") \
            label(key) ", holds " holds_text
    if (against == "")
        return "<= " limit / scale(key) (key ~ /_kb$/ ? " MiB" : \
            key ~ /_us$/ ? " us" : key == "ns_per_op" ? " ns" : "")
    if (against == "go")
        return "<= " limit " x Go"
    if (against ~ /_ns$/)
        return "<= " limit " x idle" \
            (reached[""] < 0 ? "" : sprintf(": %.2f", reached[""]))
    return (against == "one" ? ">= " : "<= ") limit " x " against " worker" \
        (against == "one" ? ": " : "s: ") \
        (reached[""] < 0 ? "-" : sprintf("%.2f", reached[""]))
}

function label(key) {
    if (key in metric_name)
        return metric_name[key]
    return key == "ns_per_op" ? "time" : key == "rss_kb" ? "peak memory" : \
        key == "settled_kb" ? "memory after" : "bytes per actor"
}

# ---- a table: its cells are kept until its widths are known -----------------

function table(title, heads,    n, part, i) {
    table_title = title
    lines = columns = 0
    n = split(heads, part, "|")
    for (i = 1; i <= n; i++)
        put(part[i])
}

function put(text) {
    cells[lines, ++columns] = text
}

function next_line() {
    if (lines == 0)
        width = columns
    lines++
    columns = 0
}

# Prints nothing of a table without rows.
function end_table(    r, c, w, most) {
    if (lines < 2)
        return
    print "\n" table_title "\n"
    for (c = 1; c <= width; c++)
        for (r = 0; r < lines; r++)
            if (length(cells[r, c]) > most[c])
                most[c] = length(cells[r, c])
    for (r = 0; r < lines; r++) {
        for (c = 1; c <= width; c++)
            printf(c == 1 ? "| %-" most[c] "s |" : " %" most[c] "s |", \
                cells[r, c])
        print ""
        for (c = 1; r == 0 && c <= width; c++) {
            w = sprintf("%" most[c] "s", "")
            gsub(/ /, "-", w)
            printf(c == 1 ? "|-%s-|" : "-%s:|", w)
        }
        if (r == 0)
            print ""
    }
}

# The implementations that are in these rows.
function heads_of(workers,    i, text, run, part, has) {
    for (run in seen) {
        split(run, part, SUBSEP)
        if (part[2] == workers)
            has[part[1]] = 1
    }
    shown = 0
    for (i = 1; i <= impls; i++)
        if (impl_of[i] in has) {
            show[++shown] = impl_of[i]
            text = text "|" impl_of[i]
        }
    return text "|ours / Go|goal|holds"
}

function row(name, workers, bench, key,    i, any) {
    for (i = 1; i <= shown; i++)
        any = any || ((show[i], workers, bench) in seen)
    # Some figures only some workloads have.
    if (!any || (key != "ns_per_op" && !has_figure(workers, bench, key) && \
            !((workers, bench, key) in limit_of)))
        return
    put(name)
    for (i = 1; i <= shown; i++)
        put(cell(show[i], workers, bench, key))
    put(ratio_to_go(workers, bench, key))
    put(goal_text(workers, bench, key))
    put(holds_text)
    next_line()
}

function has_figure(workers, bench, key,    i, x, at) {
    for (i = 1; i <= shown; i++)
        if (series(show[i], workers, bench, key, x, at) > 0)
            return 1
    return 0
}

function tables_of(workers, text,    b, heads, tick, k, n, key) {
    heads = heads_of(workers)
    table("### " text ": ns per operation", "workload" heads)
    next_line()
    for (b = 1; b <= benches; b++)
        row(bench_of[b], workers, bench_of[b], "ns_per_op")
    end_table()

    table("### " text ": microseconds until a message is handled",
        "workload" heads)
    next_line()
    n = split("p50_us p99_us p999_us", key, " ")
    for (tick = 1000; tick >= 50; tick -= 950)
        for (k = 1; k <= n; k++)
            row("latency, tick " tick " us: " metric_name[key[k]], workers,
                "latency_tick" tick, key[k])
    for (k = 1; k <= n; k++)
        row("mixed: " metric_name[key[k]], workers, "mixed", key[k])
    row("behind: most", workers, "behind", "max_us")
    for (k = 1; k <= n; k++)
        row("beside: " metric_name[key[k]], workers, "beside", key[k])
    row("beside: most", workers, "beside", "max_us")
    end_table()

    table("### " text ": ns of a round trip", "workload" heads)
    next_line()
    row("jobs, idle: p99", workers, "jobs", "p99_idle_ns")
    row("jobs: p99", workers, "jobs", "p99_ns")
    end_table()

    table("### " text ": memory, MiB at the peak, and bytes", "workload" heads)
    next_line()
    for (b = 1; b <= benches; b++)
        row(bench_of[b], workers, bench_of[b], "rss_kb")
    row("burst: 2 s after", workers, "burst", "settled_kb")
    row("idle: bytes per actor", workers, "idle", "bytes_per_actor")
    end_table()
}

# Cells "median of it (ratio to two workers)", and how often the goal holds.
function crowded(    b, w, text, reached, count, bench) {
    table("### More workers than processors: ns per operation", \
        "workload|2|4|8|16|goal|4 holds|8 holds|16 holds")
    next_line()
    for (b = 1; b <= benches; b++) {
        bench = bench_of[b]
        if (!(("greenroom", 4, bench) in seen))
            continue
        put(bench)
        put(cell("greenroom", 2, bench, "ns_per_op"))
        text = ""
        for (w = 4; w <= 16; w *= 2) {
            goal_text(w, bench, "ns_per_op")
            text = text "|" holds_text
            judge(w, bench, "ns_per_op", "two", 0, reached, count)
            put(cell("greenroom", w, bench, "ns_per_op") \
                (reached[""] < 0 ? "" : sprintf(" x %.2f", reached[""])))
        }
        put("<= 1.5 x two")
        split(text, hold, "|")
        for (w = 2; w <= 4; w++)
            put(hold[w])
        next_line()
    }
    end_table()
}

END {
    if (rounds == 0) {
        print "no figures" > "/dev/stderr"
        exit 1
    }
    print "\nCells: median (least-most) of " rounds \
        (rounds == 1 ? " round" : " rounds") ". Ratios are medians" \
        " of the rounds' own."
    tables_of(2, "Two workers")
    tables_of(1, "One worker")
    crowded()
    if (goals == 0)
        exit 0
    print "\nGoals that hold in at least four of five rounds: " goals_hold + 0 \
        " of " goals "."
    for (i = 1; i <= misses; i++)
        print (i == 1 ? "Not:\n" : "") "- " missed[i]
}
