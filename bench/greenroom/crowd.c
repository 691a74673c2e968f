/*
 * bench/greenroom/crowd.c - many who meet at random: big, chameneos, bank.
 */
#include "bench/greenroom/bench.h"

/* ---- big ---------------------------------------------------------------- */

typedef struct big_state {
    gr_pid owner;
    gr_pid *all;
    int64_t n_all, known; /* how many of `all` there are and are known */
    int64_t id, pings, sent;
    int64_t expected; /* who is to answer */
    uint64_t seed;
} big_state;

static int big_init(gr_actor *self, void *state, const gr_msg *args)
{
    big_state *s = state;
    if (!gr_unpack(args, &s->owner, &s->id, &s->n_all, &s->pings)) {
        return GR_EINVAL;
    }
    s->seed = (uint64_t)s->id + 1;
    s->expected = -1;
    s->all = gr_alloc(self, (size_t)s->n_all * sizeof(*s->all));
    return s->all != NULL ? 0 : GR_ENOMEM;
}

static int big_next(gr_actor *self, big_state *s)
{
    if (s->sent == s->pings) {
        return gr_send(self, s->owner, "done", s->sent);
    }
    s->sent++;
    s->expected = bench_random(&s->seed) % s->n_all;
    return gr_send(self, s->all[s->expected], "ping", s->id);
}

static int big_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    big_state *s = state;
    int64_t id;
    if (gr_match(msg, "ping", &id)) {
        return gr_send(self, gr_sender(msg), "pong", s->id);
    }
    if (gr_match(msg, "pong", &id)) {
        return id == s->expected ? big_next(self, s)
                                 : bench_failed("big", id, s->expected);
    }
    if (gr_match(msg, "start")) {
        return big_next(self, s);
    }
    if (s->known < s->n_all && gr_match(msg, "other", &s->all[s->known])) {
        s->known++;
        return 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior big = {
    .name = "big",
    .state_size = sizeof(big_state),
    .init = big_init,
    .receive = big_receive,
};

enum { BIG_MAX = 1000 };

static int run_big(bench *b)
{
    const int64_t n = bench_param_of(b, "actors");
    const int64_t pings = bench_param_of(b, "pings");
    gr_pid all[BIG_MAX] = {GR_NOBODY};
    if (n > BIG_MAX) {
        return GR_EINVAL;
    }
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr_spawn(
            b->self, &big,
            &(gr_spawn_opts){.args = gr_args(gr_self(b->self), i, n, pings)},
            &all[i]));
    }
    for (int64_t i = 0; i < n * n; i++) {
        GR_TRY(gr_send(b->self, all[i / n], "other", all[i % n]));
    }
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr_send(b->self, all[i], "start"));
    }
    int64_t sum = 0;
    for (int64_t i = 1; i < n; i++) {
        int64_t one;
        GR_TRY(bench_wait(b, &one));
        sum += one;
    }
    return sum != (n - 1) * pings
               ? bench_failed("big", sum, (n - 1) * pings)
               : bench_finish(b, "big", 2 * n * pings, pings);
}

/* ---- chameneos ---------------------------------------------------------- */

typedef struct mall_state {
    gr_pid owner, waiting;
    int64_t colour; /* of who waits */
    int64_t left, creatures, faded, sum;
} mall_state;

static int mall_init(gr_actor *self, void *state, const gr_msg *args)
{
    mall_state *m = state;
    (void)self;
    m->waiting = GR_NOBODY;
    return gr_unpack(args, &m->owner, &m->creatures, &m->left) ? 0 : GR_EINVAL;
}

static int mall_meet(gr_actor *self, mall_state *m, gr_pid who, int64_t colour)
{
    if (m->left == 0) {
        return gr_send(self, who, "fade");
    }
    if (gr_pid_is_nobody(m->waiting)) {
        m->waiting = who;
        return 0;
    }
    const gr_pid first = m->waiting;
    m->waiting = GR_NOBODY;
    m->left--;
    return gr_send(self, first, "partner", colour, who);
}

