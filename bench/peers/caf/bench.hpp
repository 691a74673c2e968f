/*
 * bench/peers/caf/bench.hpp - what the workloads have in common.
 */
#ifndef BENCH_PEERS_CAF_BENCH_HPP
#define BENCH_PEERS_CAF_BENCH_HPP

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <caf/all.hpp>

struct bench {
    std::string name;
    std::map<std::string, int64_t> params;
    caf::actor_system *system = nullptr;
    caf::scoped_actor *self = nullptr; // the program's thread
    std::chrono::steady_clock::time_point begun;

    int64_t operator[](const char *key) const
    {
        return params.at(key);
    }
};

struct workload {
    std::string name;
    std::map<std::string, int64_t> params; // the defaults
    void (*run)(bench &b);
};

extern const std::vector<workload> talk, flow, create, crowd;

int64_t now_ns();
// From here on the time counts.
void begin(bench &b);
// Memory of this process, in KiB: field "VmHWM:" (most) or "VmRSS:" (now).
int64_t memory_kb(const std::string &field);
void report(const bench &b, const std::string &name, int64_t ops, int64_t ns,
            const std::string &extra = "");
// A wrong result ends the program, with status 1.
void check(const std::string &name, int64_t got, int64_t expected);
// Waits for n messages of one integer, and gives their sum.
int64_t gather(bench &b, int64_t n);
// Checks the result and reports `ops` operations since begin().
void finish(const bench &b, int64_t ops, int64_t got, int64_t expected);

// The minimal standard generator of Park and Miller, so that the choices are
// the same in all programs.
inline int64_t next_random(uint64_t &seed)
{
    seed = seed * 48271 % 2147483647;
    return static_cast<int64_t>(seed);
}

#endif // BENCH_PEERS_CAF_BENCH_HPP
