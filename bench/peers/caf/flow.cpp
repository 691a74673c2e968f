/*
 * bench/peers/caf/flow.cpp - many messages one way: counting, mailbox,
 * fjthroughput; and latency.
 */
#include <algorithm>
#include <thread>

#include "bench.hpp"

using namespace caf;

// Producers send in slices, and go on by a message to themselves: what they
// send is taken meanwhile, while it lies in the cache.
constexpr int64_t slice = 1000;

using get_atom = atom_constant<atom("get")>;
using go_atom = atom_constant<atom("go")>;

// ---- who adds up, who sends -------------------------------------------------

struct adder_state {
    int64_t sum = 0;
    int64_t n = 0;
};

// Tells after so many messages; 0: when asked.
static behavior adder(stateful_actor<adder_state> *self, actor owner,
                      int64_t wanted)
{
    return {
        [=](int64_t i) {
            auto &s = self->state;
            s.sum += i;
            if (++s.n == wanted) {
                self->send(owner, s.sum);
            }
        },
        [=](get_atom) { self->send(owner, self->state.sum); },
    };
}

struct producer_state {
    int64_t i = 1;
    size_t next = 0;
};

// Sends 1 to n, each to all.
static behavior producer(stateful_actor<producer_state> *self,
                         std::vector<actor> to, int64_t n, bool ask)
{
    return {[=](go_atom go) {
        auto &s = self->state;
        for (int64_t k = 0; k < slice && s.i <= n; k++) {
            self->send(to[s.next], s.i);
            if (++s.next == to.size()) {
                s.next = 0;
                s.i++;
            }
        }
        if (s.i <= n) {
            self->send(self, go);
        } else if (ask) {
            self->send(to[0], get_atom::value);
        }
    }};
}

static actor spawn_adder(bench &b, int64_t wanted)
{
    return b.system->spawn(adder, actor{*b.self}, wanted);
}

static void go(bench &b, const std::vector<actor> &to, int64_t n, bool ask)
{
    anon_send(b.system->spawn(producer, to, n, ask), go_atom::value);
}

// ---- counting, mailbox, fjthroughput ----------------------------------------

static void run_counting(bench &b)
{
    const int64_t n = b["n"];
    const std::vector<actor> to{spawn_adder(b, 0)};
    begin(b);
    go(b, to, n, true);
    const int64_t sum = gather(b, 1);
    finish(b, n, sum, n * (n + 1) / 2);
}

static void run_mailbox(bench &b)
{
    const int64_t senders = b["senders"];
    const int64_t n = b["n"];
    const std::vector<actor> to{spawn_adder(b, senders * n)};
    begin(b);
    for (int64_t i = 0; i < senders; i++) {
        go(b, to, n, false);
    }
    const int64_t sum = gather(b, 1);
    finish(b, senders * n, sum, senders * (n * (n + 1) / 2));
}

static void run_fjthroughput(bench &b)
{
    const int64_t actors = b["actors"];
    const int64_t n = b["n"];
    std::vector<actor> to;
    for (int64_t i = 0; i < actors; i++) {
        to.push_back(spawn_adder(b, n));
    }
    begin(b);
    go(b, to, n, false);
    const int64_t sum = gather(b, actors);
    finish(b, actors * n, sum, actors * (n * (n + 1) / 2));
}

// ---- latency ----------------------------------------------------------------

static behavior echo(event_based_actor *self, actor to)
{
    return {[=](int64_t sent_ns) { self->send(to, sent_ns); }};
}

struct collector_state {
    std::vector<int64_t> ns;
};

// The times are read when the number of them has come; nobody writes any more.
static behavior collector(stateful_actor<collector_state> *self, actor owner,
                          size_t n, std::vector<int64_t> *out)
{
    self->state.ns.reserve(n);
    return {[=](int64_t sent_ns) {
        auto &ns = self->state.ns;
        ns.push_back(now_ns() - sent_ns);
        if (ns.size() == n) {
            *out = std::move(ns);
            self->send(owner, static_cast<int64_t>(n));
        }
    }};
}

// The sender is a thread outside of the runtime: actors' timers are not made
// for such ticks.
static void pace(const bench &b, const actor &to)
{
    using namespace std::chrono;
    const int64_t n = b["n"];
    const int64_t rate = b["rate"];
    auto next = b.begun;
    for (int64_t sent = 0; sent < n;) {
        next += microseconds{b["tick"]};
        std::this_thread::sleep_until(next);
        const auto past = steady_clock::now() - b.begun;
        const int64_t due =
            duration_cast<microseconds>(past).count() * rate / 1000000;
        for (; sent < due && sent < n; sent++) {
            anon_send(to, now_ns());
        }
    }
}

static void run_latency(bench &b)
{
    const auto n = static_cast<size_t>(b["n"]);
    std::vector<int64_t> ns;
    const actor to = b.system->spawn(
        echo, b.system->spawn(collector, actor{*b.self}, n, &ns));
    begin(b);
    pace(b, to);
    gather(b, 1);
    std::sort(ns.begin(), ns.end());
    int64_t sum = 0;
    for (int64_t one : ns) {
        sum += one;
    }
    char extra[128];
    const auto us = [&](size_t i) { return static_cast<double>(ns[i]) / 1e3; };
    std::snprintf(extra, sizeof(extra),
                  " p50_us=%.1f p99_us=%.1f p999_us=%.1f max_us=%.1f",
                  us(n / 2), us(n * 99 / 100), us(n * 999 / 1000), us(n - 1));
    report(b, "latency_tick" + std::to_string(b["tick"]), b["n"], sum, extra);
}

const std::vector<workload> flow{
    {"counting", {{"n", 5000000}}, run_counting},
    {"mailbox", {{"senders", 20}, {"n", 250000}}, run_mailbox},
    {"fjthroughput", {{"actors", 60}, {"n", 50000}}, run_fjthroughput},
    {"latency", {{"rate", 20000}, {"n", 40000}, {"tick", 1000}}, run_latency},
};