static int mall_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    mall_state *m = state;
    int64_t x;
    if (gr_match(msg, "meet", &x)) {
        return mall_meet(self, m, gr_sender(msg), x);
    }
    if (gr_match(msg, "faded", &x)) {
        m->sum += x;
        return ++m->faded == m->creatures
                   ? gr_send(self, m->owner, "done", m->sum)
                   : 0;
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior mall = {
    .name = "mall",
    .state_size = sizeof(mall_state),
    .init = mall_init,
    .receive = mall_receive,
};

typedef struct creature_state {
    gr_pid mall;
    int64_t colour, meetings;
} creature_state;

static int64_t complement(int64_t a, int64_t b)
{
    return a == b ? a : 3 - a - b;
}

static int creature_init(gr_actor *self, void *state, const gr_msg *args)
{
    creature_state *c = state;
    if (!gr_unpack(args, &c->mall, &c->colour)) {
        return GR_EINVAL;
    }
    return gr_send(self, c->mall, "meet", c->colour);
}

static int creature_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    creature_state *c = state;
    gr_pid partner;
    int64_t colour;
    if (gr_match(msg, "partner", &colour, &partner)) {
        c->colour = complement(c->colour, colour);
        GR_TRY(gr_send(self, partner, "change", c->colour));
    } else if (gr_match(msg, "change", &colour)) {
        c->colour = colour;
    } else if (gr_match(msg, "fade")) {
        gr_exit(self, 0, NULL);
        return gr_send(self, c->mall, "faded", c->meetings);
    } else {
        return gr_unhandled(self, msg);
    }
    c->meetings++;
    return gr_send(self, c->mall, "meet", c->colour);
}

static const gr_behavior creature = {
    .name = "creature",
    .state_size = sizeof(creature_state),
    .init = creature_init,
    .receive = creature_receive,
};

static int run_chameneos(bench *b)
{
    const int64_t n = bench_param_of(b, "creatures");
    const int64_t meetings = bench_param_of(b, "meetings");
    gr_pid pid;
    GR_TRY(gr_spawn(
        b->self, &mall,
        &(gr_spawn_opts){.args = gr_args(gr_self(b->self), n, meetings)},
        &pid));
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        GR_TRY(gr_spawn(b->self, &creature,
                        &(gr_spawn_opts){.args = gr_args(pid, i % 3)}, NULL));
    }
    return bench_finish(b, "chameneos", meetings, 2 * meetings);
}

/* ---- bank --------------------------------------------------------------- */

enum { BALANCE = 1000000, AMOUNT_MAX = 1000, ACCOUNTS_MAX = 100000 };

/* An account that waits for an answer stashes its other messages. */
typedef struct account_state {
    int64_t balance;
    gr_pid teller; /* of the transfer under way */
    bool waits;
} account_state;

static int account_init(gr_actor *self, void *state, const gr_msg *args)
{
    account_state *a = state;
    (void)self;
    (void)args;
    a->balance = BALANCE;
    return 0;
}

static int account_handle(gr_actor *self, account_state *a, const gr_msg *msg)
{
    gr_pid to;
    int64_t amount;
    if (gr_match(msg, 7, &amount, &to)) {
        a->balance -= amount;
        a->teller = gr_sender(msg);
        a->waits = true;
        return gr_send(self, to, "deposit", amount);
    }
    /* It goes on not waiting: so does what it has put aside. */
    gr_unstash_one(self);
    if (gr_match(msg, "deposit", &amount)) {
        a->balance += amount;
        return gr_send(self, gr_sender(msg), "deposited", amount);
    }
    if (gr_match(msg, "close")) {
        return gr_send(self, gr_sender(msg), "balance", a->balance);
    }
    return gr_unhandled(self, msg);
}

