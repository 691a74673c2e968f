/*
 * bench/peers/pthread/crowd.c - many who meet at random: big, chameneos, bank.
 */
#include <stdlib.h>

#include "bench/peers/pthread/peer.h"

/* ---- big ---------------------------------------------------------------- */

enum { PING, PONG };

typedef struct big {
    mailbox in;
    struct big *all;
    mailbox *owner;
    const bench *b;
    int64_t n_all, id, left;
    int64_t expected; /* who is to answer */
    uint64_t seed;
} big;

static void big_next(big *s)
{
    if (s->left == 0) {
        push(s->owner, &s->in, 0, 1);
        return;
    }
    s->left--;
    s->expected = bench_random(&s->seed) % s->n_all;
    push(&s->all[s->expected].in, &s->in, PING, s->id);
}

static void *big_actor(void *arg)
{
    big *s = arg;
    s->seed = (uint64_t)s->id + 1;
    big_next(s);
    for (;;) {
        message *msg = take(&s->in);
        if (msg->kind == PING) {
            push(msg->from, &s->in, PONG, s->id);
        } else {
            check(s->b, msg->value, s->expected);
            big_next(s);
        }
        free(msg);
    }
    return NULL;
}

static int run_big(bench *b)
{
    const int64_t n = bench_param_of(b, "actors");
    const int64_t pings = bench_param_of(b, "pings");
    big *all = many(n, sizeof(*all));
    mailbox *owner = mailbox_new();
    for (int64_t i = 0; i < n; i++) {
        big *s = &all[i];
        mailbox_init(&s->in);
        s->all = all;
        s->owner = owner;
        s->b = b;
        s->n_all = n;
        s->id = i;
        s->left = pings;
    }
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        spawn_detached(big_actor, &all[i]);
    }
    const int64_t done = gather(owner, n);
    return finish(b, 2 * n * pings, done, n);
}

/* ---- chameneos ---------------------------------------------------------- */

enum { PARTNER, CHANGE, FADE };

typedef struct mall {
    mailbox in, owner;
    int64_t left;
} mall;

typedef struct creature {
    mailbox in;
    mall *place;
    int64_t colour;
} creature;

static void *mall_actor(void *arg)
{
    mall *m = arg;
    for (;;) {
        message *first = take(&m->in);
        if (m->left == 0) {
            push(first->from, NULL, FADE, 0);
        } else {
            message *second = take(&m->in);
            m->left--;
            push(first->from, second->from, PARTNER, second->value);
            free(second);
        }
        free(first);
    }
    return NULL;
}

static int64_t complement(int64_t a, int64_t b)
{
    return a == b ? a : 3 - a - b;
}

static void *creature_actor(void *arg)
{
    creature *c = arg;
    for (int64_t meetings = 0;; meetings++) {
        push(&c->place->in, &c->in, 0, c->colour);
        message *msg = take(&c->in);
        if (msg->kind == FADE) {
            free(msg);
            push(&c->place->owner, &c->in, 0, meetings);
            return NULL;
        }
        if (msg->kind == PARTNER) {
            c->colour = complement(c->colour, msg->value);
            push(msg->from, &c->in, CHANGE, c->colour);
        } else {
            c->colour = msg->value;
        }
        free(msg);
    }
}

static int run_chameneos(bench *b)
{
    const int64_t n = bench_param_of(b, "creatures");
    const int64_t meetings = bench_param_of(b, "meetings");
    mall *place = many(1, sizeof(*place));
    place->left = meetings;
    creature *all = many(n, sizeof(*all));
    mailbox_init(&place->in);
    mailbox_init(&place->owner);
    spawn_detached(mall_actor, place);
    bench_begin(b);
    for (int64_t i = 0; i < n; i++) {
        mailbox_init(&all[i].in);
        all[i].place = place;
        all[i].colour = i % 3;
        spawn_detached(creature_actor, &all[i]);
    }
    const int64_t sum = gather(&place->owner, n);
    return finish(b, meetings, sum, 2 * meetings);
}

/* ---- bank --------------------------------------------------------------- */

enum { TRANSFER, DEPOSIT, DEPOSITED, CLOSE };
enum { BALANCE = 1000000, AMOUNT_MAX = 1000 };

typedef struct account {
    mailbox in;
    mailbox *teller;
    int64_t balance;
    message *later, **last; /* what came while it waited for an answer */
} account;

/* Where the money goes travels as the sender: a message has room for one. */
static void account_transfer(account *a, const message *msg)
{
    a->balance -= msg->value;
    push(msg->from, &a->in, DEPOSIT, msg->value);
    for (;;) {
        message *next = take(&a->in);
        if (next->kind == DEPOSITED) {
            free(next);
            break;
        }
        next->next = NULL;
        *a->last = next;
        a->last = &next->next;
    }
    push(a->teller, &a->in, 0, msg->value);
}

static message *account_next(account *a)
{
    message *msg = a->later;
    if (msg == NULL) {
        return take(&a->in);
    }
    a->later = msg->next;
    if (a->later == NULL) {
        a->last = &a->later;
    }
    return msg;
}

static void *account_actor(void *arg)
{
    account *a = arg;
    int64_t kind;
    do {
        message *msg = account_next(a);
        kind = msg->kind;
        if (kind == TRANSFER) {
            account_transfer(a, msg);
        } else if (kind == DEPOSIT) {
            a->balance += msg->value;
            push(msg->from, &a->in, DEPOSITED, msg->value);
        }
        free(msg);
    } while (kind != CLOSE);
    push(a->teller, &a->in, 0, a->balance);
    return NULL;
}

/* Returns the sum of the amounts. */
static int64_t transfer_all(account *all, int64_t n, int64_t transfers)
{
    uint64_t seed = 123456;
    int64_t amounts = 0;
    for (int64_t i = 0; i < transfers; i++) {
        const int64_t from = bench_random(&seed) % (n / 10 * 8);
        int64_t distance = bench_random(&seed) % (n - from);
        distance = distance == 0 ? 1 : distance;
        const int64_t amount = 1 + bench_random(&seed) % AMOUNT_MAX;
        amounts += amount;
        push(&all[from].in, &all[from + distance].in, TRANSFER, amount);
    }
    return amounts;
}

static int run_bank(bench *b)
{
    const int64_t n = bench_param_of(b, "accounts");
    const int64_t transfers = bench_param_of(b, "n");
    if (n < 10) {
        die("bank: there are at least 10 accounts");
    }
    account *all = many(n, sizeof(*all));
    mailbox *teller = mailbox_new();
    for (int64_t i = 0; i < n; i++) {
        mailbox_init(&all[i].in);
        all[i].teller = teller;
        all[i].balance = BALANCE;
        all[i].last = &all[i].later;
        spawn_detached(account_actor, &all[i]);
    }
    bench_begin(b);
    const int64_t amounts = transfer_all(all, n, transfers);
    check(b, gather(teller, transfers), amounts);
    for (int64_t i = 0; i < n; i++) {
        push(&all[i].in, teller, CLOSE, 0);
    }
    const int64_t sum = gather(teller, n);
    return finish(b, transfers, sum, n * BALANCE);
}

/* Nearly every message wakes a thread. */
const workload peer_crowd[] = {
    {"big", {{"actors", 120}, {"pings", 2000}}, run_big},
    {"chameneos", {{"creatures", 100}, {"meetings", 50000}}, run_chameneos},
    {"bank", {{"accounts", 1000}, {"n", 50000}}, run_bank},
    {0},
};
