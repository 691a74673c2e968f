/*
 * bench/peers/caf/talk.cpp - who answers whom: pingpong, pairs, threadring.
 */
#include "bench.hpp"

using namespace caf;

// ---- pingpong and pairs -----------------------------------------------------

static behavior pong()
{
    return {[](int64_t i) { return i + 1; }};
}

struct ping_state {
    int64_t i = 0;
    int64_t sum = 0;
};

using start_atom = atom_constant<atom("start")>;

static behavior ping(stateful_actor<ping_state> *self, actor owner, actor pong,
                     int64_t n)
{
    return {
        [=](start_atom) { self->send(pong, int64_t{0}); },
        [=](int64_t x) {
            auto &s = self->state;
            s.sum += x;
            if (++s.i < n) {
                self->send(pong, s.i);
            } else {
                self->send(owner, s.sum);
            }
        },
    };
}

static void run_some(bench &b, int64_t pairs)
{
    const int64_t n = b["n"];
    std::vector<actor> pings;
    for (int64_t i = 0; i < pairs; i++) {
        pings.push_back(
            b.system->spawn(ping, actor{*b.self}, b.system->spawn(pong), n));
    }
    begin(b);
    for (const auto &p : pings) {
        anon_send(p, start_atom::value);
    }
    const int64_t sum = gather(b, pairs);
    finish(b, 2 * n * pairs, sum, pairs * (n * (n + 1) / 2));
}

static void run_pingpong(bench &b)
{
    run_some(b, 1);
}

static void run_pairs(bench &b)
{
    run_some(b, b["pairs"]);
}

// ---- threadring -------------------------------------------------------------

struct ring_state {
    actor next;
    int64_t expected = -1; // what comes next; -1: the first
};

static behavior ring(stateful_actor<ring_state> *self, actor owner,
                     int64_t size)
{
    return {
        [=](int64_t left) {
            auto &s = self->state;
            if (s.expected >= 0) {
                check("threadring", left, s.expected);
            }
            s.expected = left - size;
            if (left == 0) {
                self->send(owner, left);
            } else {
                self->send(s.next, left - 1);
            }
        },
        [=](const actor &next) { self->state.next = next; },
    };
}

static void run_threadring(bench &b)
{
    const int64_t size = b["actors"];
    const int64_t hops = b["hops"];
    std::vector<actor> all;
    for (int64_t i = 0; i < size; i++) {
        all.push_back(b.system->spawn(ring, actor{*b.self}, size));
    }
    for (size_t i = 0; i < all.size(); i++) {
        anon_send(all[i], all[(i + 1) % all.size()]);
    }
    begin(b);
    anon_send(all[0], hops);
    const int64_t last = gather(b, 1);
    finish(b, hops, last, 0);
}

const std::vector<workload> talk{
    {"pingpong", {{"n", 2000000}}, run_pingpong},
    {"pairs", {{"n", 500000}, {"pairs", 8}}, run_pairs},
    {"threadring", {{"actors", 100}, {"hops", 5000000}}, run_threadring},
};