static int account_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    account_state *a = state;
    int64_t amount;
    if (!a->waits) {
        return account_handle(self, a, msg);
    }
    if (!gr_match(msg, "deposited", &amount)) {
        return gr_stash(self, msg);
    }
    a->waits = false;
    gr_unstash_one(self); /* all of them would mostly be stashed again */
    return gr_send(self, a->teller, "transferred", amount);
}

static const gr_behavior account = {
    .name = "account",
    .state_size = sizeof(account_state),
    .init = account_init,
    .receive = account_receive,
    .mailbox = BENCH_UNBOUNDED,
};

typedef struct teller_state {
    gr_pid owner;
    gr_pid *accounts;
    int64_t n_accounts, n, open, amounts, sum, closed;
} teller_state;

static int teller_init(gr_actor *self, void *state, const gr_msg *args)
{
    teller_state *t = state;
    if (!gr_unpack(args, &t->owner, &t->n_accounts, &t->n)) {
        return GR_EINVAL;
    }
    t->accounts = gr_alloc(self, (size_t)t->n_accounts * sizeof(gr_pid));
    if (t->accounts == NULL) {
        return GR_ENOMEM;
    }
    for (int64_t i = 0; i < t->n_accounts; i++) {
        GR_TRY(gr_spawn(self, &account, NULL, &t->accounts[i]));
    }
    return gr_send(self, t->owner, "done", 0);
}

static int transfer_all(gr_actor *self, teller_state *t)
{
    uint64_t seed = 123456;
    const int64_t n = t->n_accounts;
    for (t->open = 0; t->open < t->n; t->open++) {
        const int64_t from = bench_random(&seed) % (n / 10 * 8);
        int64_t distance = bench_random(&seed) % (n - from);
        distance = distance == 0 ? 1 : distance;
        const int64_t amount = 1 + bench_random(&seed) % AMOUNT_MAX;
        t->amounts += amount;
        GR_TRY(gr_send(self, t->accounts[from], 7, amount,
                       t->accounts[from + distance]));
    }
    return 0;
}

static int teller_receive(gr_actor *self, void *state, const gr_msg *msg)
{
    teller_state *t = state;
    int64_t x;
    if (gr_match(msg, "transferred", &x)) {
        t->amounts -= x;
        if (--t->open > 0) {
            return 0;
        }
        if (t->amounts != 0) {
            return bench_failed("bank", t->amounts, 0);
        }
        for (int64_t i = 0; i < t->n_accounts; i++) {
            GR_TRY(gr_send(self, t->accounts[i], "close"));
        }
        return 0;
    }
    if (gr_match(msg, "balance", &x)) {
        t->sum += x;
        return ++t->closed == t->n_accounts
                   ? gr_send(self, t->owner, "done", t->sum)
                   : 0;
    }
    if (gr_match(msg, "start")) {
        return transfer_all(self, t);
    }
    return gr_unhandled(self, msg);
}

static const gr_behavior teller = {
    .name = "teller",
    .state_size = sizeof(teller_state),
    .init = teller_init,
    .receive = teller_receive,
    .mailbox = BENCH_UNBOUNDED,
};

static int run_bank(bench *b)
{
    const int64_t accounts = bench_param_of(b, "accounts");
    const int64_t n = bench_param_of(b, "n");
    gr_pid pid;
    int64_t ready;
    if (accounts < 10 || accounts > ACCOUNTS_MAX) {
        return GR_EINVAL;
    }
    GR_TRY(gr_spawn(
        b->self, &teller,
        &(gr_spawn_opts){.args = gr_args(gr_self(b->self), accounts, n)},
        &pid));
    GR_TRY(bench_wait(b, &ready));
    bench_begin(b);
    GR_TRY(gr_send(b->self, pid, "start"));
    return bench_finish(b, "bank", n, accounts * BALANCE);
}

const workload bench_crowd[] = {
    {"big", {{"actors", 120}, {"pings", 20000}}, run_big},
    {"chameneos", {{"creatures", 100}, {"meetings", 800000}}, run_chameneos},
    {"bank", {{"accounts", 1000}, {"n", 500000}}, run_bank},
    {0},
};
