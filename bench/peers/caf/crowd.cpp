/*
 * bench/peers/caf/crowd.cpp - many who meet at random: big, chameneos, bank.
 */
#include <deque>

#include "bench.hpp"

using namespace caf;

using start_atom = atom_constant<atom("start")>;

static actor sender_of(event_based_actor *self)
{
    return actor_cast<actor>(self->current_sender());
}

// ---- big --------------------------------------------------------------------

using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;

struct big_state {
    uint64_t seed = 0;
    int64_t left = 0;
    int64_t expected = -1; // who is to answer
};

using big_actor = stateful_actor<big_state>;

static void big_next(big_actor *self, const actor &owner, int64_t id,
                     const std::vector<actor> &all)
{
    auto &s = self->state;
    if (s.left == 0) {
        self->send(owner, int64_t{1});
        return;
    }
    s.left--;
    s.expected = next_random(s.seed) % static_cast<int64_t>(all.size());
    self->send(all[static_cast<size_t>(s.expected)], ping_atom::value, id);
}

// All are known before the first starts.
static behavior big(big_actor *self, actor owner, int64_t id, int64_t pings,
                    const std::vector<actor> *all)
{
    self->state.seed = static_cast<uint64_t>(id) + 1;
    self->state.left = pings;
    return {
        [=](ping_atom, int64_t) {
            return std::make_tuple(pong_atom::value, id);
        },
        [=](pong_atom, int64_t who) {
            check("big", who, self->state.expected);
            big_next(self, owner, id, *all);
        },
        [=](start_atom) { big_next(self, owner, id, *all); },
    };
}

static void run_big(bench &b)
{
    const int64_t n = b["actors"];
    const int64_t pings = b["pings"];
    std::vector<actor> all;
    for (int64_t i = 0; i < n; i++) {
        all.push_back(b.system->spawn(big, actor{*b.self}, i, pings, &all));
    }
    begin(b);
    for (const auto &one : all) {
        anon_send(one, start_atom::value);
    }
    const int64_t done = gather(b, n);
    finish(b, 2 * n * pings, done, n);
}

// ---- chameneos --------------------------------------------------------------

using change_atom = atom_constant<atom("change")>;
using fade_atom = atom_constant<atom("fade")>;

struct mall_state {
    actor waiting;
    int64_t left = 0;
};

static behavior mall(stateful_actor<mall_state> *self, int64_t meetings)
{
    self->state.left = meetings;
    return {[=](int64_t colour) {
        auto &s = self->state;
        if (s.left == 0) {
            self->send(sender_of(self), fade_atom::value);
        } else if (!s.waiting) {
            s.waiting = sender_of(self);
        } else {
            s.left--;
            self->send(s.waiting, colour, sender_of(self));
            s.waiting = nullptr;
        }
    }};
}

struct creature_state {
    int64_t colour = 0;
    int64_t meetings = 0;
};

static int64_t complement(int64_t a, int64_t b)
{
    return a == b ? a : 3 - a - b;
}

static behavior creature(stateful_actor<creature_state> *self, actor owner,
                         actor mall, int64_t first)
{
    self->state.colour = first;
    self->send(mall, first);
    const auto met = [=](int64_t colour) {
        self->state.colour = colour;
        self->state.meetings++;
        self->send(mall, colour);
    };
    return {
        [=](int64_t colour, const actor &partner) {
            colour = complement(self->state.colour, colour);
            self->send(partner, change_atom::value, colour);
            met(colour);
        },
        [=](change_atom, int64_t colour) { met(colour); },
        [=](fade_atom) {
            self->send(owner, self->state.meetings);
            self->quit();
        },
    };
}

static void run_chameneos(bench &b)
{
    const int64_t n = b["creatures"];
    const int64_t meetings = b["meetings"];
    const actor place = b.system->spawn(mall, meetings);
    begin(b);
    for (int64_t i = 0; i < n; i++) {
        b.system->spawn(creature, actor{*b.self}, place, i % 3);
    }
    const int64_t sum = gather(b, n);
    finish(b, meetings, sum, 2 * meetings);
}

// ---- bank -------------------------------------------------------------------

constexpr int64_t balance_at_first = 1000000;
constexpr int64_t amount_max = 1000;

using transfer_atom = atom_constant<atom("transfer")>;
using deposit_atom = atom_constant<atom("deposit")>;
using deposited_atom = atom_constant<atom("deposited")>;
using close_atom = atom_constant<atom("close")>;

