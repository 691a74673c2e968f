# Draws the medians of ./dev bench with two workers as an SVG, or with
# -v chart=net those of ./dev bench-net on two processors; read
# bench-figures.awk first. Bars on a logarithmic scale, a group for each
# workload; a thin line from the least to the most. The colours follow the
# reader's choice of light or dark.

BEGIN {
    if (chart == "net") {
        circumstance = "two processors"
        impls = split("greenroom raw nng erlang caf", impl_of, " ")
        benches = split("oneway32-tcp oneway32-ipc oneway32x4-tcp " \
            "oneway32x4-ipc oneway64k-tcp oneway64k-ipc oneway1m-tcp " \
            "oneway1m-ipc rtt32-tcp rtt32-ipc ask1-tcp ask1-ipc ask1000-tcp " \
            "ask1000-ipc", bench_of, " ")
    } else {
        circumstance = "two workers"
        impls = split("greenroom go erlang caf pthread", impl_of, " ")
        benches = split("pingpong pairs threadring counting mailbox " \
            "fjthroughput fjcreate fib idle idlewake big chameneos bank",
            bench_of, " ")
    }
    name_of["greenroom"] = "greenroom"
    name_of["go"] = "Go"
    name_of["erlang"] = "Erlang/OTP"
    name_of["caf"] = "CAF"
    name_of["pthread"] = "threads"
    name_of["raw"] = "sockets"
    name_of["nng"] = "NNG"
    bar = 9      # height of a bar
    gap = 12     # between groups
    left = 110   # room for the names
    wide = 560   # of the scale
    right = 60   # room for the figures
    top = 62     # title and legend
    # All in pixels.
}

function at_x(ns) {
    return left + wide * (log(ns) - log(least)) / (log(most) - log(least))
}

function px(x) {
    return sprintf("%.1f", x)
}

function power_name(ns) {
    return ns < 1000 ? ns " ns" : ns < 1000000 ? ns / 1000 " &#181;s" : \
        ns / 1000000 " ms"
}

# How many implementations have a figure for it.
function filled(bench,    i, x, at, n) {
    for (i = 1; i <= impls; i++)
        n += series(impl_of[i], 2, bench, "ns_per_op", x, at) > 0
    return n + 0
}

function measure(    b, i, n, x, at, k, height) {
    least = 10
    most = 100
    height = top
    for (b = 1; b <= benches; b++) {
        if (filled(bench_of[b]) == 0)
            continue
        height += filled(bench_of[b]) * bar + gap
        for (i = 1; i <= impls; i++) {
            n = series(impl_of[i], 2, bench_of[b], "ns_per_op", x, at)
            for (k = 1; k <= n; k++) {
                while (x[k] < least)
                    least /= 10
                while (x[k] > most)
                    most *= 10
            }
        }
    }
    return height
}

function head(height,    i, x) {
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" " \
        "width=\"%d\" height=\"%d\" role=\"img\" font-family=\"sans-serif\" " \
        "font-size=\"11\">\n", left + wide + right, height + 24, \
        left + wide + right, height + 24
    print "<title>Nanoseconds per operation, " circumstance ", logarithmic" \
        " scale: less is better</title>"
    print "<style>"
    print "text { fill: #24292f } .grid { stroke: #d0d7de }"
    print ".range { stroke: #24292f; stroke-opacity: 0.5 }"
    print ".greenroom { fill: #1a7f37 } .go { fill: #0f8fb3 }"
    print ".erlang { fill: #a5335c } .caf { fill: #bf8700 }"
    print ".pthread, .raw { fill: #818b98 } .nng { fill: #0f8fb3 }"
    print "@media (prefers-color-scheme: dark) {"
    print "text { fill: #e6edf3 } .grid { stroke: #3d444d }"
    print ".range { stroke: #e6edf3 }"
    print ".greenroom { fill: #3fb950 } .go { fill: #39c5e0 }"
    print ".erlang { fill: #e0699a } .caf { fill: #e3b341 }"
    print ".pthread, .raw { fill: #9198a1 } .nng { fill: #39c5e0 }"
    print "}"
    print "</style>"
    print "<text x=\"8\" y=\"18\" font-size=\"14\" font-weight=\"bold\">" \
        "Nanoseconds per operation, " circumstance "; less is better</text>"
    x = left
    for (i = 1; i <= impls; i++)
        if (impl_of[i] in seen_impl) {
            printf "<rect class=\"%s\" x=\"%d\" y=\"29\" width=\"10\" " \
                "height=\"10\"/><text x=\"%d\" y=\"38\">%s</text>\n", \
                impl_of[i], x, x + 14, name_of[impl_of[i]]
            x += 100
        }
}

function scale_lines(height,    ns) {
    for (ns = least; ns <= most * 1.001; ns *= 10) {
        printf "<line class=\"grid\" x1=\"%s\" y1=\"%d\" x2=\"%s\" y2=\"%d\"/>", \
            px(at_x(ns)), top - 8, px(at_x(ns)), height
        printf "<text x=\"%s\" y=\"%d\" text-anchor=\"middle\">%s</text>\n", \
            px(at_x(ns)), height + 16, power_name(ns)
    }
}

function group(bench, y,    i, n, x, at, mid) {
    printf "<text x=\"%d\" y=\"%s\" text-anchor=\"end\">%s</text>\n", left - 8, \
        px(y + filled(bench) * bar / 2 + 4), bench
    for (i = 1; i <= impls; i++) {
        n = series(impl_of[i], 2, bench, "ns_per_op", x, at)
        if (n == 0)
            continue
        sort(x, n)
        mid = median(x, n)
        printf "<rect class=\"%s\" x=\"%d\" y=\"%s\" width=\"%s\" " \
            "height=\"%d\"/>", impl_of[i], left, px(y), px(at_x(mid) - left), \
            bar - 1
        printf "<line class=\"range\" x1=\"%s\" y1=\"%s\" x2=\"%s\" y2=\"%s\"/>", \
            px(at_x(x[1])), px(y + bar / 2 - 0.5), px(at_x(x[n])), \
            px(y + bar / 2 - 0.5)
        printf "<text x=\"%s\" y=\"%s\" font-size=\"9\">%s</text>\n", \
            px(at_x(x[n]) + 4), px(y + bar - 1.5), digits(mid)
        y += bar
    }
    return y + gap
}

END {
    height = measure()
    if (height == top) {
        print "no figures with " circumstance > "/dev/stderr"
        exit 1
    }
    head(height)
    scale_lines(height)
    y = top
    for (b = 1; b <= benches; b++)
        if (filled(bench_of[b]) > 0)
            y = group(bench_of[b], y)
    print "</svg>"
}
