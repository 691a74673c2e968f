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

#include "bench/common/program.h"

enum { STACK_BYTES = 64 * 1024 }; /* of a thread: room for printf and more */

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

void check(const bench *b, int64_t got, int64_t expected);
/* Checks the result and reports `ops` operations since bench_begin(). Returns
 * 0, with which a workload ends. */
int finish(const bench *b, int64_t ops, int64_t got, int64_t expected);
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

#endif /* BENCH_PEERS_PTHREAD_PEER_H */
