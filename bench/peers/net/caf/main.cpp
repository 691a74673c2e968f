/*
 * caf-net - the workloads between two processes, for caf::io of the C++ Actor
 * Framework 0.17.
 *
 *   caf-net NAME [workers=N] [pin=0|1] [key=value...]
 *   caf-net            lists them with their parameters
 *
 * Prints a line for each run, as greenroom-bench-net does. The messages of a
 * flow have no numbers: the sink counts them. Exit status: 0; 1 when it failed;
 * 2 for a bad command line.
 */
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <caf/all.hpp>
#include <caf/io/all.hpp>

using namespace caf;

using add_atom = atom_constant<atom("add")>;
using done_atom = atom_constant<atom("done")>;
using go_atom = atom_constant<atom("go")>;
using message_atom = atom_constant<atom("m")>;
using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;
using start_atom = atom_constant<atom("start")>;
using sum_atom = atom_constant<atom("sum")>;

constexpr int64_t warm = 1000;  // round trips that are not counted
constexpr int64_t slice = 1000; // messages that a sender sends in one turn
constexpr size_t small = 32;    // bytes

struct bench {
    std::string name;
    std::map<std::string, int64_t> params;
    actor_system *system = nullptr;
    scoped_actor *self = nullptr;
    actor far;

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

// ---- for the workloads -----------------------------------------------------

static int64_t now_ns()
{
    using namespace std::chrono;
    const auto t = steady_clock::now().time_since_epoch();
    return duration_cast<nanoseconds>(t).count();
}

// Actors may still be at work: nothing is taken down.
[[noreturn]] static void leave(int status)
{
    std::fflush(stdout);
    std::_Exit(status);
}

[[noreturn]] static void die(const char *why)
{
    std::fprintf(stderr, "caf-net: %s\n", why);
    leave(1);
}

static void report(const bench &b, int64_t ops, int64_t ns,
                   const std::string &extra)
{
    std::printf("bench=net_%s impl=caf-tcp workers=%" PRId64 " ops=%" PRId64
                " ns_per_op=%.2f %s\n",
                b.name.c_str(), b["workers"], ops,
                static_cast<double>(ns) / static_cast<double>(ops),
                extra.c_str());
}

static void report_times(const bench &b, int64_t ns, std::vector<int64_t> times)
{
    const size_t n = times.size();
    std::sort(times.begin(), times.end());
    report(b, static_cast<int64_t>(n), ns,
           "p50=" + std::to_string(times[n / 2]) +
               " p99=" + std::to_string(times[n - 1 - n / 100]));
}

// ---- the other end ---------------------------------------------------------

struct far_state {
    int64_t left = 0;
    actor owner;
};

// Sink, echo and server in one.
static behavior far_end(stateful_actor<far_state> *self)
{
    return {
        [=](start_atom, int64_t n, const actor &owner) {
            self->state.left = n;
            self->state.owner = owner;
        },
        [=](message_atom, const std::string &bytes) {
            if (!bytes.empty() && --self->state.left == 0) {
                self->send(self->state.owner, done_atom::value);
            }
        },
        [=](ping_atom, const std::string &bytes) {
            return std::make_tuple(pong_atom::value, bytes);
        },
        [=](add_atom, int64_t i) {
            return std::make_tuple(sum_atom::value, i + 1);
        },
    };
}

// ---- one way ---------------------------------------------------------------

static behavior sender(event_based_actor *self, const actor &to, int64_t n,
                       size_t size)
{
    auto left = std::make_shared<int64_t>(n);
    const std::string bytes(size, '\1');
    const int64_t most =
        std::max<int64_t>(1, std::min<int64_t>(slice, 262144 / size));
    return {[=](go_atom go) {
        for (int64_t i = 0; i < most && *left > 0; i++, --*left) {
            self->send(to, message_atom::value, bytes);
        }
        if (*left > 0) {
            self->send(self, go);
        }
    }};
}

static int64_t flow_once(bench &b, int64_t n, size_t size)
{
    const int64_t senders = b["senders"];
    (*b.self)->send(b.far, start_atom::value, n, actor{*b.self});
    const int64_t begun = now_ns();
    for (int64_t i = 0; i < senders; i++) {
        anon_send(b.system->spawn(sender, b.far,
                                  n / senders + (i < n % senders), size),
                  go_atom::value);
    }
    (*b.self)->receive([](done_atom) {});
    return now_ns() - begun;
}

// Once with a tenth, so that what grows has grown.
static void flow(bench &b, size_t size)
{
    const int64_t n = b["n"];
    flow_once(b, n / 10 + 1, size);
    const int64_t ns = flow_once(b, n, size);
    char text[64];
    std::snprintf(text, sizeof text, "senders=%" PRId64 " mb_per_s=%.1f",
                  b["senders"],
                  static_cast<double>(n) * static_cast<double>(size) * 1e3 /
                      static_cast<double>(ns));
    report(b, n, ns, text);
}

// ---- round trips -----------------------------------------------------------

struct talk_state {
    int64_t n = 0;
    int64_t begun = 0;
    int64_t ended = 0;
    int64_t first_ns = 0;
    int64_t began_ns = 0;
    std::vector<int64_t> times;
    actor owner;
};

// One that began at began_ns has ended; after the last one the owner is told.
static void end_one(stateful_actor<talk_state> *self, int64_t began_ns)
{
    auto &s = self->state;
    const int64_t now = now_ns();
    const int64_t i = s.ended++ - warm;
    if (i >= 0) {
        s.times.push_back(now - began_ns);
    } else if (i == -1) {
        s.first_ns = now;
    }
    if (i + 1 == s.n) {
        self->send(s.owner, now - s.first_ns, s.times);
    }
}

static bool is_more(const talk_state &s)
{
    return s.begun < s.n + warm;
}

static void ping_next(stateful_actor<talk_state> *self, const actor &to)
{
    self->state.begun++;
    self->state.began_ns = now_ns();
    self->send(to, ping_atom::value, std::string(small, '\1'));
}

static behavior pinger(stateful_actor<talk_state> *self, const actor &owner,
                       const actor &to, int64_t n)
{
    self->state.owner = owner;
    self->state.n = n;
    return {
        [=](go_atom) { ping_next(self, to); },
        [=](pong_atom, const std::string &) {
            end_one(self, self->state.began_ns);
            if (is_more(self->state)) {
                ping_next(self, to);
            }
        },
    };
}

static void ask_next(stateful_actor<talk_state> *self, const actor &to)
{
    const int64_t i = self->state.begun++;
    const int64_t began_ns = now_ns();
    self->request(to, infinite, add_atom::value, i)
        .then([=](sum_atom, int64_t sum) {
            if (sum != i + 1) {
                die("an answer is wrong");
            }
            end_one(self, began_ns);
            if (is_more(self->state)) {
                ask_next(self, to);
            }
        });
}

static behavior asker(stateful_actor<talk_state> *self, const actor &owner,
                      const actor &to, int64_t n, int64_t open)
{
    self->state.owner = owner;
    self->state.n = n;
    return {[=](go_atom) {
        for (int64_t i = 0; i < open; i++) {
            ask_next(self, to);
        }
    }};
}

static void finish(bench &b, const actor &from)
{
    anon_send(from, go_atom::value);
    (*b.self)->receive([&](int64_t ns, const std::vector<int64_t> &times) {
        report_times(b, ns, times);
    });
}

static void asks(bench &b, int64_t open)
{
    finish(b, b.system->spawn(asker, actor{*b.self}, b.far, b["n"], open));
}

// ---- the program -----------------------------------------------------------

static const std::vector<workload> workloads{
    {"oneway32",
     {{"senders", 1}, {"n", 300000}},
     [](bench &b) { flow(b, small); }},
    {"oneway64k",
     {{"senders", 1}, {"n", 3000}},
     [](bench &b) { flow(b, 65536); }},
    {"oneway1m",
     {{"senders", 1}, {"n", 200}},
     [](bench &b) { flow(b, 1048576); }},
    {"rtt32",
     {{"n", 5000}},
     [](bench &b) {
         finish(b, b.system->spawn(pinger, actor{*b.self}, b.far, b["n"]));
     }},
    {"ask1", {{"n", 5000}}, [](bench &b) { asks(b, 1); }},
    {"ask1000", {{"n", 50000}}, [](bench &b) { asks(b, 1000); }},
};

static int usage()
{
    std::fputs("usage: caf-net NAME [workers=N] [pin=0|1] [key=value...]\n",
               stderr);
    for (const auto &w : workloads) {
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
    if (text == "transport=tcp") {
        return true;
    }
    const auto equal = text.find('=');
    if (equal == std::string::npos) {
        return false;
    }
    const auto param = b.params.find(text.substr(0, equal));
    const std::string digits = text.substr(equal + 1);
    char *end = nullptr;
    const int64_t value = std::strtoll(digits.c_str(), &end, 10);
    if (param == b.params.end() || digits.empty() || *end != '\0' ||
        value < (param->first == "pin" ? 0 : 1)) {
        return false;
    }
    param->second = value;
    return true;
}

// Returns how many processors there are, one if that is wanted.
static int64_t processors(bool one)
{
    cpu_set_t all;
    if (sched_getaffinity(0, sizeof all, &all) != 0) {
        die("no list of processors");
    }
    int64_t n = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET(cpu, &all) && ++n > 1 && one) {
            CPU_CLR(cpu, &all);
            n--;
        }
    }
    if (one && sched_setaffinity(0, sizeof all, &all) != 0) {
        die("no choice of processors");
    }
    return n;
}

