/*
 * bench/peers/caf/create.cpp - actors that come and go, and that only wait:
 * fjcreate, fib, idle and idlewake.
 *
 * Where very many actors wait for a worker, 0.17 walks the list of them for
 * each that it takes from the far end: so fjcreate and idle have fewer actors
 * than elsewhere. With as many, each would take a hundred times as long.
 */
#include <atomic>

#include "bench.hpp"

using namespace caf;

// ---- fjcreate ---------------------------------------------------------------

// Answers one message, and ends.
static behavior mayfly(event_based_actor *self)
{
    return {[=](int64_t i) {
        self->quit();
        return i;
    }};
}

using start_atom = atom_constant<atom("start")>;

struct gather_state {
    int64_t answers = 0;
    int64_t sum = 0;
};

static behavior creator(stateful_actor<gather_state> *self, actor owner,
                        int64_t n)
{
    return {
        [=](start_atom) {
            for (int64_t i = 1; i <= n; i++) {
                self->send(self->spawn(mayfly), i);
            }
        },
        [=](int64_t i) {
            self->state.sum += i;
            if (++self->state.answers == n) {
                self->send(owner, self->state.sum);
            }
        },
    };
}

static void run_fjcreate(bench &b)
{
    const int64_t n = b["n"];
    const actor a = b.system->spawn(creator, actor{*b.self}, n);
    begin(b);
    anon_send(a, start_atom::value);
    const int64_t sum = gather(b, 1);
    finish(b, n, sum, n * (n + 1) / 2);
}

// ---- fib --------------------------------------------------------------------

static behavior fib(stateful_actor<gather_state> *self, actor parent, int64_t n)
{
    if (n <= 2) {
        self->send(parent, int64_t{1});
        return {};
    }
    self->spawn(fib, actor{self}, n - 1);
    self->spawn(fib, actor{self}, n - 2);
    return {[=](int64_t x) {
        self->state.sum += x;
        if (++self->state.answers == 2) {
            self->send(parent, self->state.sum);
            self->quit();
        }
    }};
}

static void run_fib(bench &b)
{
    const int64_t n = b["n"];
    int64_t result = 1;
    int64_t before = 1;
    for (int64_t i = 3; i <= n; i++) {
        const int64_t next = result + before;
        before = result;
        result = next;
    }
    begin(b);
    b.system->spawn(fib, actor{*b.self}, n);
    const int64_t sum = gather(b, 1);
    finish(b, 2 * result - 1, sum, result);
}

// ---- idle and idlewake ------------------------------------------------------

// The last that has begun says so.
static behavior idler(event_based_actor *self, actor owner,
                      std::atomic<int64_t> *to_begin)
{
    if (to_begin->fetch_sub(1, std::memory_order_relaxed) == 1) {
        self->send(owner, int64_t{0});
    }
    return {[](int64_t i) { return i; }};
}

static behavior waker(stateful_actor<gather_state> *self, actor owner,
                      const std::vector<actor> *idlers)
{
    return {
        [=](start_atom) {
            int64_t i = 0;
            for (const auto &one : *idlers) {
                self->send(one, ++i);
            }
        },
        [=](int64_t i) {
            self->state.sum += i;
            if (++self->state.answers == static_cast<int64_t>(idlers->size())) {
                self->send(owner, self->state.sum);
            }
        },
    };
}

static void run_idle(bench &b)
{
    const int64_t n = b["n"];
    std::atomic<int64_t> to_begin{n};
    // Touched before the memory is measured: the list is not the actors'.
    std::vector<actor> idlers(static_cast<size_t>(n));
    const int64_t kb = memory_kb("VmRSS:");
    begin(b);
    for (auto &one : idlers) {
        one = b.system->spawn(idler, actor{*b.self}, &to_begin);
    }
    gather(b, 1);
    const auto took = std::chrono::steady_clock::now() - b.begun;
    report(b, "idle", n,
           std::chrono::duration_cast<std::chrono::nanoseconds>(took).count(),
           " bytes_per_actor=" +
               std::to_string((memory_kb("VmRSS:") - kb) * 1024 / n));
    const actor a = b.system->spawn(waker, actor{*b.self}, &idlers);
    b.name = "idlewake";
    begin(b);
    anon_send(a, start_atom::value);
    const int64_t sum = gather(b, 1);
    finish(b, n, sum, n * (n + 1) / 2);
}

const std::vector<workload> create{
    {"fjcreate", {{"n", 20000}}, run_fjcreate},
    {"fib", {{"n", 25}}, run_fib},
    {"idle", {{"n", 20000}}, run_idle},
};
