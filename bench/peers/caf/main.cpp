/*
 * caf-bench - the workloads by which actor runtimes are compared, for the C++
 * Actor Framework 0.17.
 *
 *   caf-bench NAME [workers=2] [key=value...]
 *   caf-bench            lists them with their parameters
 *
 * Prints a line for each run, as greenroom-bench does:
 *   bench=NAME impl=caf workers=N ops=N ns_per_op=X rss_kb=Y
 * Each workload checks its result. Exit status: 0; 1 when it failed; 2 for a
 * bad command line.
 */
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <limits>

#include "bench.hpp"

int64_t now_ns()
{
    using namespace std::chrono;
    const auto t = steady_clock::now().time_since_epoch();
    return duration_cast<nanoseconds>(t).count();
}

void begin(bench &b)
{
    b.begun = std::chrono::steady_clock::now();
}

int64_t memory_kb(const std::string &field)
{
    std::ifstream file{"/proc/self/status"};
    std::string word;
    while (file >> word && word != field) {
        file.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
    }
    int64_t kb = 0;
    file >> kb;
    return kb;
}

void report(const bench &b, const std::string &name, int64_t ops, int64_t ns,
            const std::string &extra)
{
    std::printf("bench=%s impl=caf workers=%" PRId64 " ops=%" PRId64
                " ns_per_op=%.2f rss_kb=%" PRId64 "%s\n",
                name.c_str(), b["workers"], ops,
                static_cast<double>(ns) / static_cast<double>(ops),
                memory_kb("VmHWM:"), extra.c_str());
}

// Actors may still be at work: nothing is taken down.
[[noreturn]] static void leave(int status)
{
    std::fflush(stdout);
    std::_Exit(status);
}

void check(const std::string &name, int64_t got, int64_t expected)
{
    if (got != expected) {
        std::fprintf(stderr,
                     "caf-bench: %s: the result is %" PRId64 ", not %" PRId64
                     "\n",
                     name.c_str(), got, expected);
        leave(1);
    }
}

int64_t gather(bench &b, int64_t n)
{
    int64_t sum = 0;
    int64_t i = 0;
    (*b.self)->receive_for(i, n)([&](int64_t x) { sum += x; });
    return sum;
}

void finish(const bench &b, int64_t ops, int64_t got, int64_t expected)
{
    using namespace std::chrono;
    const auto took = steady_clock::now() - b.begun;
    check(b.name, got, expected);
    report(b, b.name, ops, duration_cast<nanoseconds>(took).count());
}

static std::vector<workload> workloads()
{
    std::vector<workload> all;
    for (const auto *group : {&talk, &flow, &create, &crowd}) {
        all.insert(all.end(), group->begin(), group->end());
    }
    return all;
}

static int usage()
{
    std::fputs("usage: caf-bench NAME [workers=2] [key=value...]\n", stderr);
    for (const auto &w : workloads()) {
        std::fprintf(stderr, "  %-14s", w.name.c_str());
        for (const auto &[key, value] : w.params) {
            std::fprintf(stderr, " %s=%" PRId64, key.c_str(), value);
        }
        std::fputc('\n', stderr);
    }
    return 2;
}

// Takes key=value.
static bool set(bench &b, const std::string &text)
{
    const auto equal = text.find('=');
    if (equal == std::string::npos) {
        return false;
    }
    const auto param = b.params.find(text.substr(0, equal));
    const std::string digits = text.substr(equal + 1);
    char *end = nullptr;
    const int64_t value = std::strtoll(digits.c_str(), &end, 10);
    if (param == b.params.end() || *end != '\0' || value < 1) {
        return false;
    }
    param->second = value;
    return true;
}

static void run(bench &b, const workload &w)
{
    caf::actor_system_config config;
    config.set("scheduler.max-threads", static_cast<size_t>(b["workers"]));
    caf::actor_system system{config};
    caf::scoped_actor self{system};
    b.system = &system;
    b.self = &self;
    w.run(b);
    leave(0);
}

int main(int argc, char **argv)
{
    for (const auto &w : workloads()) {
        if (argc < 2 || w.name != argv[1]) {
            continue;
        }
        bench b;
        b.name = w.name;
        b.params = w.params;
        b.params["workers"] = 2;
        for (int i = 2; i < argc; i++) {
            if (!set(b, argv[i])) {
                std::fprintf(stderr,
                             "caf-bench: %s: no such parameter, or not a "
                             "number of 1 or more\n",
                             argv[i]);
                return usage();
            }
        }
        run(b, w);
    }
    return usage();
}