// Publishes an actor, tells its port, and waits for the end of the other.
[[noreturn]] static void run_far(actor_system &system, int fd)
{
    char more;
    const auto port =
        system.middleman().publish(system.spawn(far_end), 0, "127.0.0.1");
    if (!port || write(fd, &*port, sizeof *port) != sizeof *port) {
        die("the far actor cannot be published");
    }
    leave(read(fd, &more, 1) == 0 ? 0 : 1);
}

static void run_near(bench &b, actor_system &system, int fd)
{
    uint16_t port;
    if (read(fd, &port, sizeof port) != sizeof port) {
        die("the other end has ended");
    }
    const auto far = system.middleman().remote_actor("127.0.0.1", port);
    if (!far) {
        die("no connection");
    }
    scoped_actor self{system};
    b.system = &system;
    b.self = &self;
    b.far = *far;
    for (const auto &w : workloads) {
        if (w.name == b.name) {
            w.run(b);
        }
    }
    leave(0);
}

static void run(bench &b)
{
    int ends[2];
    const int64_t n = processors(b["pin"] == 1);
    if (b["workers"] == 0) {
        b.params["workers"] = n;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        die("no socket");
    }
    const pid_t pid = fork(); // before there are threads
    if (pid < 0) {
        die("no second process");
    }
    const int fd = ends[pid == 0];
    close(ends[pid != 0]);
    actor_system_config config;
    config.load<io::middleman>();
    config.set("scheduler.max-threads", static_cast<size_t>(b["workers"]));
    actor_system system{config};
    if (pid == 0) {
        run_far(system, fd);
    }
    run_near(b, system, fd);
}

int main(int argc, char **argv)
{
    for (const auto &w : workloads) {
        if (argc < 2 || w.name != argv[1]) {
            continue;
        }
        bench b;
        b.name = w.name;
        b.params = w.params;
        b.params["workers"] = 0;
        b.params["pin"] = 0;
        for (int i = 2; i < argc; i++) {
            if (!set(b, argv[i])) {
                std::fprintf(stderr,
                             "caf-net: %s: no such parameter, or not a "
                             "number of 1 or more\n",
                             argv[i]);
                return usage();
            }
        }
        run(b);
    }
    return usage();
}