// What came while an account waited for an answer.
struct order {
    int64_t amount;
    actor from;
    actor to; // of a deposit: nobody
};

struct account_state {
    int64_t balance = balance_at_first;
    actor teller; // of the transfer under way
    std::deque<order> later;
};

using account_actor = stateful_actor<account_state>;

static void transfer(account_actor *self, int64_t amount, const actor &to,
                     actor teller)
{
    self->state.balance -= amount;
    self->state.teller = std::move(teller);
    self->send(to, deposit_atom::value, amount);
}

static void deposit(account_actor *self, int64_t amount, const actor &from)
{
    self->state.balance += amount;
    self->send(from, deposited_atom::value, amount);
}

// An account puts off its other messages by itself: awaiting the answer to a
// request would look through all of them at each answer.
static behavior account(account_actor *self)
{
    return {
        [=](transfer_atom, int64_t amount, const actor &to) {
            auto &s = self->state;
            if (s.teller) {
                s.later.push_back({amount, sender_of(self), to});
            } else {
                transfer(self, amount, to, sender_of(self));
            }
        },
        [=](deposit_atom, int64_t amount) {
            auto &s = self->state;
            if (s.teller) {
                s.later.push_back({amount, sender_of(self), {}});
            } else {
                deposit(self, amount, sender_of(self));
            }
        },
        [=](deposited_atom, int64_t amount) {
            auto &s = self->state;
            self->send(s.teller, amount);
            s.teller = nullptr;
            while (!s.later.empty() && !s.teller) {
                const order next = std::move(s.later.front());
                s.later.pop_front();
                if (next.to) {
                    transfer(self, next.amount, next.to, next.from);
                } else {
                    deposit(self, next.amount, next.from);
                }
            }
        },
        // Nothing is under way any more.
        [=](close_atom) { return self->state.balance; },
    };
}

struct teller_state {
    int64_t amounts = 0;
    int64_t open = 0;
    int64_t closed = 0;
    int64_t sum = 0;
};

static void transfer_all(stateful_actor<teller_state> *self,
                         const std::vector<actor> &accounts, int64_t transfers)
{
    uint64_t seed = 123456;
    const auto n = static_cast<int64_t>(accounts.size());
    for (int64_t i = 0; i < transfers; i++) {
        const int64_t from = next_random(seed) % (n / 10 * 8);
        int64_t distance = next_random(seed) % (n - from);
        distance = distance == 0 ? 1 : distance;
        const int64_t amount = 1 + next_random(seed) % amount_max;
        self->state.amounts += amount;
        self->send(accounts[static_cast<size_t>(from)], transfer_atom::value,
                   amount, accounts[static_cast<size_t>(from + distance)]);
    }
    self->state.open = transfers;
}

static behavior teller(stateful_actor<teller_state> *self, actor owner,
                       const std::vector<actor> *accounts, int64_t transfers)
{
    return {
        [=](start_atom) { transfer_all(self, *accounts, transfers); },
        [=](int64_t x) {
            auto &s = self->state;
            if (s.open > 0) {
                s.amounts -= x;
                if (--s.open == 0) {
                    check("bank", s.amounts, 0);
                    for (const auto &one : *accounts) {
                        self->send(one, close_atom::value);
                    }
                }
                return;
            }
            s.sum += x;
            if (++s.closed == static_cast<int64_t>(accounts->size())) {
                self->send(owner, s.sum);
            }
        },
    };
}

static void run_bank(bench &b)
{
    const int64_t n = b["accounts"];
    const int64_t transfers = b["n"];
    if (n < 10) {
        check("bank: accounts", n, 10);
    }
    std::vector<actor> accounts;
    for (int64_t i = 0; i < n; i++) {
        accounts.push_back(b.system->spawn(account));
    }
    const actor a =
        b.system->spawn(teller, actor{*b.self}, &accounts, transfers);
    begin(b);
    anon_send(a, start_atom::value);
    const int64_t sum = gather(b, 1);
    finish(b, transfers, sum, n * balance_at_first);
}

const std::vector<workload> crowd{
    {"big", {{"actors", 120}, {"pings", 20000}}, run_big},
    {"chameneos", {{"creatures", 100}, {"meetings", 800000}}, run_chameneos},
    {"bank", {{"accounts", 1000}, {"n", 500000}}, run_bank},
};
