/*
 * bench/peers/net/pair.h - what raw-net and nng-net have in common: a second
 * process, and a pipe both ways beside what is measured. Whatever goes wrong
 * ends the program with status 1.
 */
#ifndef BENCH_PEERS_NET_PAIR_H
#define BENCH_PEERS_NET_PAIR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/common/program.h"

enum {
    PAIR_HEAD = 4, /* bytes: the length in front of each message */
    PAIR_SMALL = 32,
    PAIR_WARM = 1000, /* round trips that are not counted */
    PAIR_TCP = 0,     /* the transports */
    PAIR_IPC = 1
};

#define PAIR_TRANSPORTS "tcp|ipc"

typedef struct pair {
    bool is_far; /* the second process */
    int fd;      /* to the other one; the second ends when it ends */
} pair;

_Noreturn void pair_die(const char *why);

/* Holds both to one processor, if the parameter pin is 1, and forks. */
pair pair_start(const bench *b);
void pair_write(const pair *p, const void *data, size_t n);
/* In the second process it does not return when the first one has ended. */
void pair_read(const pair *p, void *data, size_t n);
/* Leaves without taking anything down. Prints what is to be printed. */
_Noreturn void pair_leave(int status);

/* A message as it travels: its length, its number, and bytes. Freed by nobody:
 * it is there as long as the process. */
uint8_t *pair_frame(size_t size);
void pair_set_number(uint8_t *frame, int64_t number);
/* The whole messages in data are taken: how many bytes they are. Each must have
 * the number *next, which is counted up, and `size` bytes. */
size_t pair_take(const uint8_t *data, size_t n, size_t size, int64_t *next);

void pair_report_flow(const bench *b, const char *impl, size_t size, int64_t n,
                      int64_t ns);
/* Of round trips; sorts ns. */
void pair_report_times(const bench *b, const char *impl, int64_t *ns, int64_t n,
                       int64_t all_ns);

#endif /* BENCH_PEERS_NET_PAIR_H */
