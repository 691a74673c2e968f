/*
 * bench/peers/pthread/peer.h - what the workloads have in common: a thread for
 * each actor, a queue under a mutex for its mailbox, malloc for each message.
 *
 * Where threads are too dear for the size that other runtimes take, the default
 * is smaller; what an operation costs does not depend on it. Whatever goes
 * wrong ends the program with status 1.
 */
#ifndef BENCH_PEERS_PTHREAD_PEER_H
#define BENCH_PEERS_PTHREAD_PEER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    PARAMS_MAX = 5,         /* of a workload, with the empty one at the end */
    STACK_BYTES = 64 * 1024 /* of a thread: room for printf and then some */
};

typedef struct param {
    const char *key; /* NULL: the end */
    int64_t value;   /* as long as nobody gives another */
} param;

typedef struct bench {
    const char *name;
    unsigned workers; /* processors that the threads may use */
    param params[PARAMS_MAX];
    int64_t t0_ns;
} bench;

typedef struct workload {
    const char *name;
    param params[PARAMS_MAX]; /* the defaults */
    void (*run)(bench *b);
} workload;

/* One array for each file of workloads; each ends at {0}. */
extern const workload peer_talk[];
extern const workload peer_flow[];
extern const workload peer_create[];
extern const workload peer_crowd[];

typedef struct mailbox mailbox;

typedef struct message {
    struct message *next;
    mailbox *from; /* where an answer goes, or whom this is about */
    int64_t kind;  /* the workload's own */
    int64_t value;
} message;

/* What is sent to it is appended under the lock; the one who receives takes all
 * that has come at once, and so takes the lock once for many messages. */
struct mailbox {
    pthread_mutex_t lock;
    pthread_cond_t filled;
    message *first, **last; /* under the lock */
    bool waits;             /* under the lock: the receiver sleeps */
    message *taken;         /* the receiver's alone */
};

int64_t param_of(const bench *b, const char *key);
/* Monotonic nanoseconds. */
int64_t now_ns(void);
/* From here on the time counts. */
void begin(bench *b);
/* Memory of this process, in KiB: field "VmHWM:" (most) or "VmRSS:" (now). */
int64_t memory_kb(const char *field);
/* Prints the line; extra, behind a space, may be NULL. */
void report(const bench *b, const char *name, int64_t ops, int64_t ns,
            const char *extra);
void check(const bench *b, int64_t got, int64_t expected);
/* Checks the result and reports `ops` operations since begin(). */
void finish(const bench *b, int64_t ops, int64_t got, int64_t expected);
/* Tells why, and ends the program. */
_Noreturn void die(const char *why);
/* Zeroed memory for n things. */
void *many(int64_t n, size_t size);

/* What threads share is not freed, for one of them may still be about to wake
 * somebody: the process ends before they do. */
mailbox *mailbox_new(void);
void mailbox_init(mailbox *m);
/* For a mailbox without messages, whose senders are done with it. */
void mailbox_fini(mailbox *m);
void push(mailbox *to, mailbox *from, int64_t kind, int64_t value);
/* Waits for the next message; the caller frees it. */
message *take(mailbox *m);
/* Waits for the next message, and gives its value. */
int64_t take_value(mailbox *m);
/* The sum of the values of the next n messages. */
int64_t gather(mailbox *m, int64_t n);

pthread_t spawn(void *(*body)(void *), void *arg);
/* For a thread that nobody joins. */
void spawn_detached(void *(*body)(void *), void *arg);

/* The minimal standard generator of Park and Miller (1988), as in the programs
 * of the other runtimes: the same random choices everywhere. */
static inline int64_t next_random(uint64_t *seed)
{
    *seed = *seed * 48271 % 2147483647;
    return (int64_t)*seed;
}

#endif /* BENCH_PEERS_PTHREAD_PEER_H */
